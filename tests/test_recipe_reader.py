"""The recipe of the reader, on data of a few lines."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ragcli.models import ModelFolder
from ragcli.reader import Reader
from recipes.quantize import quantize
from recipes.reader import chinese, documentation, evaluate, sets, written
from recipes.reader.train import read_examples
from tests.support import write_lines
from tests.tiny_encoders import write_reader

FILLER = "Nobody has seen how it spends the rest of the year, and there are few who would like to know."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sets") / "animals"
    names = [f"animal{n}" for n in range(40)]
    texts = [f"The {name} sleeps {n} hours a day, and wakes if hungry.\n\n{FILLER}" for n, name in enumerate(names)]
    documents = [{"id": name, "title": name, "text": text} for name, text in zip(names, texts, strict=True)]
    questions = [
        {"id": f"q{n}", "question": f"How long does the {name} sleep?", "answers": [f"{n} hours"], "doc_id": name}
        for n, name in enumerate(names)
    ]
    write_lines(place / "documents.jsonl", *documents)
    write_lines(place / "qa.jsonl", *questions)
    return place


def test_sets_become_examples(folder: Path, tmp_path: Path) -> None:
    examples = list(sets.make(folder, "animals", tmp_path))
    assert len(examples) == 40 and 0 < sum(example["held"] for example in examples) < 20
    for example in examples:
        [[start, end]] = example["spans"]
        assert example["blocks"][0][2][start:end] == f"{example['doc_id'].removeprefix('animal')} hours"
        assert 3 <= len(example["blocks"]) <= sets.MOST
    write_lines(tmp_path / "examples" / "animals.jsonl", *examples)
    found = read_examples(tmp_path / "examples", 0)
    assert len(found.training) + len(found.validation) == 40
    assert all(e.span and e.blocks[0][1][slice(*e.span)].endswith("hours") for e in found.training)


def test_chinese_sets_become_examples(tmp_path: Path) -> None:
    names = "甲乙丙丁戊己庚辛壬癸"
    folder = tmp_path / "drcd-dev"
    filler = "没有人见过它一年里其余的时间是怎么过的，也很少有人想知道，所以书上从来没有写过这些事情。"
    texts = [
        f"{name}鸟每天睡{n}个小时，饿了才会醒来，醒来以后就到河边去找鱼吃。\n\n{filler}" for n, name in enumerate(names)
    ]
    write_lines(
        folder / "documents.jsonl", *({"id": n, "title": n, "text": t} for n, t in zip(names, texts, strict=True))
    )
    write_lines(
        folder / "qa.jsonl",
        *(
            {"id": n, "question": f"{n}鸟每天睡多久？", "answers": [f"{k}个小时"], "doc_id": n}
            for k, n in enumerate(names)
        ),
    )
    examples = list(sets.make(folder, "drcd-dev", tmp_path))
    assert len(examples) == len(names)
    for example in examples:
        [[start, end]] = example["spans"]
        assert example["blocks"][0][2][start:end] == f"{names.index(example['doc_id'])}个小时"
        assert len(example["blocks"]) > 3


def test_the_vocabulary_keeps_what_texts_can_have() -> None:
    pieces = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "猫", "##猫", "，", "a", "##b", "the", "##ing"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    kept = chinese.choose_pieces(vocabulary, Counter({"##ing": 2, "the": 1}), most=10)
    assert kept == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "猫", "，", "a", "##b", "##ing"]


def test_rules_make_questions_of_documentation() -> None:
    option = documentation.Piece("uv", "Options › --offline", "Disable network access.\n\nDefault: `false`.")
    made = {one.rule: one for seed in range(30) for one in documentation.questions_of(option, random.Random(seed))}
    assert set(made) == {"default", "what", "verb"}
    assert option.text[slice(*made["default"].span)] == "Default: `false`"
    assert "--offline" in made["what"].question and "--offline" in made["default"].question
    assert "disable network access" in made["verb"].question


def test_markup_is_taken_out() -> None:
    assert documentation.plain("---\ntitle: A\n---\n<!-- x -->[uv](https://x.y) is <b>fast</b>", ".md") == "uv is fast"
    assert documentation.plain("See :ref:`the docs <index>` and ``x``.", ".rst") == "See `the docs` and `x`."


def test_an_evaluation(folder: Path, tmp_path: Path) -> None:
    reader = Reader(ModelFolder("tiny", write_reader(tmp_path / "reader")), "float32", lambda _: None)
    found = evaluate.measure(reader, folder, "animals", 8, tmp_path)
    assert found and all(any(one.right) for one in found if one.answerable)
    assert not any(any(one.right) for one in found if not one.answerable)
    assert evaluate.area([2.0, 1.0], [1.0, 0.0]) == (4 - 0.5) / 4


def test_a_reader_of_8_bits_reads_alike(tmp_path: Path) -> None:
    folder = write_reader(tmp_path / "reader")
    small = tmp_path / "small"
    small.mkdir()
    for file in ("config.json", "tokenizer.json"):
        (small / file).write_bytes((folder / file).read_bytes())
    tensors = quantize(load_file(folder / "model.safetensors"))
    assert tensors["bert.encoder.layer.0.attention.self.query.weight"].dtype == torch.int8
    save_file(tensors, small / "model.safetensors")
    one, other = (Reader(ModelFolder("r", path), "float32", lambda _: None) for path in (folder, small))
    blocks = [("birds", "the lark sings"), ("", "nobody knows")]
    scores = [[reading.score for reading in reader.read("who?", blocks)] for reader in (one, other)]
    assert scores[1] == pytest.approx(scores[0], abs=0.3)
    assert json.loads((small / "config.json").read_bytes())["architectures"] == ["BertForTokenClassification"]


def test_questions_written_for_blocks_become_examples(tmp_path: Path) -> None:
    page = tmp_path / "psf+black" / "docs" / "faq.md"
    page.parent.mkdir(parents=True)
    texts = [
        "At most 88 characters stand in one of the lines; `--length` sets another number.",
        "Colours of lines come from the theme that your terminal has, never from a file.",
        "Margins are measured in lines of the same font and do not shrink when printed.",
    ]
    page.write_text(
        "# FAQ\n\n" + "\n\n".join(f"## Entry {n}\n\n{text}" for n, text in enumerate(texts)), encoding="utf-8"
    )
    asked = {"repo": "psf+black", "page": "docs/faq.md#entry-0"}
    right = {**asked, "question": "how long may lines be", "words": "At most 88", "block": "At most"}
    none = {**asked, "question": "Are lines printed in bold?"}
    gone = {**right, "block": "Another text"}
    [answered, unanswered] = written.examples(tmp_path, "psf+black", [right, none, gone], tmp_path / "home")
    [[start, end]] = answered["spans"]
    assert answered["blocks"][0][2][start:end] == "At most 88" and not answered["held"]
    assert len(answered["blocks"]) == 3 and all("--length" not in text for _, _, text in answered["blocks"][1:])
    assert unanswered["spans"] == [] and unanswered["blocks"]
