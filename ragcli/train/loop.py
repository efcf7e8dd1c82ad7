"""The training loop, from prepared rows to a checkpoint."""

import math
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ragcli.errors import RagcliError
from ragcli.train.checkpoint import Point, Progress, load, save
from ragcli.train.config import ReaderTrainConfig, TrainConfig
from ragcli.train.model import Losses, as_tensors, autocast, bits_per_byte, device, row_losses
from ragcli.train.packing import IGNORE_INDEX, Rows
from ragcli.train.prepare import TrainingData

_WARM_UP = 0.05  # of the training
_DECAY = 0.1
_CLIP = 1.0
_POINT = 10  # steps between two points of the learning curve

Batch = tuple[NDArray[np.int32], NDArray[np.int32]]


class StepReport(NamedTuple):
    """Report a step. `steps` is None if only time limits the training, `validation` if it was not just measured.

    `loss` is in nats a token, `validation` in bits a byte.
    """

    step: int
    steps: int | None
    loss: float
    validation: float | None
    saved: bool
    tokens_per_second: float
    seconds_left: float


class Outcome(NamedTuple):
    """Hold the progress at the end of a training, and whether Ctrl-C ended it early."""

    progress: Progress
    interrupted: bool


def train(
    data: TrainingData,
    config: TrainConfig,
    folder: Path,
    metadata: dict[str, Any],
    since: Progress | None,
    tell: Callable[[StepReport], None],
) -> Outcome:
    """Train, from the beginning or from a checkpoint, and write checkpoints into a folder.

    Raises RagcliError if a checkpoint cannot be written or the loss is not finite.
    """
    torch.manual_seed(config.seed)
    model, rows = data.bundle.model.to(device()), data.training.rows
    measure = partial(validation_bits_per_byte, model, data, config, folder)
    optimizer = new_optimizer(model, data.rate)
    if since:
        progress = since
        load(folder, model, optimizer)
    else:
        progress = Progress(curve=(Point(0, 0.0, None, measure(0)),))
        save(folder, data.bundle, optimizer, progress, metadata)
    losses_of = compiled(model, rows, config) if config.compile else row_losses
    model.train()

    steps = total_steps(config, len(rows.tokens))
    begun, saved = time.perf_counter() - progress.seconds, progress.seconds
    speed, losses = Speed(), list[float]()
    with interruptible() as interrupted:
        while (fraction := fraction_done(progress, steps, config.minutes)) < 1 and not interrupted:
            stepped = time.perf_counter()
            batches = [batch(rows, config, progress.step * config.accumulate + i) for i in range(config.accumulate)]
            loss = take_step(model, optimizer, losses_of, batches, data.rate * schedule(fraction))
            if not math.isfinite(loss):
                raise diverged(progress.step + 1, folder)
            losses.append(loss)

            size = sum(tokens[:, 1:].size for tokens, _ in batches)
            speed.add(size, time.perf_counter() - stepped)
            seconds = time.perf_counter() - begun
            progress = Progress(progress.step + 1, seconds, progress.tokens + size, progress.curve)
            due = seconds - saved >= 60 * config.save_minutes
            validation = measure(progress.step) if due else None
            if due or progress.step % _POINT == 0:
                progress, losses = progress.with_point(losses, validation), []
            if due:
                save(folder, data.bundle, optimizer, progress, metadata)
                saved = time.perf_counter() - begun
            rest = seconds_left(progress, steps, config, speed)
            tell(StepReport(progress.step, steps, loss, validation, due, speed.tokens_per_second, rest))

    if interrupted:
        save(folder, data.bundle, optimizer, progress, metadata)
        return Outcome(progress, True)
    progress = progress.with_point(losses, measure(progress.step))
    save(folder, data.bundle, None, progress, metadata)
    return Outcome(progress, False)


def take_step(
    model: Any, optimizer: torch.optim.Optimizer, losses_of: Losses, batches: Sequence[Batch], rate: float
) -> float:
    """Take one optimizer step on some batches; return their loss in nats a learnt token, averaged over rows.

    All rows have the same weight, so that questions, with their few learnt tokens, are not lost among documents. If the
    loss or gradient is not finite, NaN is returned and the model stays as it is.
    """
    learnt = [(labels[:, 1:] != IGNORE_INDEX).sum(axis=1) for _, labels in batches]
    rows = max(1, sum(np.count_nonzero(counts) for counts in learnt))
    total = 0.0
    for (tokens, labels), counts in zip(batches, learnt, strict=True):
        weights = torch.from_numpy(1 / (rows * counts.clip(1))).float().to(model.device)
        with autocast(model.device):
            losses = losses_of(model, *as_tensors(tokens, labels, model.device))
        loss = losses @ weights  # not in bfloat16, which would round the loss to two digits
        torch.autograd.backward(loss)
        total += loss.item()
    return total if math.isfinite(total) and apply_gradient(model, optimizer, rate) else math.nan


def apply_gradient(model: Any, optimizer: torch.optim.Optimizer, rate: float) -> bool:
    """Clip the gradient, take a step at a learning rate, and clear it; return False if it is not finite."""
    finite = math.isfinite(torch.nn.utils.clip_grad_norm_(model.parameters(), _CLIP).item())
    if finite:
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return finite


def validation_bits_per_byte(
    model: Any, data: TrainingData, config: TrainConfig, folder: Path, step: int
) -> float | None:
    """Return the validation loss in bits a byte. Raises RagcliError if it is not finite."""
    found = bits_per_byte(model, data.validation.rows, data.sizes, config.batch)
    if found is not None and not math.isfinite(found):
        raise diverged(step, folder)
    return found


def new_optimizer(model: Any, rate: float, decay: float = _DECAY, beta2: float = 0.95) -> torch.optim.Optimizer:
    """Return AdamW (Loshchilov and Hutter 2019); matrices decay, norms and biases do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, beta2), fused=True)


def compiled(model: Any, rows: Rows, config: TrainConfig) -> Losses:
    """Compile the loss before the clock starts, without advancing the random state."""
    if not any(map(shutil.which, (os.environ.get("CXX", "g++"), "clang++"))):
        raise RagcliError("compiling the model needs a C++ compiler", "Install g++, or add --no-compile.")
    losses_of: Losses = torch.compile(row_losses)
    model.train()
    with torch.random.fork_rng():
        with autocast(model.device):
            loss = losses_of(model, *as_tensors(*batch(rows, config, 0), model.device)).sum()
        torch.autograd.backward(loss)
    model.zero_grad(set_to_none=True)
    return losses_of


def total_steps(config: TrainConfig | ReaderTrainConfig, rows: int) -> int | None:
    """Return the number of steps of a training; None if only its minutes are given."""
    if config.epochs is None and (config.steps or config.minutes):
        return config.steps
    steps = max(1, math.ceil((config.epochs or config.default_epochs) * rows / config.rows_a_step))
    return min(steps, config.steps) if config.steps else steps


def fraction_done(progress: Progress, steps: int | None, minutes: float | None) -> float:
    """Return the fraction of the training that is done, by steps or by time, whichever is larger."""
    return max(progress.step / steps if steps else 0.0, progress.seconds / (60 * minutes) if minutes else 0.0)


def schedule(fraction: float) -> float:
    """Return the learning rate as a share of its peak: a linear warm-up, then a cosine decay to 0."""
    cosine = (1 + math.cos(math.pi * min(1.0, fraction))) / 2
    return min(1.0, (fraction + 0.1 * _WARM_UP) / _WARM_UP) * cosine


def batch(rows: Rows, config: TrainConfig, number: int) -> Batch:
    """Return the rows of a batch, counted from the beginning of the training."""
    chosen = batch_places(len(rows.tokens), config, number)
    return rows.tokens[chosen], rows.labels[chosen]


def batch_places(count: int, config: TrainConfig | ReaderTrainConfig, number: int) -> list[int]:
    """Return the places of a batch among `count` examples; every epoch is shuffled anew, by the seed."""
    places = [divmod(place, count) for place in range(number * config.batch, (number + 1) * config.batch)]
    return [int(epoch_order(config.seed, epoch, count)[place]) for epoch, place in places]


@lru_cache(maxsize=2)
def epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """Return the order of the examples in an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count)


class Speed:
    """Measure tokens a second, with more weight on the latest steps."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._seconds = 0.0

    def add(self, tokens: int, seconds: float) -> None:
        """Count one more step."""
        self._tokens = 0.95 * self._tokens + tokens
        self._seconds = 0.95 * self._seconds + seconds

    @property
    def tokens_per_second(self) -> float:
        """Return the rate."""
        return self._tokens / self._seconds if self._seconds else 0.0


def seconds_left(progress: Progress, steps: int | None, config: TrainConfig, speed: Speed) -> float:
    """Estimate the remaining seconds."""
    by_step = progress.tokens / progress.step / max(speed.tokens_per_second, 1e-9)
    ends = [(steps - progress.step) * by_step] if steps else []
    ends += [60 * config.minutes - progress.seconds] if config.minutes else []
    return max(0.0, min(ends))


def diverged(step: int, folder: Path) -> RagcliError:
    """Return the error for a loss that is not finite."""
    if not step:
        return RagcliError("the model's output is not finite: its weights are damaged", "Use another --model.")
    hint = f"Train again with a lower --learning-rate and another --output; the last checkpoint in {folder} is good."
    return RagcliError(f"the loss is not finite in step {step}", hint)


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Let Ctrl-C stop the training after the current step; pressed again, it stops at once."""
    caught: list[int] = []

    def note(number: int, _: object) -> None:
        caught.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, before)
