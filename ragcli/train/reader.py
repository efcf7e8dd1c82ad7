"""Train a reader: one loop that reads from top to bottom, with checkpoints to resume from."""

import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ragcli.models import ModelFolder
from ragcli.reader import find_reader
from ragcli.reader.inputs import build_inputs
from ragcli.train.checkpoint import (
    SUMMARY,
    Progress,
    Saved,
    load,
    lock_folder,
    read_saved,
    refuse_existing,
    write_checkpoint,
)
from ragcli.train.config import ReaderTrainConfig, check_same
from ragcli.train.loop import (
    apply_gradient,
    batch_places,
    diverged,
    fraction_done,
    interruptible,
    new_optimizer,
    total_steps,
)
from ragcli.train.prepare import Passages
from ragcli.train.questions import open_passages
from ragcli.train.reader_examples import Example, Examples, collect_examples, vary
from ragcli.train.reader_model import Asked, ReaderBundle, loss_of, open_bundle, scores_of, write_reader

_SHOWN = 4  # blocks of a question in a step: the right one and others, or others only
_DROPPED = 0.1  # share of the questions whose right block is left out, so that nothing answers them
_HIDDEN = 0.15  # share of the questions whose headings are left out
_WARM_UP = 0.05
_DECAY = 0.01
_BETA2 = 0.98
_POINT = 10  # steps between two points of the curve
_MEASURED = 400  # validation questions that are measured


class Accuracy(NamedTuple):
    """Hold the share of the validation questions whose right block ranks first, and first or second."""

    best: float
    best_two: float


class ReaderSummary(NamedTuple):
    """Sum up a training; `before` and `after` are measured on the validation questions, None without any."""

    output: str
    steps: int
    questions: int
    held_out: int
    left_out: int
    seconds: float
    before: Accuracy | None
    after: Accuracy | None
    interrupted: bool


class ReaderReport(NamedTuple):
    """Report a step; `loss` is in nats a question."""

    step: int
    steps: int | None
    loss: float
    seconds: float
    saved: bool


def run_reader(
    config: ReaderTrainConfig,
    files: Sequence[Path],
    name: str | None,
    passages: Passages,
    output: Path,
    *,
    resume: bool = False,
    tell: Callable[[ReaderReport], None] = lambda report: None,
) -> ReaderSummary:
    """Collect examples from files of questions and train a reader on them, as `train_reader` does.

    Without the name of a reader or an encoder to start from, it is the packaged reader for the questions' language.
    """
    with open_passages(files, passages.place, passages.named) as searcher:
        folder = find_reader(name, searcher.language)
        examples = collect_examples(files, searcher, config.val_split, config.seed)
    return train_reader(config, folder, examples, output, resume=resume, tell=tell)


def train_reader(
    config: ReaderTrainConfig,
    folder: ModelFolder,
    examples: Examples,
    output: Path,
    *,
    resume: bool = False,
    tell: Callable[[ReaderReport], None] = lambda report: None,
) -> ReaderSummary:
    """Train a reader into the folder `output`, from the beginning or, with `resume`, from its last checkpoint.

    Raises UsageError if the output exists or the training began with other data or settings, RagcliError if another
    training writes it, a checkpoint cannot be written, or the loss is not finite.
    """
    with lock_folder(output):
        metadata = {
            "model": {"name": folder.name},
            "data": {"questions": len(examples.training)},
            "settings": config.settings(),
        }
        saved = read_saved(output) if resume else None
        if saved:
            check_same(saved.metadata, metadata)
        else:
            refuse_existing(output)
        return _train(
            config, open_bundle(folder, config.seed), examples, output, saved or Saved(Progress(), metadata), tell
        )


def _train(
    config: ReaderTrainConfig,
    bundle: ReaderBundle,
    examples: Examples,
    output: Path,
    saved: Saved,
    tell: Callable[[ReaderReport], None],
) -> ReaderSummary:
    bundle.model.get_input_embeddings().weight.requires_grad_(False)  # few questions say little about many words
    optimizer = new_optimizer(bundle.model, config.rate, _DECAY, _BETA2)
    progress, metadata = saved
    if progress.step:
        load(output, bundle.model, optimizer)
    else:
        before = measure(bundle, examples.validation)
        metadata["before"] = before._asdict() if before else None
        _save(output, bundle, optimizer, Saved(progress, metadata))
    bundle.model.train()
    steps = total_steps(config, len(examples.training))
    begun, written, losses = time.perf_counter() - progress.seconds, progress.seconds, list[float]()
    with interruptible() as interrupted:
        while (fraction := fraction_done(progress, steps, config.minutes)) < 1 and not interrupted:
            loss = loss_of(bundle, _batch(examples.training, config, progress.step))
            torch.autograd.backward(loss)
            if not apply_gradient(bundle.model, optimizer, config.rate * _schedule(fraction)):
                raise diverged(progress.step + 1, output)
            losses.append(loss.item())
            progress = progress._replace(step=progress.step + 1, seconds=time.perf_counter() - begun)
            if progress.step % _POINT == 0:
                progress, losses = progress.with_point(losses, None), []
            due = progress.seconds - written >= 60 * config.save_minutes
            if due:
                _save(output, bundle, optimizer, Saved(progress, metadata))
                written = progress.seconds
            tell(ReaderReport(progress.step, steps, loss.item(), progress.seconds, due))
    after = None if interrupted else measure(bundle, examples.validation)
    _save(output, bundle, optimizer if interrupted else None, Saved(progress, metadata), after)
    counts = len(examples.training), len(examples.validation), examples.left_out
    seconds, before = round(progress.seconds, 3), metadata["before"]
    before = Accuracy(**before) if before else None
    return ReaderSummary(str(output), progress.step, *counts, seconds, before, after, bool(interrupted))


def measure(bundle: ReaderBundle, validation: Sequence[Example]) -> Accuracy | None:
    """Return the accuracy on the questions that have a right block; None without any."""
    chosen = [example for example in validation if example.span][:_MEASURED]
    if not chosen:
        return None
    bundle.model.eval()
    places = []
    with torch.no_grad():
        for example in chosen:
            scores, _ = scores_of(bundle, build_inputs(bundle.tokenizer, example.question, example.blocks))
            places.append(int((scores[1:] > scores[0]).sum()))
    bundle.model.train()
    found = np.array(places)
    return Accuracy(round(float((found < 1).mean()), 4), round(float((found < 2).mean()), 4))


def _batch(examples: Sequence[Example], config: ReaderTrainConfig, step: int) -> list[Asked]:
    """Return the questions of a step, each with freshly drawn blocks and wording."""
    rng = random.Random(config.seed * 1_000_003 + step)  # noqa: S311 (seeded draws)
    return [_asked(examples[place], rng) for place in batch_places(len(examples), config, step)]


def _asked(example: Example, rng: random.Random) -> Asked:
    """Draw blocks for a question; sometimes the right one is left out, and sometimes all headings are."""
    wrong = list(example.blocks[1:] if example.span else example.blocks)
    drop = example.span is not None and len(wrong) >= _SHOWN and rng.random() < _DROPPED
    right = [example.blocks[0]] if example.span and not drop else []
    shown = [*right, *rng.sample(wrong, min(len(wrong), _SHOWN - len(right)))]
    if rng.random() < _HIDDEN:
        shown = [("", text) for _, text in shown]
    return Asked(vary(example.question, rng), shown, example.span if right else None)


def _schedule(share: float) -> float:
    """Return the learning rate as a share of its peak: a linear warm-up, then a linear decay."""
    return min((share + 0.1 * _WARM_UP) / _WARM_UP, max(0.02, (1 - share) / (1 - _WARM_UP)), 1.0)


def _save(
    folder: Path,
    bundle: ReaderBundle,
    optimizer: torch.optim.Optimizer | None,
    saved: Saved,
    after: Accuracy | None = None,
) -> None:
    """Write the reader and its summary, and with an optimizer the state to resume from."""
    progress, metadata = saved
    summary = {
        "settings": metadata["settings"],
        "model": metadata["model"]["name"],
        "questions": metadata["data"]["questions"],
        "steps": progress.step,
        "seconds": progress.seconds,
        "curve": [(point.step, point.loss) for point in progress.curve],
    }
    if optimizer is None:
        summary["after"] = after._asdict() if after else None

    def write(new: Path) -> None:
        write_reader(bundle, new)
        (new / SUMMARY).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")

    write_checkpoint(folder, bundle.model, optimizer, saved, write)
