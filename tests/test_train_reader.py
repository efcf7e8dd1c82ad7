"""Training a reader: what it learns from, that it learns, and that it goes on as if it had never been interrupted."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from ragcli.errors import UsageError
from ragcli.evaluate.questions import Question
from ragcli.models import ModelFolder
from ragcli.reader import Reader
from ragcli.reader.inputs import build_inputs
from ragcli.store import LOCAL, IndexLocation
from ragcli.tokenizer import read_wordpiece
from ragcli.train.config import ReaderTrainConfig
from ragcli.train.questions import open_passages
from ragcli.train.reader import measure, train_reader
from ragcli.train.reader_examples import Examples, collect_examples, make_example, vary
from ragcli.train.reader_model import open_bundle, token_span
from tests.support import Run, assert_two_lines, write_lines
from tests.tiny_encoders import write_encoder, write_reader

pytestmark = pytest.mark.usefixtures("one_thread")

ANIMALS = ("lark", "owl", "fox", "hare", "mole", "newt", "pike", "crow", "wolf", "bear", "lynx", "toad")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write documents of two paragraphs, of which the first says what is asked."""
    folder = tmp_path_factory.mktemp("data")
    filler = "Nobody has seen how it spends the rest of the year, and there are few who would like to know."
    documents: list[dict[str, Any]] = [
        {
            "id": f"d{n}",
            "title": name,
            "text": f"The {name} sleeps {n} hours a day, and wakes when it is hungry.\n\n{filler}",
        }
        for n, name in enumerate(ANIMALS)
    ]
    questions: list[dict[str, Any]] = [
        {"id": f"q{n}", "question": f"How long does the {name} sleep?", "answers": [f"{n} hours"], "doc_id": f"d{n}"}
        for n, name in enumerate(ANIMALS)
    ]
    write_lines(folder / "corpus.jsonl", *documents)
    write_lines(folder / "qa.jsonl", *questions)
    return folder


@pytest.fixture(scope="module")
def examples(data: Path) -> Examples:
    return _collect(data, 0.3)


def _collect(data: Path, share: float) -> Examples:
    with open_passages([data / "qa.jsonl"], IndexLocation(LOCAL, "none", data), False) as searcher:
        return collect_examples([data / "qa.jsonl"], searcher, share, 0)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    return ModelFolder("tiny", write_reader(tmp_path_factory.mktemp("start")))


def test_the_first_block_is_the_one_with_the_answer(examples: Examples) -> None:
    assert len(examples.training) + len(examples.validation) == len(ANIMALS) and examples.left_out == 0
    assert examples.validation and not {e.doc_id for e in examples.validation} & {e.doc_id for e in examples.training}
    for example in (*examples.training, *examples.validation):
        assert example.span
        heading, text = example.blocks[0]
        number = example.doc_id.removeprefix("d")
        assert heading == ANIMALS[int(number)] and text[slice(*example.span)] == f"{number} hours"
        assert len(example.blocks) > 3
        assert not any(f"{number} hours" in other for _, other in example.blocks[1:])


def test_a_question_without_an_answer_has_blocks_that_are_all_wrong(data: Path) -> None:
    with open_passages([data / "qa.jsonl"], IndexLocation(LOCAL, "none", data), False) as searcher:
        example = make_example(Question("q", "How long does the lark sleep in trees?", (), "d0"), searcher)
        assert example and example.span is None and len(example.blocks) > 2
        assert make_example(Question("q", "How long?", ("never said",), "d0"), searcher) is None


def test_documents_are_no_questions(data: Path) -> None:
    with pytest.raises(UsageError, match="holds no questions"):
        collect_examples([data / "corpus.jsonl"], None, 0.1, 0)  # type: ignore[arg-type]


def test_questions_vary_but_keep_what_they_are_about() -> None:
    question = "How long does the lark sleep?"
    seen = {vary(question, random.Random(seed)) for seed in range(60)}
    assert question in seen and "how long does the lark sleep" in seen and "long lark sleep" in seen
    assert len(seen) > 4
    assert vary("?", random.Random(3)) in ("?", "")


def test_a_span_is_found_in_tokens(start: ModelFolder) -> None:
    tokenizer = read_wordpiece(start)
    [entry] = build_inputs(tokenizer, "how?", [("title", "it sleeps 9 hours a day")])
    span = token_span(entry, (10, 17))
    assert span
    first, last = (entry.offsets[place - entry.begin] for place in span)
    assert (first[0], last[1]) == (10, 17)
    assert token_span(entry, (400, 410)) is None


def test_a_training_learns(examples: Examples, start: ModelFolder, tmp_path: Path) -> None:
    reports: list[float] = []
    config = ReaderTrainConfig(batch=4, rate=3e-3, steps=60)
    done = train_reader(config, start, examples, tmp_path / "mine", tell=lambda report: reports.append(report.loss))
    assert done.steps == 60 and not done.interrupted and done.held_out == len(examples.validation)
    assert sum(reports[-10:]) < 0.8 * sum(reports[:10])
    told = json.loads((tmp_path / "mine" / "training.json").read_text())
    assert told["settings"]["--max-steps"] == 60 and told["steps"] == 60
    reader = Reader(ModelFolder("mine", tmp_path / "mine"), "float32", lambda _: None)
    assert len(reader.read("how long does the lark sleep", [("lark", "it sleeps 9 hours")])) == 1


def test_it_goes_on_as_if_it_had_not_been_interrupted(examples: Examples, start: ModelFolder, tmp_path: Path) -> None:
    config = ReaderTrainConfig(batch=2, rate=1e-3, steps=8, save_minutes=0.0)
    whole = train_reader(config, start, examples, tmp_path / "whole")

    def stop(report: object) -> None:
        if getattr(report, "step", 0) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_reader(config, start, examples, tmp_path / "parts", tell=stop)
    with pytest.raises(UsageError, match="other data or settings"):
        train_reader(config._replace(rate=1e-4), start, examples, tmp_path / "parts", resume=True)
    done = train_reader(config, start, examples, tmp_path / "parts", resume=True)
    assert (done.before, done.after) == (whole.before, whole.after)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(one[name].equal(other[name]) for name in one)
    with pytest.raises(UsageError, match="no training to resume"):
        train_reader(config, start, examples, tmp_path / "parts", resume=True)
    with pytest.raises(UsageError, match="exists"):
        train_reader(config, start, examples, tmp_path / "parts")


def test_an_encoder_is_a_start_as_well(examples: Examples, tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder", max_position_embeddings=300)
    bundle = open_bundle(ModelFolder("encoder", folder), 0)
    found = measure(bundle, examples.validation)
    assert found and 0 <= found.best <= found.best_two <= 1


def test_the_command(ragcli: Run, data: Path, start: ModelFolder) -> None:
    options = ["--reader", "--model", str(start.path), "--output", "mine", "--max-steps", "3", "--val-split", "0.3"]
    result = ragcli("train", data / "qa.jsonl", *options, "--format", "json")
    [done] = result.objects()
    assert result.code == 0 and done["steps"] == 3 and done["questions"] + done["held_out"] == len(ANIMALS)
    assert 0 <= done["before"]["best"] <= done["before"]["best_two"] <= 1
    again = ragcli("train", data / "qa.jsonl", *options)
    assert again.code == 2 and "exists" in again.err
    refused = ragcli("train", data / "qa.jsonl", *options, "--dropout", "0.1")
    assert refused.code == 2 and "--dropout" in refused.err and "do not go together" in refused.err
    assert_two_lines(refused, 2)
