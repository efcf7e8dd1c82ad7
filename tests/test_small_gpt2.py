"""The small GPT-2 of the package: how its questions are made of texts, and how two models become one."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from ragcli.generate import open_language_model
from ragcli.models import PACKAGED, ModelFolder, find_model
from ragcli.train.model import ModelBundle, open_model, write_model
from recipes.small_gpt2 import average, quantize, questions
from recipes.small_gpt2.questions import ask_for
from tests.support import write_lines

SENTENCE = "The castle above the river was taken by William Harvey and the second army in 1643 after a long siege."


def test_a_sentence_asks_for_a_piece_of_it() -> None:
    asked = {answer: question for seed in range(50) if (found := ask_for(SENTENCE, random.Random(seed)))
             for question, answer in [found]}  # fmt: skip
    assert {"William Harvey", "in 1643"} <= asked.keys()
    assert asked["in 1643"].lower().count("when") + asked["in 1643"].lower().count("what year") == 1


@given(st.text(), st.integers())
def test_the_answer_stands_in_the_sentence_and_not_in_the_question(noise: str, seed: int) -> None:
    sentence = f"{noise} {SENTENCE}"
    if asked := ask_for(sentence, random.Random(seed)):
        question, answer = asked
        assert answer in sentence and answer.lower() not in question.lower() and question.endswith("?")


def test_documents_and_a_glossary_become_questions_that_train_reads(tmp_path: Path) -> None:
    for name in questions.SOURCES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        book = {"book": "astronomy"} if "openstax" in name else {}
        write_lines(tmp_path / name, *({"id": f"{name}{n}", "text": SENTENCE, **book} for n in range(8)))
    quoting = {"id": "no", "text": SENTENCE, "book": "us-history"}
    with (tmp_path / "openstax/documents.jsonl.gz").open("ab") as file:
        file.write(json.dumps(quoting).encode() + b"\n")
    entries = [
        ("Comet", "a small icy body that\nreleases gas", "astronomy"),
        ("Whig", "a member of a party", "us-history"),
    ]
    fields = ("term", "definition", "book")
    write_lines(tmp_path / questions.GLOSSARY, *(dict(zip(fields, entry, strict=True)) for entry in entries))
    for output in ("one", "again"):
        questions.main(tmp_path, tmp_path / output)
    made = [json.loads(line) for line in (tmp_path / "one/qa.jsonl").read_text().splitlines()]
    texts = {d["id"]: d["text"] for d in map(json.loads, (tmp_path / "one/documents.jsonl").read_text().splitlines())}
    assert "no" not in texts and texts["glossary comet"] == "A small icy body that releases gas."
    assert all(one["answers"][0] in texts[one["doc_id"]] for one in made)
    assert sum(one["id"].startswith("cloze openstax") for one in made) == 8
    assert [one["question"] for one in made if one["id"].startswith("define")] == ["Define Comet."]
    assert (tmp_path / "one/qa.jsonl").read_bytes() == (tmp_path / "again/qa.jsonl").read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_mean_of_two_models_is_a_model_at_16_bits(
    bundle: ModelBundle, tiny: Path, tmp_path: Path, share: float
) -> None:
    own = {name: tensor.clone() for name, tensor in bundle.model.state_dict().items()}
    with torch.no_grad():
        for tensor in bundle.model.parameters():
            tensor += 0.5
    write_model(bundle, tmp_path)
    average.main(str(tiny), str(tmp_path), share, tmp_path / "mean")
    mean = open_model(find_model(str(tmp_path / "mean"), allow_fallback=False), 0.0).model
    assert json.loads((tmp_path / "mean/config.json").read_bytes())["dtype"] == "float16"
    for name, tensor in mean.named_parameters():
        assert torch.allclose(tensor, own[name] + share * 0.5, atol=2e-3), name


def test_in_bytes_it_is_nearly_the_same_model(tiny: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    quantize.main(tiny, small)
    assert sum(tensor.dtype == torch.int8 for tensor in load_file(small / "model.safetensors").values()) == 9
    folders = [ModelFolder("tiny", folder) for folder in (tiny, small)]
    ids = list(range(1, 100))
    exact, ours = (open_language_model(folder, "float32").log_probabilities(ids, 1) for folder in folders)
    assert np.abs(exact - ours).max() < 0.04
    wanted, trained = (open_model(folder, 0.0).model.state_dict() for folder in folders)
    for name, tensor in wanted.items():
        assert torch.allclose(trained[name], tensor, atol=float(tensor.abs().max()) / 125), name


def test_its_weights_take_at_most_13_mb() -> None:
    assert sum(file.stat().st_size for file in PACKAGED.glob("*.safetensors")) <= 13_000_000
