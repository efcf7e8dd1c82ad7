"""The command: prepare, refuse what cannot be resumed, train, and tell what came of it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import torch

from ragcli.models import ModelFolder
from ragcli.train.checkpoint import alone, claim, read_saved
from ragcli.train.config import TrainConfig
from ragcli.train.loop import Report, batch, length, train
from ragcli.train.model import as_tensors, autocast, device, row_losses
from ragcli.train.packing import IGNORE_INDEX
from ragcli.train.prepare import Passages, TrainingData, check_same, facts, prepare, survey

HELD = "held_out.jsonl"


class Listener(NamedTuple):
    """Hold whom to tell of each step, and of what is noteworthy."""

    step: Callable[[Report], None] = lambda report: None
    note: Callable[[str], None] = lambda text: None


class Summary(NamedTuple):
    """Say what a training did: bits a byte of the held-out texts before and after it."""

    output: str
    steps: int
    tokens: int
    seconds: float
    before: float | None
    after: float | None
    unextended: dict[str, float | None] | None
    tokens_per_character: float | None
    interrupted: bool


class Survey(NamedTuple):
    """Say what a training would be: the data, rows, steps, and about how many seconds it would take."""

    data: dict[str, Any]
    steps: int | None
    seconds: float


def dry_run(
    plan: TrainConfig, folder: ModelFolder | None, passages: Passages, listener: Listener = Listener()
) -> Survey:
    """Say what a training would be, and write nothing."""
    work = prepare(plan, folder, passages, listener.note)
    steps = length(plan, len(work.training.rows.tokens))
    expected = [steps * plan.accumulate * _seconds(work, plan)] if steps else []
    expected += [60 * plan.minutes] if plan.minutes else []
    return Survey(survey(work), steps, round(min(expected), 1))


def _seconds(work: TrainingData, plan: TrainConfig) -> float:
    """Measure a batch; uncompiled, so that a compiled training takes less than is foretold."""
    model = work.bundle.model.to(device())
    tensors = as_tensors(*batch(work.training.rows, plan, 0), model.device)
    started = time.perf_counter()
    with autocast(model.device):
        loss = row_losses(model, *tensors).sum()
    torch.autograd.backward(loss)
    return time.perf_counter() - started


def run(
    plan: TrainConfig,
    folder: ModelFolder | None,
    passages: Passages,
    output: Path,
    resume: bool = False,
    command: str = "",
    listener: Listener = Listener(),
) -> Summary:
    """Train a model into the folder `output`, from the beginning or, with `resume`, from its last checkpoint.

    Raises UsageError for an output that is there, and for a training that began with other data or settings,
    RagcliError where another training writes it.
    """
    with alone(output):
        return _run(plan, folder, passages, output, resume, command, listener)


def _run(
    plan: TrainConfig,
    folder: ModelFolder | None,
    passages: Passages,
    output: Path,
    resume: bool,
    command: str,
    listener: Listener,
) -> Summary:
    saved = read_saved(output) if resume else None
    if not resume:
        claim(output)
    work = prepare(plan, folder, passages, listener.note)
    known = facts(work, plan, folder, command)
    if saved:
        check_same(saved.facts, known)
        known = saved.facts
        listener.note(f"going on after step {saved.progress.step}")
    else:
        _describe(work, listener.note)
    progress, interrupted = train(work, plan, output, known, saved.progress if saved else None, listener.step)
    _write_held(work, output / HELD)
    measured = [point.held for point in progress.curve if point.held is not None]
    return Summary(
        str(output), progress.step, progress.tokens, round(progress.seconds, 3),
        measured[0] if measured else None, measured[-1] if measured and not interrupted else None,
        known["unextended"], known["texts"]["tokens_per_character"], interrupted,
    )  # fmt: skip


def _describe(work: TrainingData, note: Callable[[str], None]) -> None:
    split = work.split
    dropped = f"{split.duplicates:,} duplicates and {split.near_duplicates:,} near ones of held-out texts dropped"
    note(f"{len(split.training):,} texts to train on, {len(split.held):,} held out; {dropped}")
    if left_out := work.training.counts.left_out + work.held.counts.left_out:
        note(f"{left_out:,} questions left out: no passage with their answer fits, or the answer is over 100 tokens")
    learnt = int((work.training.rows.labels[:, 1:] != IGNORE_INDEX).sum())
    size = f"{work.training.rows.tokens.shape[1] - 1:,} tokens"
    note(f"{len(work.training.rows.tokens):,} rows of {size}, {learnt:,} of them learnt; rate {work.rate:.2g}")


def _write_held(work: TrainingData, path: Path) -> None:
    """Write the texts that were held out, for `ragcli eval perplexity`."""
    texts = [text for text in work.split.held if text.question is None]
    path.write_bytes(b"".join(orjson.dumps({"id": text.id, "text": text.text}) + b"\n" for text in texts))
