"""The reader: as transformers computes it, with weights that know nothing and with those of the package."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForTokenClassification

from ragcli.answer.answerer import AskOptions
from ragcli.answer.extractive import ExtractiveAnswerer
from ragcli.encoder.checkpoint import Checkpoint
from ragcli.encoder.names import BGE_ZH
from ragcli.encoder.names import PACKAGED as ENCODERS
from ragcli.errors import RagcliError
from ragcli.generate import Options
from ragcli.indexing import IndexOptions, index_files
from ragcli.models import ModelFolder
from ragcli.reader import PACKAGED, Reader, find_reader, open_reader
from ragcli.reader.inputs import LONGEST_QUESTION, LONGEST_TEXT, build_inputs
from ragcli.search import Searcher
from ragcli.store import LOCAL, IndexLocation, open_store
from ragcli.tokenizer import read_wordpiece
from tests.support import write_lines
from tests.tiny_encoders import write_reader

MODEL: Any = AutoModelForTokenClassification
QUESTION = "who sings?"
BLOCKS = [("birds", "the lark sings. it sings at dawn."), ("", "nobody knows."), ("fish", "a fish is silent " * 9)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reader(tmp_path_factory.mktemp("reader"))


def _open(folder: Path, precision: str = "float32") -> Reader:
    return Reader(ModelFolder("tiny", folder), precision, lambda _: None)  # type: ignore[arg-type]


def _expected(folder: Path, question: str, heading: str, text: str) -> tuple[float, str, float]:
    """Read a block by transformers: its score, the words, and how sure these are; spans by trying all."""
    tokenizer = read_wordpiece(ModelFolder("tiny", folder))
    asked, above, inside = (tokenizer.encode(part, add_special_tokens=False) for part in (question, heading, text))
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    front = [cls, *asked.ids, sep]
    ids = [*front, *above.ids, *([sep] if above.ids else []), *inside.ids, sep]
    types = [0] * len(front) + [1] * (len(ids) - len(front))
    model = MODEL.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])).logits[0]
    rows = logits[len(ids) - 1 - len(inside.ids) : -1]
    begins, ends = rows[:, 0].log_softmax(0), rows[:, 1].log_softmax(0)
    pairs = [(a, b) for a in range(len(rows)) for b in range(a, min(len(rows), a + 60))]
    first, last = max(pairs, key=lambda pair: float(begins[pair[0]] + ends[pair[1]]))
    score = logits[0, 2] + rows[:, 0].logsumexp(0) + rows[:, 1].logsumexp(0)
    span = text[inside.offsets[first][0] : inside.offsets[last][1]]
    return float(score), span, float((begins[first] + ends[last]).exp())


def test_it_reads_as_transformers_computes(folder: Path) -> None:
    readings = _open(folder).read(QUESTION, BLOCKS)
    for (heading, text), reading in zip(BLOCKS, readings, strict=True):
        score, span, sure = _expected(folder, QUESTION, heading, text)
        assert reading.score == pytest.approx(score, abs=1e-3)
        assert text[reading.start : reading.end] == span
        assert reading.probability == pytest.approx(sure, abs=1e-3)


def test_blocks_are_read_each_for_itself_and_in_their_order(folder: Path) -> None:
    reader = _open(folder)
    together = reader.read(QUESTION, BLOCKS * 3)
    alone = [reader.read(QUESTION, [block])[0] for block in BLOCKS]
    for reading, other in zip(together, alone * 3, strict=True):
        assert reading == pytest.approx(other, abs=1e-3)


def test_nothing_to_read(folder: Path) -> None:
    reader = _open(folder)
    assert reader.read(QUESTION, []) == []
    [empty] = reader.read(QUESTION, [("birds", " ")])
    assert (empty.score, empty.start, empty.end, empty.probability) == (-np.inf, 0, 0, 0.0)
    assert np.isfinite(reader.read("", [("", "a")])[0].score)


def test_what_is_too_long_is_cut(folder: Path) -> None:
    tokenizer = read_wordpiece(ModelFolder("tiny", folder))
    [entry] = build_inputs(tokenizer, "why? " * 90, [("heading " * 90, "word " * 900)])
    assert entry.ids.count(tokenizer.token_to_id("[SEP]") or 0) == 3
    assert entry.types.index(1) == LONGEST_QUESTION + 2
    assert len(entry.offsets) == LONGEST_TEXT


def test_8_bits_are_near(folder: Path) -> None:
    exact, rounded = (_open(folder, precision).read(QUESTION, BLOCKS) for precision in ("float32", "int8"))
    assert [r.score for r in rounded] == pytest.approx([r.score for r in exact], abs=0.3)


def test_a_checkpoint_of_8_bits_is_the_one_it_was_made_of(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    for file in ("config.json", "tokenizer.json"):
        (small / file).write_bytes((folder / file).read_bytes())
    tensors = load_file(folder / "model.safetensors")
    for name in [name for name, tensor in tensors.items() if tensor.ndim == 2 and "classifier" not in name]:
        scale = tensors[name].abs().amax(1) / 127
        tensors[f"{name}_scale"] = scale
        tensors[name] = (tensors[name] / scale[:, None]).round().to(torch.int8)
    save_file(tensors, small / "model.safetensors", {"format": "pt"})
    exact, rounded = (_open(path).read(QUESTION, BLOCKS) for path in (folder, small))
    assert [r.score for r in rounded] == pytest.approx([r.score for r in exact], abs=0.3)


def test_a_checkpoint_of_8_bits_without_scales_is_refused(folder: Path, tmp_path: Path) -> None:
    for file in ("config.json", "tokenizer.json"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    tensors = load_file(folder / "model.safetensors")
    name = "bert.embeddings.word_embeddings.weight"
    tensors[name] = tensors[name].to(torch.int8)
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(RagcliError, match="_scale"):
        _open(tmp_path)


def test_words_may_be_those_of_the_packaged_encoder() -> None:
    names = load_file(PACKAGED["en"] / "model.safetensors")
    assert not any("word_embeddings" in name for name in names)
    config = json.loads((PACKAGED["en"] / "config.json").read_bytes())
    assert config["word_embeddings"] == "minilm"


def test_a_reader_may_be_a_difference_from_the_packaged_encoder() -> None:
    """Each matrix is the encoder's, to which the product of two thin ones is added."""
    own, base = (load_file(path / "model.safetensors") for path in (PACKAGED["zh"], ENCODERS[BGE_ZH]))
    name = "encoder.layer.2.output.dense.weight"

    def exact(tensors: dict[str, torch.Tensor], key: str) -> torch.Tensor:
        return tensors[key].float() * tensors[f"{key}_scale"][:, None]

    up, down = (exact(own, f"bert.{name}_{part}") for part in ("up", "down"))
    config = json.loads((PACKAGED["zh"] / "config.json").read_bytes())
    head = {"classifier.weight": (3, 512), "classifier.bias": (3,)}
    read = Checkpoint(ModelFolder("zh", PACKAGED["zh"]), config, head)[name]
    np.testing.assert_allclose(read, exact(base, name) + up @ down, atol=1e-5)
    assert np.abs((up @ down).numpy()).max() > 1e-3


def test_another_model_is_no_reader(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["BertModel"]}))
    with pytest.raises(RagcliError, match="is not a reader"):
        _open(tmp_path)
    short = {**config, "max_position_embeddings": 128}
    (tmp_path / "config.json").write_text(json.dumps(short))
    for file in ("model.safetensors", "tokenizer.json"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    with pytest.raises(RagcliError):
        _open(tmp_path)


@pytest.mark.parametrize(("language", "most"), [("en", 13e6), ("zh", 2e6)])
def test_a_packaged_reader_is_small(language: str, most: float) -> None:
    assert sum(file.stat().st_size for file in PACKAGED[language].iterdir()) < most


def test_the_language_chooses_the_packaged_reader(folder: Path) -> None:
    assert find_reader(None, "zh").path == PACKAGED["zh"] != find_reader(None, "en").path
    with pytest.raises(RagcliError, match="no packaged reader for the language de"):
        find_reader(None, "de")
    assert find_reader(str(folder), "de").path == folder


@pytest.mark.parametrize(
    ("language", "question", "right", "wrong", "words"),
    [
        (
            "en",
            "When was the bridge opened?",
            "The bridge, which is 800 metres long, was opened to traffic in 1932 after eight years of work.",
            "The bridge is crossed by 200,000 vehicles a day, and it is painted anew every five years.",
            "1932",
        ),
        (
            "en",
            "can i bring my dog",
            "Pets are welcome in all rooms at no extra cost.",
            "The pool is open from May to September, and towels are to be had at the reception.",
            "",
        ),
        (
            "en",
            "What is the default of max_upload?",
            "The largest size of an upload. Default: `10M`.",
            "How many uploads may run at the same time; there is no limit if it is empty.",
            "",
        ),
        (
            "zh",
            "大桥是哪一年通车的？",
            "这座桥全长800米，历时八年建成，于1932年通车。",
            "每天有二十万辆汽车经过这座桥，每五年重新粉刷一次。",
            "",
        ),
        (
            "zh",
            "max_upload 默认多大",
            "单个上传文件的大小上限，默认值是 10M。",
            "同时上传的文件数，留空表示没有限制。",
            "",
        ),
        (
            "zh",
            "誰發明了電話",
            "1876年，貝爾取得了電話的專利，被視為電話的發明者。",
            "電話號碼由區號和用戶號碼組成，各地的長度不同。",
            "",
        ),
    ],
)
def test_the_packaged_reader_knows_what_answers(
    language: str, question: str, right: str, wrong: str, words: str
) -> None:
    best, other = open_reader(language=language).read(question, [("", right), ("", wrong)])
    assert best.score > other.score
    assert words in right[best.start : best.end]


def test_an_answer_is_read_by_the_reader_for_its_language(folder: Path, tmp_path: Path) -> None:
    def reader_of(language: str, name: str | None = None) -> object:
        place = IndexLocation(LOCAL, language, tmp_path)
        index_files([write_lines(tmp_path / "a.jsonl", {"text": "a"})], place, IndexOptions(language=language))
        with open_store(place) as store:
            return ExtractiveAnswerer(Searcher(store), AskOptions(Options(), reader=name)).reader

    chinese, named = reader_of("zh"), reader_of("de", str(folder))
    assert isinstance(chinese, Reader) and chinese.name == "the packaged reader for zh"
    assert isinstance(named, Reader) and named.name == str(folder)
    assert reader_of("de") is None
