"""Kill `ask --batch --resume` and `train --resume` at random moments; compare their ends with undisturbed runs.

Run: python -m tests.benchmarks.kills_resumed [kills] [seed]

Each run is a fork of this process, so that the kills fall into the work and not into imports.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file

from ragcli.cli import main as ragcli
from ragcli.models import PACKAGED, trained_folder
from ragcli.train import run as _imported  # noqa: F401 (its imports take longer than a training)
from ragcli.train.checkpoint import STATE
from ragcli.train.config import Size
from ragcli.train.model import new_model, write_model
from ragcli.train.vocabulary import new_tokenizer
from tests.support import write_lines
from tests.tiny_gpt2 import CONTEXT, sentences

QUESTIONS = 160
STEPS = 60
FINISHED = 0.2  # share of the runs that nobody kills


def forked(arguments: Sequence[str]) -> int:
    """Start a command line in a fork, which says nothing; return its process id."""
    if process := os.fork():
        return process
    silent = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silent, number)
    os._exit(ragcli(list(arguments)))


def whole(arguments: Sequence[str]) -> float:
    """Run a command line to its end; return its seconds."""
    began = time.monotonic()
    _, status = os.waitpid(forked(arguments), 0)
    assert status == 0, (status, arguments)
    return time.monotonic() - began


def killed(arguments: Sequence[str], seconds: float) -> bool:
    """Kill a command line after some seconds; return whether it was still running."""
    process = forked(arguments)
    time.sleep(seconds)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status) or status == 0, status
    return os.WIFSIGNALED(status)


class Work(NamedTuple):
    """Describe what is killed: the next run's words, whether it has ended, a look at its output, and a new start."""

    words: Callable[[], list[str]]
    has_ended: Callable[[], bool]
    check: Callable[[], None]
    start: Callable[[], None]


def again_and_again(name: str, work: Work, kills: int, chance: random.Random) -> None:
    """Kill runs, let some finish, and look at the output each time."""
    work.start()
    usual, count, ended = whole(work.words()), 0, 0
    while count < kills or not ended:
        if work.has_ended():
            ended += 1
            work.start()
        if chance.random() < FINISHED:
            whole(work.words())
            assert work.has_ended()
        else:
            count += killed(work.words(), chance.uniform(0.02, 1.0) * usual)
        work.check()
    print(f"{name}: {count} kills; the work ended {ended} times, each time as undisturbed", flush=True)


def answers(path: Path) -> list[Any]:
    """Read the whole lines of a file of answers; not the model's words, which depend on the questions beside it."""
    content = path.read_bytes() if path.exists() else b""
    lines = map(json.loads, content[: content.rfind(b"\n") + 1].splitlines())
    return [(line["id"], line["question"], line["sources"]) for line in lines]


def kill_ask(folder: Path, kills: int, chance: random.Random) -> None:
    """Kill batches of questions: there are always the first of the right answers."""
    documents = write_lines(folder / "d.jsonl", *({"id": f"d{n}", "text": sentences(n)} for n in range(100)))
    whole(["index", str(documents), "--language", "en"])
    asked = [{"id": f"q{n}", "question": f"Where does the owl of house {n} sleep?"} for n in range(QUESTIONS)]
    words = ["ask", "--batch", str(write_lines(folder / "q.jsonl", *asked)), "--model", str(PACKAGED)]
    words += ["--style", "free", "--max-new-tokens", "2", "--output"]
    whole([*words, str(folder / "right.jsonl")])
    right, output = answers(folder / "right.jsonl"), folder / "a.jsonl"
    assert len(right) == QUESTIONS

    def check() -> None:
        found = answers(output)
        assert found == right[: len(found)]

    work = Work(
        words=lambda: [*words, str(output), "--resume"],
        has_ended=lambda: len(answers(output)) == QUESTIONS,
        check=check,
        start=lambda: output.unlink(missing_ok=True),
    )
    again_and_again("ask --batch --resume", work, kills, chance)


def kill_train(folder: Path, kills: int, chance: random.Random) -> None:
    """Kill trainings: what is there is a model, and in the end that of a training without kills."""
    tokenizer = new_tokenizer([sentences(n) for n in range(40)], 400)
    write_model(new_model(tokenizer, Size(2, 2, 16), CONTEXT, 0, 0.0), folder / "tiny")
    texts = write_lines(folder / "t.jsonl", *({"text": sentences(n)} for n in range(60)))
    words = ["train", str(texts), "--model", str(folder / "tiny"), "--no-compile", "--batch-size", "2"]
    words += ["--context", "32", "--max-steps", str(STEPS), "--dropout", "0.1", "--save-minutes", "0.002", "--output"]
    whole([*words, "right"])
    right, output = weights(trained_folder("right")), trained_folder("killed")

    def has_ended() -> bool:
        return (output / "training.json").exists() and not (output / STATE).exists()

    def check() -> None:
        if (output / "model.safetensors").exists():
            found = weights(output)
            assert found.keys() == right.keys()
            if has_ended():
                assert all(torch.allclose(found[name], tensor, atol=1e-3) for name, tensor in right.items())

    work = Work(
        words=lambda: [*words, "killed", *(["--resume"] if (output / STATE).exists() else [])],
        has_ended=has_ended,
        check=check,
        start=lambda: shutil.rmtree(output, ignore_errors=True),
    )
    again_and_again("train --resume", work, kills, chance)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a model."""
    return load_file(folder / "model.safetensors")


def main(kills: int, seed: int) -> None:
    """Kill both."""
    torch.set_num_threads(1)  # threads do not survive a fork
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {"RAGCLI_HOME": name, "RAGCLI_CACHE": f"{name}/cache", "HF_HUB_OFFLINE": "1"}
        os.environ |= {"RAGCLI_NO_ENCODER": "1", "OMP_NUM_THREADS": "1"}
        for kill in (kill_ask, kill_train):
            kill(Path(name), kills, random.Random(seed))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
