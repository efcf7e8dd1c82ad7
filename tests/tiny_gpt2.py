"""Shared by the tests of training: a GPT-2 of two layers that knows nothing, and texts that are easy to learn."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ragcli.models import PACKAGED, ModelFolder, find_model
from ragcli.train.config import Size
from ragcli.train.model import ModelBundle, new_model, open_model, write_model
from ragcli.train.vocabulary import new_tokenizer
from tests.support import write_lines

ANIMALS = ("fox", "owl", "cat", "dog", "hen", "cow", "pig", "bee")
PLACES = ("by the river", "in the wood", "on the hill", "under a tree", "near the old barn")
CONTEXT = 256


def sentences(number: int) -> str:
    """Write a text that is like no other one and yet easy to learn."""
    animal, place = ANIMALS[number % len(ANIMALS)], PLACES[number % len(PLACES)]
    return " ".join(f"The {animal} of house {number} sleeps {place} in week {n}." for n in range(3))


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the other processors to others: more threads make so small a model no faster."""
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


@pytest.fixture(scope="session")
def packaged_gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the package's GPT-2 with weights of 32 bits, as transformers reads them."""
    folder = tmp_path_factory.mktemp("packaged_gpt2")
    write_model(open_model(ModelFolder("small_gpt2", PACKAGED), 0.0), folder)
    return folder


@pytest.fixture
def bundle(tiny: Path) -> ModelBundle:
    return open_model(find_model(str(tiny), allow_fallback=False), 0.0)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "texts.jsonl", *({"id": f"t{n}", "text": sentences(n)} for n in range(40)))
