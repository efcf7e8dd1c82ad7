"""What a training learns from: texts and questions, held out and packed; vocabularies; a step."""

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ragcli.answer.answerer import AskOptions
from ragcli.answer.pipeline import ask_prompt
from ragcli.errors import RagcliError
from ragcli.filters import Filter
from ragcli.generate import EngineGenerator, Options, open_language_model
from ragcli.models import find_model
from ragcli.search import Searcher
from ragcli.settings import data_home
from ragcli.store import LOCAL, IndexLocation, open_store
from ragcli.train.config import TrainConfig
from ragcli.train.data import END, Text, read_texts, split_texts
from ragcli.train.loop import batch, new_optimizer, schedule, take_step
from ragcli.train.model import ModelBundle, bits_per_byte, extend_embeddings, open_model, row_losses
from ragcli.train.overlap import Overlap
from ragcli.train.packing import IGNORE_INDEX, Rows, pack, token_bytes
from ragcli.train.questions import prompt_for
from ragcli.train.vocabulary import extend
from tests.support import Run, write_lines
from tests.tiny_gpt2 import CONTEXT, sentences

pytestmark = pytest.mark.usefixtures("one_thread")

# Texts


def test_json_lines_plain_text_and_gzip_are_read(tmp_path: Path) -> None:
    titled = write_lines(tmp_path / "a.jsonl", {"id": "x", "title": "The owl", "text": "It sleeps."}, b"nonsense")
    plain = tmp_path / "b.txt.gz"
    plain.write_bytes(gzip.compress(f"One.\n{END}\nTwo.\n{END}\n".encode()))
    asked = write_lines(
        tmp_path / "qa.jsonl",
        {"id": "1", "question": "Who?", "answers": ["An  owl", "x"], "doc_id": "d"},
        {"id": "2", "question": "Nobody?", "answers": []},
    )
    found, rejected = read_texts([titled, plain, asked])
    assert [(text.text, text.question, text.doc_id) for text in found] == [
        ("The owl\nIt sleeps.", None, "x"),
        ("One.", None, None),
        ("Two.", None, None),
        ("An owl", "Who?", "d"),
    ]
    [kept] = read_texts([titled], [Filter("title", "!=", "The cat"), Filter("year", "!=", "3")]).texts
    assert kept.doc_id == "x"
    with pytest.raises(RagcliError, match="contain no text"):
        read_texts([titled], [Filter("title", "=", "The cat")])
    assert rejected == 1


def test_copies_are_dropped_and_what_is_nearly_held_out_is_not_trained_on() -> None:
    originals = [Text(f"t{n}", sentences(n) * 2) for n in range(10)]
    near = [Text(f"n{n}", text.text.replace("The", "A", 1)) for n, text in enumerate(originals)]
    split = split_texts([*originals, *near, originals[3], originals[4]], 0.2, seed=1)
    assert (split.duplicates, len(split.validation)) == (2, 4)
    held = {text.id[1:] for text in split.validation}
    assert held.isdisjoint(text.id[1:] for text in split.training)
    assert split.near_duplicates == sum(text.id[1:] in held for text in [*originals, *near]) - 4 > 0
    assert len(split.training) + len(split.validation) + split.near_duplicates == 20


@pytest.mark.parametrize(
    ("other", "near"),
    [
        ("a b c d e f g h i j k l m n o", True),
        ("A, b c d e f g h i j k l m n o!", True),
        ("a b c d e f g h i j k l m x y", True),  # 9 of 11 runs
        ("a b c d e f g x i j k l m n o", False),  # 6 of 11
        ("o n m l k j i h g f e d c b a", False),
        ("", False),
    ],
)
def test_near_duplicates_share_most_runs_of_five_words(other: str, near: bool) -> None:
    assert Overlap(["a b c d e f g h i j k l m n o"]).holds(other) == near


def test_chinese_characters_count_as_words() -> None:
    held = Overlap(["列表推导式是处理序列中元素的紧凑方法"])
    assert held.holds("列表推导式是处理序列中元素的紧凑写法")
    assert not held.holds("装饰器是返回另一个函数的函数通常使用")


def test_the_split_is_seeded_and_keeps_questions_on_a_document_together() -> None:
    asked = [Text(f"q{n}", f"answer {n}", f"What is number {n}?", f"d{n // 4}") for n in range(40)]
    splits = [split_texts(asked, 0.3, seed) for seed in (1, 1, 2)]
    assert splits[0] == splits[1] != splits[2]
    held = {text.doc_id for text in splits[0].validation}
    assert len(held) == 3 and held.isdisjoint(text.doc_id for text in splits[0].training)
    documents = [Text(f"t{n}", sentences(n), doc_id=f"d{n}") for n in range(10)]
    assert {text.doc_id for text in split_texts(documents, 0.3, 1).validation} == held


# Rows


def test_packing_predicts_every_token_once_with_an_end_after_each_document(bundle: ModelBundle) -> None:
    _, tokenizer, end = bundle
    documents = [Text(str(n), sentences(n)) for n in range(5)]
    rows, counts = pack(documents, tokenizer, end, 32, lambda _: None)
    wanted = [token for text in documents for token in [*tokenizer.encode(text.text).ids, end]]
    learnt = rows.labels[:, 1:]
    assert learnt[learnt != IGNORE_INDEX].tolist() == wanted
    assert rows.tokens.shape == (math.ceil(len(wanted) / 32), 33)
    assert (rows.tokens[1:, 0] == rows.tokens[:-1, -1]).all() and rows.tokens[0, 0] == end
    assert counts.tokens == len(wanted) - 5 and counts.longest > 32 and counts.cut == 5


def test_of_a_question_only_the_answer_is_learnt_and_none_is_cut(bundle: ModelBundle) -> None:
    _, tokenizer, end = bundle
    asked = [Text(str(n), f"fox {n}", f"Who {n}?") for n in range(6)] + [Text("x", "the fox " * 101, "Who?")]
    prompts = {text.id: f"Question: {text.question}" for text in asked if text.id != "3"}
    rows, counts = pack(asked, tokenizer, end, 32, lambda text: prompts.get(text.id))
    answers = [[*tokenizer.encode(f" fox {n}").ids, end] for n in (0, 1, 2, 4, 5)]
    assert rows.labels[rows.labels != IGNORE_INDEX].tolist() == [token for answer in answers for token in answer]
    assert counts.left_out == 2
    given = [tokenizer.encode(f"Question: Who {n}?").ids for n in (0, 1, 2, 4, 5)]
    written = [prompt + answer for prompt, answer in zip(given, answers, strict=True)]
    assert all(any(_within(example, row.tolist()) for row in rows.tokens) for example in written)


def test_texts_and_questions_are_learnt_in_equal_measure(bundle: ModelBundle) -> None:
    _, tokenizer, end = bundle
    documents = [Text(str(n), sentences(n)) for n in range(9)]
    asked = [Text(f"q{n}", f"fox {n}", f"Who sleeps in house {n}?") for n in range(2)]

    def rows(texts: list[Text]) -> list[list[int]]:
        packed: list[list[int]] = pack(texts, tokenizer, end, 32, lambda text: text.question).rows.tokens.tolist()
        return packed

    both, texts, questions = rows(documents + asked), rows(documents), rows(asked)
    assert both == texts + (questions * len(texts))[: len(texts)] and len(questions) < len(texts)


def _within(part: list[int], whole: list[int]) -> bool:
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))


def test_each_epoch_takes_every_row_once_in_an_order_of_its_own() -> None:
    tokens = np.arange(10, dtype=np.int32)[:, np.newaxis]
    plan = TrainConfig((), batch=5, seed=3)
    seen = [int(row[0]) for number in range(4) for row in batch(Rows(tokens, tokens), plan, number)[0]]
    epochs = [seen[:10], seen[10:]]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10))
    assert epochs[0] != epochs[1]
    assert len(batch(Rows(tokens[:2], tokens[:2]), plan, 0)[0]) == 5


def test_tokens_know_their_bytes(bundle: ModelBundle) -> None:
    sizes = token_bytes(bundle.tokenizer, bundle.end, bundle.model.config.vocab_size)
    for text in ("The fox", " naïve 列表 \n\t🙂"):
        assert sizes[bundle.tokenizer.encode(text).ids].sum() == len(text.encode())
    assert sizes[bundle.end] == 0


def test_bits_per_byte_agree_with_the_engine(bundle: ModelBundle, tiny: Path) -> None:
    text = sentences(3)
    rows = pack([Text("x", text)], bundle.tokenizer, bundle.end, CONTEXT, lambda _: None).rows
    sizes = token_bytes(bundle.tokenizer, bundle.end, bundle.model.config.vocab_size)
    engine = open_language_model(find_model(str(tiny), allow_fallback=False), "float32")
    ids = [bundle.end, *engine.encode(text), bundle.end]
    bits = -float(engine.log_probabilities(ids, 1).sum()) / math.log(2)
    assert bits_per_byte(bundle.model, rows, sizes, 1) == pytest.approx(bits / len(text.encode()), rel=0.01)


# Questions


@pytest.fixture
def animals(ragcli: Run, tmp_path: Path) -> Iterator[Any]:
    lines = [{"id": f"d{n}", "title": f"House {n}", "text": sentences(n)} for n in range(8)]
    assert ragcli("index", write_lines(tmp_path / "documents.jsonl", *lines)).code == 0
    with open_store(IndexLocation(LOCAL, "knowledge_base", data_home())) as store:
        yield Searcher(store)


def asking(k: int) -> str:
    """Return the id of a question that is put with k passages."""
    return next(str(n) for n in range(100) if zlib.crc32(str(n).encode()) % 5 == k - 1)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_a_question_is_put_as_ask_puts_it_with_few_passages_or_all(animals: Any, tiny: Path, k: int) -> None:
    engine = open_language_model(find_model(str(tiny), allow_fallback=False), "float32")
    text = Text(asking(k), "by the river", "Where does the fox of house 0 sleep?", "d0")
    prompt = prompt_for(animals, text, CONTEXT, lambda written: len(engine.encode(written)))
    assert (
        prompt
        == ask_prompt(animals, lambda: EngineGenerator(engine), str(text.question), AskOptions(Options(), k)).text
    )
    assert ("[2] House" in str(prompt)) == (k > 1)  # a distractor


def test_the_answers_passage_takes_the_last_place_where_the_search_misses_it(animals: Any) -> None:
    text = Text(asking(5), "house 7 sleeps", "Where does the owl of house 1 sleep?", "d7")
    prompt = str(prompt_for(animals, text, 10_000, len))
    assert prompt.count("House") == 5 and "[5] House 7\n" in prompt
    short = str(prompt_for(animals, text, 100 + 250, len))
    assert "House 7\n" in short and len(short) <= 250
    assert prompt_for(animals, text, 100 + 60, len) is None
    assert prompt_for(animals, text._replace(text="nowhere"), 10_000, len) is None


# Vocabulary


def test_an_extended_vocabulary_leaves_old_words_alone_and_joins_what_was_split(bundle: ModelBundle) -> None:
    chinese = ["列表推导式是处理序列中元素的紧凑方法。", "列表是可变的序列。"] * 5
    tokenizer = bundle.tokenizer
    extended, pieces = extend(tokenizer, chinese, 40)
    assert extended.get_vocab_size() == tokenizer.get_vocab_size() + 40 == tokenizer.get_vocab_size() + len(pieces)
    assert extended.encode(sentences(1)).ids == tokenizer.encode(sentences(1)).ids
    for text in chinese:
        assert len(extended.encode(text).ids) < 0.6 * len(tokenizer.encode(text).ids)
        assert extended.decode(extended.encode(text).ids) == text
    before = bundle.model.get_input_embeddings().weight.detach().clone()
    extend_embeddings(bundle.model, pieces, len(before))
    after = bundle.model.get_input_embeddings().weight
    names = {number: token for token, number in extended.get_vocab().items()}
    old = {number: token for token, number in tokenizer.get_vocab().items()}
    for location, ids in enumerate(pieces, len(before)):
        assert "".join(old[i] for i in ids) == names[location]
        assert torch.equal(after[location], before[ids].mean(dim=0))
    assert torch.equal(after[: len(before)], before) and after.data_ptr() == bundle.model.lm_head.weight.data_ptr()


def test_new_tokens_have_their_places_where_the_embedding_had_some_to_spare(bundle: ModelBundle) -> None:
    first = bundle.tokenizer.get_vocab_size()
    bundle.model.resize_token_embeddings(first + 10, mean_resizing=False)
    before = bundle.model.get_input_embeddings().weight.detach().clone()
    extend_embeddings(bundle.model, [[1, 2], [3]], first)
    after = bundle.model.get_input_embeddings().weight
    assert len(after) == first + 10
    assert torch.equal(after[first], before[[1, 2]].mean(dim=0)) and torch.equal(after[first + 1], before[3])
    assert torch.equal(after[first + 2 :], before[first + 2 :])


# A step


def test_accumulated_batches_are_one_large_batch(tiny: Path) -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 300, (4, 33)).astype(np.int32)
    labels = np.where(rng.random((4, 33)) < 0.5, tokens, IGNORE_INDEX).astype(np.int32)
    losses, weights = [], []
    for parts in (1, 4):
        model = open_model(find_model(str(tiny), allow_fallback=False), 0.0).model
        batches = list(zip(np.split(tokens, parts), np.split(labels, parts), strict=True))
        losses.append(take_step(model, torch.optim.SGD(model.parameters(), 0.1), row_losses, batches, 0.1))
        weights.append(model.transformer.wte.weight.detach())
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert torch.allclose(weights[0], weights[1], atol=1e-4)


def test_each_row_weighs_alike_however_few_of_its_tokens_are_learnt(bundle: ModelBundle) -> None:
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, 300, (2, 33)).astype(np.int32)
    labels = tokens.copy()
    labels[1, :-2] = IGNORE_INDEX
    with torch.no_grad():
        nats = row_losses(bundle.model, *(torch.from_numpy(part).long() for part in (tokens, labels)))
    stays = torch.optim.SGD(bundle.model.parameters(), 0.0)
    loss = take_step(bundle.model, stays, row_losses, [(tokens, labels)], 0.0)
    assert loss == pytest.approx((float(nats[0]) / 32 + float(nats[1]) / 2) / 2, rel=1e-2)


def test_norms_and_biases_do_not_decay(bundle: ModelBundle) -> None:
    decaying, others = new_optimizer(bundle.model, 1.0).param_groups
    assert decaying["weight_decay"] > 0 == others["weight_decay"]
    names = {id(parameter): name for name, parameter in bundle.model.named_parameters()}
    assert all("ln_" in names[id(p)] or names[id(p)].endswith("bias") for p in others["params"])
    assert not any("ln_" in names[id(p)] or names[id(p)].endswith("bias") for p in decaying["params"])


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    assert schedule(0.0) == pytest.approx(0.1) and schedule(0.05) == pytest.approx(1.0, abs=0.01)
    assert schedule(0.525) == pytest.approx((1 + math.cos(math.pi * 0.525)) / 2)
    assert schedule(1.0) == 0
