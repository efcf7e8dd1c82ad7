"""Training: what is learnt from which texts, the same after a kill, and a model that every command finds."""

import gzip
import json
import math
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from ragcli.errors import RagcliError
from ragcli.filters import Filter
from ragcli.generate import Options, open_engine
from ragcli.models import PACKAGED, find_model
from ragcli.rag import Job, ask_prompt
from ragcli.settings import data_home
from ragcli.store import LOCAL, Place, open_store
from ragcli.train.data import END, Text, read_texts, split_texts
from ragcli.train.loop import Report, batch, descend, new_optimizer, schedule
from ragcli.train.model import Trainee, bits_per_byte, grow, loss_sum, new_model, open_model, write_model
from ragcli.train.overlap import Overlap
from ragcli.train.packing import NOT_LEARNT, Rows, pack, token_bytes
from ragcli.train.plan import Plan, Size
from ragcli.train.prepare import Passages, prepare
from ragcli.train.questions import prompt_for
from ragcli.train.run import Listener, run
from ragcli.train.vocabulary import extend, new_tokenizer
from tests.support import Run, assert_two_lines, command, environment, run_process, write_lines

ANIMALS = ("fox", "owl", "cat", "dog", "hen", "cow", "pig", "bee")
PLACES = ("by the river", "in the wood", "on the hill", "under a tree", "near the old barn")
CONTEXT = 256


def sentences(number: int) -> str:
    """Write a text that is like no other one and yet easy to learn."""
    animal, place = ANIMALS[number % len(ANIMALS)], PLACES[number % len(PLACES)]
    return " ".join(f"The {animal} of house {number} sleeps {place} in week {n}." for n in range(3))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a GPT-2 of two layers that knows nothing."""
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = new_tokenizer([sentences(n) for n in range(40)] + ["Question: Answer: [1] 2 列表"], 400)
    write_model(new_model(tokenizer, Size(2, 2, 16), CONTEXT, 0, 0.0), folder)
    return folder


@pytest.fixture
def trainee(tiny: Path) -> Trainee:
    return open_model(find_model(str(tiny), allow_fallback=False), 0.0)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "texts.jsonl", *({"id": f"t{n}", "text": sentences(n)} for n in range(40)))


def options(model: Path, *more: str) -> list[str]:
    """Return the options of a training of a second or two."""
    fast = ["--no-compile", "--batch-size", "2", "--context", "32", "--learning-rate", "0.01"]
    return ["--model", str(model), *fast, *(more or ("--max-steps", "6"))]


def trained(name: str) -> dict[str, Any]:
    """Read what a training tells of itself."""
    told: dict[str, Any] = json.loads((home() / name / "training.json").read_text())
    return told


def home() -> Path:
    return data_home() / "models"


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
    with pytest.raises(RagcliError, match="hold no text"):
        read_texts([titled], [Filter("title", "=", "The cat")])
    assert rejected == 1


def test_copies_are_dropped_and_what_is_nearly_held_out_is_not_trained_on() -> None:
    originals = [Text(f"t{n}", sentences(n) * 2) for n in range(10)]
    near = [Text(f"n{n}", text.text.replace("The", "A", 1)) for n, text in enumerate(originals)]
    split = split_texts([*originals, *near, originals[3], originals[4]], 0.2, seed=1)
    assert (split.duplicates, len(split.held)) == (2, 4)
    held = {text.id[1:] for text in split.held}
    assert held.isdisjoint(text.id[1:] for text in split.training)
    assert split.near_duplicates == sum(text.id[1:] in held for text in [*originals, *near]) - 4 > 0
    assert len(split.training) + len(split.held) + split.near_duplicates == 20


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
    held = {text.doc_id for text in splits[0].held}
    assert len(held) == 3 and held.isdisjoint(text.doc_id for text in splits[0].training)
    documents = [Text(f"t{n}", sentences(n), doc_id=f"d{n}") for n in range(10)]
    assert {text.doc_id for text in split_texts(documents, 0.3, 1).held} == held


# Rows


def test_packing_predicts_every_token_once_with_an_end_after_each_document(trainee: Trainee) -> None:
    _, tokenizer, end = trainee
    documents = [Text(str(n), sentences(n)) for n in range(5)]
    rows, counts = pack(documents, tokenizer, end, 32, lambda _: None)
    wanted = [token for text in documents for token in [*tokenizer.encode(text.text).ids, end]]
    learnt = rows.labels[:, 1:]
    assert learnt[learnt != NOT_LEARNT].tolist() == wanted
    assert rows.tokens.shape == (math.ceil(len(wanted) / 32), 33)
    assert (rows.tokens[1:, 0] == rows.tokens[:-1, -1]).all() and rows.tokens[0, 0] == end
    assert counts.tokens == len(wanted) - 5 and counts.longest > 32 and counts.cut == 5


def test_of_a_question_only_the_answer_is_learnt_and_none_is_cut(trainee: Trainee) -> None:
    _, tokenizer, end = trainee
    asked = [Text(str(n), f"fox {n}", f"Who {n}?") for n in range(6)] + [Text("x", "the fox " * 101, "Who?")]
    prompts = {text.id: f"Question: {text.question}" for text in asked if text.id != "3"}
    rows, counts = pack(asked, tokenizer, end, 32, lambda text: prompts.get(text.id))
    answers = [[*tokenizer.encode(f" fox {n}").ids, end] for n in (0, 1, 2, 4, 5)]
    assert rows.labels[rows.labels != NOT_LEARNT].tolist() == [token for answer in answers for token in answer]
    assert counts.left_out == 2
    given = [tokenizer.encode(f"Question: Who {n}?").ids for n in (0, 1, 2, 4, 5)]
    written = [prompt + answer for prompt, answer in zip(given, answers, strict=True)]
    assert all(any(_within(example, row.tolist()) for row in rows.tokens) for example in written)


def _within(part: list[int], whole: list[int]) -> bool:
    return any(whole[start : start + len(part)] == part for start in range(len(whole) - len(part) + 1))


def test_each_epoch_takes_every_row_once_in_an_order_of_its_own() -> None:
    tokens = np.arange(10, dtype=np.int32)[:, np.newaxis]
    plan = Plan((), batch=5, seed=3)
    seen = [int(row[0]) for number in range(4) for row in batch(Rows(tokens, tokens), plan, number)[0]]
    epochs = [seen[:10], seen[10:]]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10))
    assert epochs[0] != epochs[1]
    assert len(batch(Rows(tokens[:2], tokens[:2]), plan, 0)[0]) == 5


def test_tokens_know_their_bytes(trainee: Trainee) -> None:
    sizes = token_bytes(trainee.tokenizer, trainee.end, trainee.model.config.vocab_size)
    for text in ("The fox", " naïve 列表 \n\t🙂"):
        assert sizes[trainee.tokenizer.encode(text).ids].sum() == len(text.encode())
    assert sizes[trainee.end] == 0


def test_bits_per_byte_agree_with_the_engine(trainee: Trainee, tiny: Path) -> None:
    text = sentences(3)
    rows = pack([Text("x", text)], trainee.tokenizer, trainee.end, CONTEXT, lambda _: None).rows
    sizes = token_bytes(trainee.tokenizer, trainee.end, trainee.model.config.vocab_size)
    engine = open_engine(find_model(str(tiny), allow_fallback=False), "float32")
    ids = [trainee.end, *engine.encode(text), trainee.end]
    bits = -float(engine.log_probabilities(ids, 1).sum()) / math.log(2)
    assert bits_per_byte(trainee.model, rows, sizes, 1) == pytest.approx(bits / len(text.encode()), rel=0.01)


# Questions


@pytest.fixture
def animals(ragcli: Run, tmp_path: Path) -> Iterator[Any]:
    lines = [{"id": f"d{n}", "title": f"House {n}", "text": sentences(n)} for n in range(8)]
    assert ragcli("index", write_lines(tmp_path / "documents.jsonl", *lines)).code == 0
    with open_store(Place(LOCAL, "knowledge_base", data_home())) as store:
        yield store


def test_a_question_is_put_as_ask_puts_it(animals: Any, tiny: Path) -> None:
    engine = open_engine(find_model(str(tiny), allow_fallback=False), "float32")
    text = Text("q", "by the river", "Where does the fox of house 0 sleep?", "d0")
    prompt = prompt_for(animals, text, CONTEXT, lambda written: len(engine.encode(written)))
    assert prompt == ask_prompt(animals, lambda: engine, str(text.question), Job(Options())).text
    assert "[2] House" in str(prompt)  # a distractor


def test_the_answers_passage_takes_the_last_place_where_the_search_misses_it(animals: Any) -> None:
    text = Text("q", "house 7 sleeps", "Where does the owl of house 1 sleep?", "d7")
    prompt = str(prompt_for(animals, text, 10_000, len))
    assert prompt.count("House") == 5 and "[5] House 7\n" in prompt
    short = str(prompt_for(animals, text, 100 + 250, len))
    assert "House 7\n" in short and len(short) <= 250
    assert prompt_for(animals, text, 100 + 60, len) is None
    assert prompt_for(animals, text._replace(text="nowhere"), 10_000, len) is None


# Vocabulary


def test_an_extended_vocabulary_leaves_old_words_alone_and_joins_what_was_split(trainee: Trainee) -> None:
    chinese = ["列表推导式是处理序列中元素的紧凑方法。", "列表是可变的序列。"] * 5
    tokenizer = trainee.tokenizer
    extended, pieces = extend(tokenizer, chinese, 40)
    assert extended.get_vocab_size() == tokenizer.get_vocab_size() + 40 == tokenizer.get_vocab_size() + len(pieces)
    assert extended.encode(sentences(1)).ids == tokenizer.encode(sentences(1)).ids
    for text in chinese:
        assert len(extended.encode(text).ids) < 0.6 * len(tokenizer.encode(text).ids)
        assert extended.decode(extended.encode(text).ids) == text
    before = trainee.model.get_input_embeddings().weight.detach().clone()
    grow(trainee.model, pieces, len(before))
    after = trainee.model.get_input_embeddings().weight
    names = {number: token for token, number in extended.get_vocab().items()}
    old = {number: token for token, number in tokenizer.get_vocab().items()}
    for place, ids in enumerate(pieces, len(before)):
        assert "".join(old[i] for i in ids) == names[place]
        assert torch.equal(after[place], before[ids].mean(dim=0))
    assert torch.equal(after[: len(before)], before) and after.data_ptr() == trainee.model.lm_head.weight.data_ptr()


# A step


def test_accumulated_batches_are_one_large_batch(tiny: Path) -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 300, (4, 33)).astype(np.int32)
    labels = np.where(rng.random((4, 33)) < 0.5, tokens, NOT_LEARNT).astype(np.int32)
    losses, weights = [], []
    for parts in (1, 4):
        model = open_model(find_model(str(tiny), allow_fallback=False), 0.0).model
        batches = list(zip(np.split(tokens, parts), np.split(labels, parts), strict=True))
        losses.append(descend(model, torch.optim.SGD(model.parameters(), 0.1), loss_sum, batches, 0.1))
        weights.append(model.transformer.wte.weight.detach())
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert torch.allclose(weights[0], weights[1], atol=1e-4)


def test_norms_and_biases_do_not_decay(trainee: Trainee) -> None:
    decaying, others = new_optimizer(trainee.model, 1.0).param_groups
    assert decaying["weight_decay"] > 0 == others["weight_decay"]
    names = {id(parameter): name for name, parameter in trainee.model.named_parameters()}
    assert all("ln_" in names[id(p)] or names[id(p)].endswith("bias") for p in others["params"])
    assert not any("ln_" in names[id(p)] or names[id(p)].endswith("bias") for p in decaying["params"])


def test_the_rate_warms_up_and_falls_to_a_tenth() -> None:
    assert schedule(0.0) == pytest.approx(0.1) and schedule(0.05) == pytest.approx(1.0, abs=0.01)
    assert schedule(0.525) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * 0.525)) / 2)
    assert schedule(1.0) == pytest.approx(0.1)


# The command


def test_a_trained_model_has_learnt_and_is_found_by_its_name(ragcli: Run, tiny: Path, texts: Path) -> None:
    result = ragcli("train", texts, "--output", "farm", *options(tiny, "--epochs", "4"), "--format", "json")
    [done] = result.objects()
    assert result.code == 0 and done["after"] < 0.8 * done["before"]
    folder = home() / "farm"
    told = trained("farm")
    assert told["held_out_bits_per_byte"] == {"before": done["before"], "after": done["after"]}
    assert told["command"].startswith("ragcli train ") and told["settings"]["--seed"] == 0
    assert len(told["data"]["texts.jsonl"]) == 64 and told["step"] == done["steps"] == told["curve"][-1]["step"]
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert not {path.name for path in folder.iterdir()} & {"unfinished", "training.safetensors"}
    assert len((folder / "held_out.jsonl").read_text().splitlines()) == told["texts"]["held_out"] == 2

    written = ragcli("generate", "The fox", "--model", "farm", "--max-new-tokens", "5", "--format", "json")
    assert written.code == 0 and written.objects()[0]["model"] == "farm"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("The fox of house 1").input_ids
    assert ids == Tokenizer.from_file(str(tiny / "tokenizer.json")).encode("The fox of house 1").ids
    engine = open_engine(find_model("farm", allow_fallback=False), "float32")
    with torch.no_grad():
        assert np.allclose(model(torch.tensor([ids])).logits[0, -1], engine.prefill(ids, 1)[0], atol=1e-3)


def test_a_folder_comes_before_a_trained_name_and_that_before_the_hub(
    ragcli: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(open_model(find_model(str(tiny), allow_fallback=False), 0.0), home() / "gpt3")
    assert find_model("gpt3", allow_fallback=False).path == home() / "gpt3"
    monkeypatch.chdir(tmp_path)
    write_model(open_model(find_model(str(tiny), allow_fallback=False), 0.0), tmp_path / "gpt3")
    assert find_model("gpt3", allow_fallback=False).path == Path("gpt3")


def test_questions_are_learnt_with_passages(ragcli: Run, tiny: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "documents.jsonl", *({"id": f"d{n}", "text": sentences(n)} for n in range(12)))
    questions = [{"id": f"q{n}", "question": f"Who sleeps in house {n}?", "doc_id": f"d{n}"} for n in range(12)]
    lines = [{**question, "answers": [ANIMALS[n % 8]]} for n, question in enumerate(questions)]
    asked = write_lines(tmp_path / "qa.jsonl", *lines)
    more = ("--max-steps", "4", "--format", "json", "--context", str(CONTEXT))
    [done] = ragcli("train", asked, "--output", "asked", *options(tiny, *more)).objects()
    told = trained("asked")["texts"]
    assert (told["documents"], told["held_out"], told["left_out"]) == (11, 1, 0)
    assert done["before"] > done["after"] > 0


def test_a_new_model_and_an_extended_one(ragcli: Run, texts: Path, tmp_path: Path) -> None:
    size = ("--layers", "2", "--heads", "2", "--width", "16", "--vocabulary", "300", "--context", "32")
    new = ragcli("train", texts, "--output", "new", "--from-scratch", *size, "--no-compile", "--max-steps", "5")
    assert new.code == 0
    chinese = write_lines(
        tmp_path / "zh.jsonl", *({"text": f"列表推导式{n}是处理序列中元素的紧凑方法。"} for n in range(20))
    )
    more = ("--extend-vocabulary", "30", "--max-steps", "5", "--format", "json")
    [done] = ragcli("train", chinese, "--output", "zh", *options(home() / "new", *more)).objects()
    assert done["tokens_per_character"] < 0.6 * done["unextended"]["tokens_per_character"]
    config = json.loads((home() / "zh" / "config.json").read_bytes())
    assert (config["vocab_size"], config["n_layer"], config["n_positions"]) == (330, 2, 32)
    assert ragcli("generate", "列表", "--model", "zh", "--max-new-tokens", "3").code == 0


def test_a_dry_run_writes_nothing_and_says_what_the_data_are(ragcli: Run, tiny: Path, tmp_path: Path) -> None:
    lines = [{"id": str(n), "text": sentences(n)} for n in range(10)]
    path = write_lines(tmp_path / "a.jsonl", *lines, {"id": "again", "text": sentences(3)}, b"{}")
    result = ragcli("train", path, "--dry-run", *options(tiny, "--epochs", "2"), "--format", "json")
    [told] = result.objects()
    assert (told["documents"], told["held_out"], told["duplicates"], told["rejected"]) == (9, 1, 1, 1)
    assert told["tokens"] > told["longest"] > 32 and told["cut"] == 1.0 and told["seconds"] > 0
    assert told["steps"] == told["rows"]  # two epochs of batches of two
    assert 1 < told["tokens_per_word"] < 3 and 0 <= told["badly_split"] < 1
    assert not home().exists()
    assert "words split badly" in ragcli("train", path, "--dry-run", *options(tiny)).out


def test_a_recipe_names_files_and_options(
    ragcli: Run, tiny: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "recipe.toml"
    lines = ['files = ["texts.jsonl"]', f'model = "{tiny}"', "max-steps = 2", "compile = false", "context_length = 32"]
    recipe.write_text("\n".join(["[train]", *lines]))
    monkeypatch.setenv("RAGCLI_CONFIG", str(recipe))
    monkeypatch.chdir(tmp_path)
    assert ragcli("train", "--output", "cooked").code == 0
    assert trained("cooked")["step"] == 2


# Interrupted


@pytest.mark.parametrize("name", ["text.toml", "answers.toml"])
def test_the_packages_recipes_are_settings(ragcli: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without their data they get as far as the first file, or the model that the other one makes."""
    monkeypatch.setenv("RAGCLI_CONFIG", str(PACKAGED / name))
    missing = "openstax/documents.jsonl.gz" if name == "text.toml" else "small-text"
    assert missing in ragcli("train", "--output", "x").err


def weights(name: str) -> dict[str, torch.Tensor]:
    return load_file(home() / name / "model.safetensors")


# Kills itself in its second checkpoint, when the state of the training has its place and the model has not.
SELF_KILLING = """
import os, signal, sys
left = 10
def audit(event, arguments):
    global left
    if event == "os.rename" and os.environ["RAGCLI_HOME"] in str(arguments[0]):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(audit)
from ragcli.cli import main
sys.exit(main())
"""


def start(*arguments: str, itself: bool) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-c", SELF_KILLING, "train"] if itself else command("train")
    return subprocess.Popen([*words, *arguments], env=environment({}), stderr=subprocess.PIPE, stdout=subprocess.PIPE)


def wait_for_line(process: "subprocess.Popen[bytes]", beginning: bytes) -> None:
    assert process.stderr
    seen = b""
    for line in process.stderr:
        seen += line
        if line.startswith(beginning):
            return
    raise AssertionError(seen)


LONG = ("--max-steps", "120", "--dropout", "0.1", "--save-minutes", "0.005")


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGINT, None])
def test_a_training_that_was_stopped_goes_on_to_the_same_loss(
    ragcli: Run, tiny: Path, texts: Path, way: signal.Signals | None
) -> None:
    process = start(str(texts), "--output", "stopped", *options(tiny, *LONG), itself=way is None)
    if way:
        wait_for_line(process, b"step ")
        process.send_signal(way)
    out, err = process.communicate(timeout=60)
    assert process.returncode == (130 if way == signal.SIGINT else -signal.SIGKILL) and out == b""
    assert (b"go on with --resume" in err) == (way == signal.SIGINT)
    assert ragcli("generate", "The", "--model", "stopped", "--max-new-tokens", "2").code == 0

    resumed = ragcli("train", texts, "--output", "stopped", "--resume", *options(tiny, *LONG), "--format", "json")
    ragcli("train", texts, "--output", "whole", *options(tiny, *LONG))
    after = trained("whole")["held_out_bits_per_byte"]
    assert resumed.code == 0 and trained("stopped")["step"] == 120
    assert trained("stopped")["held_out_bits_per_byte"]["after"] == pytest.approx(after["after"], rel=0.001)
    assert after["after"] < 0.9 * after["before"]
    for name, tensor in weights("whole").items():
        assert torch.allclose(weights("stopped")[name], tensor, atol=1e-3), name
    assert_two_lines(
        ragcli("train", texts, "--output", "stopped", "--resume", *options(tiny, *LONG)), 2, "no training to resume"
    )


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(ragcli: Run, tiny: Path, texts: Path) -> None:
    result = ragcli("train", texts, "--output", "begun", *options(tiny, "--learning-rate", "1e30"))
    assert result.code == 1 and "the loss is no number in step" in result.err and "--learning-rate" in result.err
    assert all(torch.isfinite(tensor).all() for tensor in weights("begun").values())
    assert (home() / "begun" / "training.safetensors").is_file()
    assert ragcli("generate", "The", "--model", "begun", "--max-new-tokens", "2").code == 0


@pytest.fixture
def begun(tiny: Path, texts: Path) -> Path:
    """Leave a training of six steps after its third, by Ctrl-C."""

    def press(report: Report) -> None:
        if report.step == 3:
            signal.raise_signal(signal.SIGINT)

    plan = Plan((texts,), context=32, batch=2, rate=0.01, steps=6, compile=False)
    passages = Passages(Place(LOCAL, "x", texts.parent))
    folder = find_model(str(tiny), allow_fallback=False)
    done = run(plan, folder, passages, home() / "begun", listener=Listener(press))
    assert (done.interrupted, done.steps) == (True, 3)
    return home() / "begun"


def test_other_data_or_settings_are_not_resumed(
    ragcli: Run, tiny: Path, texts: Path, begun: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in begun.iterdir()}
    more = ("--seed", "5", "--max-steps", "7")
    result = ragcli("train", texts, "--output", "begun", "--resume", *options(tiny, *more))
    assert_two_lines(result, 2, "--seed 0 → 5", "--max-steps 6 → 7", "rows ")
    assert "texts.jsonl" not in result.err
    other = write_model_copy(tiny, tmp_path / "other")
    assert_two_lines(ragcli("train", texts, "--output", "begun", "--resume", *options(other)), 2, "model.safetensors ")
    write_lines(texts, *({"id": f"t{n}", "text": sentences(n + 1)} for n in range(40)))
    changed = ragcli("train", texts, "--output", "begun", "--resume", *options(tiny))
    assert_two_lines(changed, 2, "texts.jsonl ", "rows ")
    assert {path: path.stat().st_mtime_ns for path in begun.iterdir()} == before


def write_model_copy(model: Path, folder: Path) -> Path:
    """Write a model that differs in one weight."""
    opened = open_model(find_model(str(model), allow_fallback=False), 0.0)
    with torch.no_grad():
        opened.model.transformer.wpe.weight[0, 0] += 1
    write_model(opened, folder)
    return folder


def small_files() -> None:
    """Let no file of this process grow beyond 30 kB: the model has 60, a checkpoint three times as much."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))


def test_a_full_disk_is_an_error_and_the_last_checkpoint_stays_good(
    ragcli: Run, tiny: Path, texts: Path, begun: Path
) -> None:
    before = {path.name: path.read_bytes() for path in begun.iterdir()}
    result = run_process("train", texts, "--output", "begun", "--resume", *options(tiny), preexec_fn=small_files)
    assert result.code == 1 and "cannot write the checkpoint" in result.err and "add --resume" in result.err
    assert {path.name: path.read_bytes() for path in begun.iterdir()} == before
    assert ragcli("train", texts, "--output", "begun", "--resume", *options(tiny)).code == 0
    assert trained("begun")["step"] == 6


def test_minutes_end_a_training(ragcli: Run, tiny: Path, texts: Path) -> None:
    started = time.monotonic()
    assert ragcli("train", texts, "--output", "short", *options(tiny, "--max-minutes", "0.02")).code == 0
    assert trained("short")["step"] > 1 and trained("short")["seconds"] == pytest.approx(1.2, abs=1)
    assert time.monotonic() - started < 30


# Bad input


def no_gpt2(folder: Path, tiny: Path) -> Path:
    write_model(open_model(find_model(str(tiny), allow_fallback=False), 0.0), folder)
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "llama"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


Mistake = Callable[[Path, Path], list[str]]
MISTAKES: dict[str, tuple[Mistake, int, str]] = {
    "no such file": (lambda tmp, tiny: ["nowhere.jsonl"], 1, "no such file"),
    "standard input": (lambda tmp, tiny: ["-"], 2, "standard input"),
    "empty file": (lambda tmp, tiny: [write(tmp, "")], 1, "hold no text"),
    "blank file": (lambda tmp, tiny: [write(tmp, " \n\n")], 1, "hold no text"),
    "one document": (lambda tmp, tiny: [write(tmp, "One line.")], 2, "none is left for validation"),
    "all nearly held out": (lambda tmp, tiny: [write(tmp, f"a b c d e f{END}a b c d e F ")], 2, "no document is left"),
    "not UTF-8": (lambda tmp, tiny: [write(tmp, b"\xff\xfe\xff")], 1, "cannot read"),
    "no GPT-2": (lambda tmp, tiny: [write(tmp), "--model", str(no_gpt2(tmp / "l", tiny))], 1, "model_type gpt2"),
    "no model": (lambda tmp, tiny: [write(tmp), "--model", "no/such/one/here"], 1, "no folder"),
    "long context": (lambda tmp, tiny: [write(tmp), "--context", "1000"], 2, "longer than the model's"),
    "short context": (lambda tmp, tiny: [write(tmp), "--context", "1"], 2, "no prediction"),
    "heads": (lambda tmp, tiny: [write(tmp), "--from-scratch", "--width", "10"], 2, "no multiple"),
    "nothing to join": (lambda tmp, tiny: [write(tmp, f"1{END}2"), "--extend-vocabulary", "5"], 1, "split into pieces"),
    "default's name": (lambda tmp, tiny: [write(tmp), "--output", "gpt2"], 2, "default model's name"),
    "no name": (lambda tmp, tiny: [write(tmp), "--output", "a b"], 2, "not a model's name"),
}


def write(folder: Path, content: str | bytes = f"One fox.{END}Two owls.{END}Three cats.") -> str:
    path = folder / "a.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_and_leave_nothing(ragcli: Run, tiny: Path, tmp_path: Path, name: str) -> None:
    words, code, told = MISTAKES[name]
    given = words(tmp_path, tiny)
    output = [] if "--output" in given else ["--output", "x"]
    model = [] if {"--model", "--from-scratch"} & set(given) else ["--model", str(tiny)]
    assert_two_lines(ragcli("train", *given, *output, *model, "--no-compile"), code, told)
    assert not home().exists()


def test_an_output_that_is_there_is_not_overwritten(ragcli: Run, tiny: Path, tmp_path: Path) -> None:
    assert_two_lines(
        ragcli("train", write(tmp_path), "--output", f"{tmp_path}/", *options(tiny)), 2, "exists", "--resume"
    )
    assert_two_lines(ragcli("train", write(tmp_path), *options(tiny)), 2, "no name", "--output")
    result = ragcli("train", write(tmp_path), "--output", "x", "--resume", *options(tiny))
    assert_two_lines(result, 2, "no training to resume")


def test_texts_shorter_than_the_context_and_no_validation(ragcli: Run, tiny: Path, tmp_path: Path) -> None:
    given = [write(tmp_path, "One fox."), "--val-split", "0", "--model", str(tiny), "--no-compile", "--max-steps", "2"]
    [done] = ragcli("train", *given, "--output", str(tmp_path / "out"), "--format", "json").objects()
    assert (done["before"], done["after"], done["steps"]) == (None, None, 2)
    assert find_model(str(tmp_path / "out"), allow_fallback=False)


def test_weights_that_are_no_numbers_are_refused(ragcli: Run, tiny: Path, tmp_path: Path) -> None:
    broken = open_model(find_model(str(tiny), allow_fallback=False), 0.0)
    with torch.no_grad():
        broken.model.transformer.wpe.weight.fill_(math.nan)
    write_model(broken, tmp_path / "broken")
    result = ragcli("train", write(tmp_path), "--output", "x", *options(tmp_path / "broken"))
    assert result.code == 1 and "its weights are damaged" in result.err


def test_a_context_without_room_for_any_question_is_refused(tiny: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "documents.jsonl", *({"id": f"d{n}", "text": sentences(n)} for n in range(2)))
    asked = [{"id": str(n), "question": f"Who {n}?", "answers": ["nobody"], "doc_id": f"d{n}"} for n in range(2)]
    path = write_lines(tmp_path / "qa.jsonl", *asked)
    passages = Passages(Place(LOCAL, "x", tmp_path))
    folder = find_model(str(tiny), allow_fallback=False)
    with pytest.raises(RagcliError, match="no question has its answer"):
        prepare(Plan((path,)), folder, passages, print)
    write_lines(path, *({**question, "answers": ["sleeps"]} for question in asked))
    assert len(prepare(Plan((path,)), folder, passages, print).training.rows.tokens) == 1
    with pytest.raises(RagcliError, match="no question has its answer"):
        prepare(Plan((path,), context=101), folder, passages, print)
