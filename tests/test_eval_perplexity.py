"""`ragcli eval perplexity`: bits per byte and perplexity by a sliding window, as transformers would compute them."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, AutoTokenizer

from ragcli.errors import ExitCode
from ragcli.evaluate.perplexity import Loss, loss, measures, windows
from ragcli.generate import open_language_model
from ragcli.models import PACKAGED, ModelFolder
from tests.support import Run, assert_two_lines, write_lines

TEXT = (Path(__file__).parents[1] / "sample_data" / "README.md").read_text(encoding="utf-8")


def direct(folder: Path, text: str, size: int, stride: int) -> Loss:
    """Compute the loss as the documentation of transformers does it: labels of -100 for what was scored before."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    ids = AutoTokenizer.from_pretrained(folder, local_files_only=True)(text, return_tensors="pt").input_ids
    nats, tokens, before = 0.0, 0, 0
    for begin in range(0, ids.shape[1], stride):
        end = min(begin + size, ids.shape[1])
        inputs = ids[:, begin:end]
        labels = inputs.clone()
        labels[:, : -(end - before)] = -100
        scored = int((labels[:, 1:] != -100).sum())
        with torch.no_grad():
            nats += float(model(inputs, labels=labels).loss) * scored if scored else 0.0
        tokens += scored
        before = end
        if end == ids.shape[1]:
            break
    return Loss(nats, tokens, len(text.encode()))


@pytest.mark.parametrize(("size", "stride"), [(512, 256), (64, 32), (100, 99), (32, 1)])
def test_the_figures_are_those_of_transformers(packaged_gpt2: Path, size: int, stride: int) -> None:
    text = TEXT if stride > 1 else TEXT[:300]
    engine = open_language_model(ModelFolder("small_gpt2", PACKAGED), "float32")
    found, expected = measures(loss(engine, text, size, stride)), measures(direct(packaged_gpt2, text, size, stride))
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-4), name


@given(st.integers(0, 200), st.integers(2, 50), st.data())
def test_each_token_but_the_first_is_predicted_once(n: int, size: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, size - 1))
    predicted: list[int] = []
    for begin, first, end in windows(n, size, stride):
        assert begin < first < end <= begin + size
        predicted += range(first, end)
    assert predicted == list(range(1, n))


class Coin:
    """Give every token a probability of 1/4; a character is a token."""

    name, context, end_ids = "coin", 16, frozenset[int]()

    def encode(self, text: str) -> list[int]:
        return [ord(c) for c in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def prefill(self, prompt_ids: Sequence[int], rows: int) -> NDArray[np.float32]:
        raise NotImplementedError

    def step(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        raise NotImplementedError

    def log_probabilities(self, ids: Sequence[int], start: int) -> NDArray[np.float32]:
        assert 1 <= start < len(ids) <= self.context
        return np.full(len(ids) - start, math.log(1 / 4), np.float32)


def test_the_formulas() -> None:
    found = loss(Coin(), "é" * 101, 16, 8)
    assert (found.tokens, found.bytes) == (100, 202)
    assert found.nats == pytest.approx(100 * math.log(4))
    assert measures(found)["bits_per_byte"] == pytest.approx(100 * 2 / 202)  # two bits a token
    assert measures(found)["perplexity"] == pytest.approx(4)
    assert measures(Loss(0.0, 0, 1)) == {"bits_per_byte": None, "perplexity": None}


def test_documents_are_measured_each_for_itself(ragcli: Run, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "texts.jsonl", {"id": "a", "text": TEXT[:500]}, {"id": "b", "text": "x"}, b"broken")
    write_lines(tmp_path / "twice.jsonl", *[{"id": "a", "text": TEXT[:50]}] * 2)
    assert len(ragcli("eval", "perplexity", tmp_path / "twice.jsonl").objects()[0]["per_query"]) == 2
    result = ragcli("eval", "perplexity", path)
    assert result.code == ExitCode.REJECTS
    [report] = result.objects()
    assert report["per_query"]["b"] == {"bits_per_byte": None, "perplexity": None}  # one token predicts nothing
    assert report["skipped"] == {"rejected_documents": 1}
    assert "texts.jsonl: 1 line was rejected" in result.err
    nats = report["per_query"]["a"]["bits_per_byte"] * len(TEXT[:500].encode())
    assert report["metrics"]["bits_per_byte"] == pytest.approx(nats / len(TEXT[:500].encode() + b"x"))


def test_bad_input(ragcli: Run, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("A few words, and some more.")
    (tmp_path / "empty.txt").write_text("")
    for name in ("a.jsonl", "b.jsonl"):
        write_lines(tmp_path / name, {"text": "A text."})
    (tmp_path / "latin.txt").write_bytes("déjà".encode("latin-1"))
    for arguments, code, word in [
        ((tmp_path / "absent.txt",), ExitCode.ERROR, "absent.txt"),
        ((tmp_path,), ExitCode.ERROR, str(tmp_path)),
        ((tmp_path / "latin.txt",), ExitCode.ERROR, "latin.txt"),
        ((text, "--window", "9999"), ExitCode.ERROR, "9999"),
        ((text, "--window", "8", "--stride", "8"), ExitCode.ERROR, "stride 8"),
        ((text, "--fail-over", "f1=1"), ExitCode.USAGE, "'f1'"),
        ((text, "--model", tmp_path), ExitCode.ERROR, "config.json"),
    ]:
        result = ragcli("eval", "perplexity", *arguments)
        assert_two_lines(result._replace(err="\n".join(result.err.splitlines()[-2:])), code, word)
    result = ragcli("eval", "perplexity", tmp_path / "empty.txt")
    assert (result.code, result.out) == (ExitCode.ERROR, "")
    assert "two tokens" in result.err


def test_a_gate_on_what_must_stay_low(ragcli: Run, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    assert ragcli("eval", "perplexity", text, "--fail-over", "perplexity=1e6").code == 0
    result = ragcli("eval", "perplexity", text, "--fail-over", "bits_per_byte=0.1")
    assert result.code == ExitCode.GATE_FAILED
    assert "over 0.1000 (--fail-over)" in result.err
