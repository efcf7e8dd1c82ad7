"""Run a training: prepare it, check that it may resume, train, and summarize."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import torch

from ragcli.callbacks import Callbacks
from ragcli.counts import counted
from ragcli.models import ModelFolder
from ragcli.train.checkpoint import lock_folder, read_saved, refuse_existing
from ragcli.train.config import TrainConfig, check_same
from ragcli.train.loop import StepReport, batch, total_steps, train
from ragcli.train.model import as_tensors, autocast, device, row_losses
from ragcli.train.packing import IGNORE_INDEX
from ragcli.train.prepare import Passages, TrainingData, describe, prepare, survey

VALIDATION_FILE = "held_out.jsonl"


class Summary(NamedTuple):
    """Sum up a training: `before` and `after` are bits a byte of the validation texts."""

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
    """Describe a training that was not run: its data, steps, and estimated seconds."""

    data: dict[str, Any]
    steps: int | None
    seconds: float


def dry_run(
    config: TrainConfig, folder: ModelFolder | None, passages: Passages, callbacks: Callbacks[StepReport] = Callbacks()
) -> Survey:
    """Describe a training without running it or writing anything."""
    data = prepare(config, folder, passages, callbacks.note)
    steps = total_steps(config, len(data.training.rows.tokens))
    expected = [steps * config.accumulate * _seconds(data, config)] if steps else []
    expected += [60 * config.minutes] if config.minutes else []
    return Survey(survey(data), steps, round(min(expected), 3))


def _seconds(data: TrainingData, config: TrainConfig) -> float:
    """Time one uncompiled batch; a compiled training takes less."""
    model = data.bundle.model.to(device())
    tensors = as_tensors(*batch(data.training.rows, config, 0), model.device)
    started = time.perf_counter()
    with autocast(model.device):
        loss = row_losses(model, *tensors).sum()
    torch.autograd.backward(loss)
    return time.perf_counter() - started


def run(
    config: TrainConfig,
    folder: ModelFolder | None,
    passages: Passages,
    output: Path,
    *,
    resume: bool = False,
    command: str = "",
    callbacks: Callbacks[StepReport] = Callbacks(),
) -> Summary:
    """Train a model into the folder `output`, from the beginning or, with `resume`, from its last checkpoint.

    Raises UsageError if the output exists or the training began with other data or settings, RagcliError if another
    training writes it.
    """
    with lock_folder(output):
        saved = read_saved(output) if resume else None
        if not resume:
            refuse_existing(output)
        data = prepare(config, folder, passages, callbacks.note)
        metadata = describe(data, config, folder, command)
        if saved:
            check_same(saved.metadata, metadata)
            metadata = saved.metadata
            callbacks.note(f"resuming after step {saved.progress.step}")
        else:
            _note_data(data, callbacks.note)
        since = saved.progress if saved else None
        progress, interrupted = train(data, config, output, metadata, since, callbacks.progress)
        _write_validation(data, output / VALIDATION_FILE)
    measured = [point.validation for point in progress.curve if point.validation is not None]
    return Summary(
        str(output), progress.step, progress.tokens, round(progress.seconds, 3),
        measured[0] if measured else None, measured[-1] if measured and not interrupted else None,
        metadata["unextended"], metadata["texts"]["tokens_per_character"], interrupted,
    )  # fmt: skip


def _note_data(data: TrainingData, note: Callable[[str], None]) -> None:
    split = data.split
    dropped = (
        f"{counted(split.duplicates, 'duplicate', 'duplicates')} and "
        f"{counted(split.near_duplicates, 'near duplicate', 'near duplicates')} of validation texts dropped"
    )
    texts = counted(len(split.training), "text", "texts")
    note(f"{texts} to train on, {len(split.validation):,} for validation; {dropped}")
    if left_out := data.training.counts.left_out + data.validation.counts.left_out:
        questions = counted(left_out, "question", "questions")
        note(f"{questions} left out: no passage with their answer fits, or the answer is over 100 tokens")
    learnt = int((data.training.rows.labels[:, 1:] != IGNORE_INDEX).sum())
    size = f"{data.training.rows.tokens.shape[1] - 1:,} tokens"
    rows = counted(len(data.training.rows.tokens), "row", "rows")
    note(f"{rows} of {size}, {learnt:,} of them learnt; rate {data.rate:.2g}")


def _write_validation(data: TrainingData, path: Path) -> None:
    """Write the validation texts, for `ragcli eval perplexity`."""
    texts = [text for text in data.split.validation if text.question is None]
    path.write_bytes(b"".join(orjson.dumps({"id": text.id, "text": text.text}) + b"\n" for text in texts))
