"""Train a reader: one loop, to be read from top to bottom, and checkpoints from which it goes on."""

import json
import math
import random
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ragcli.errors import RagcliError, UsageError
from ragcli.files import put_in_place
from ragcli.models import ModelFolder
from ragcli.reader.inputs import build_inputs
from ragcli.train.checkpoint import lock_folder, refuse_existing
from ragcli.train.loop import interruptible
from ragcli.train.prepare import Passages
from ragcli.train.questions import open_passages
from ragcli.train.reader_examples import Example, Examples, collect_examples, vary
from ragcli.train.reader_model import Asked, ReaderBundle, loss_of, open_bundle, scores_of, write_reader

STATE = "training.safetensors"
FACTS = "training.json"
_UNFINISHED = "unfinished"
_SHOWN = 4  # blocks of a question in a step: the right one and others, or others only
_DROPPED = 0.1  # of the questions, whose right block is left out: nothing answers them
_HIDDEN = 0.15  # of the questions, whose headings are left out
_WARM_UP = 0.05
_DECAY = 0.01
_CLIP = 1.0
_POINT = 10  # steps between two points of the curve
_MEASURED = 400  # questions held out that are measured


class ReaderTrainConfig(NamedTuple):
    """Say how to train: `batch` questions a step; `minutes` counts all runs of a training that was resumed."""

    batch: int = 8
    rate: float = 5e-5
    epochs: float | None = None
    steps: int | None = None
    minutes: float | None = None
    save_minutes: float = 5.0
    seed: int = 0
    val_split: float = 0.05

    def settings(self) -> dict[str, Any]:
        """Return what shapes the training, by the options' names."""
        return {
            "--batch-size": self.batch,
            "--learning-rate": self.rate,
            "--epochs": self.epochs,
            "--max-steps": self.steps,
            "--max-minutes": self.minutes,
            "--seed": self.seed,
            "--val-split": self.val_split,
        }


class Accuracy(NamedTuple):
    """Say for which share of the questions held out the right block is the best one, and one of the best two."""

    best: float
    best_two: float


class ReaderSummary(NamedTuple):
    """Say what a training did; `before` and `after` are of the questions held out, None where there are none."""

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
    """Say how a training stands: its loss in nats a question, the mean of the last steps."""

    step: int
    steps: int | None
    loss: float
    seconds: float
    saved: bool


class _Progress(NamedTuple):
    step: int
    seconds: float
    before: Accuracy | None
    curve: list[tuple[int, float]]


def run_reader(
    config: ReaderTrainConfig,
    files: Sequence[Path],
    folder: ModelFolder,
    passages: Passages,
    output: Path,
    resume: bool = False,
    tell: Callable[[ReaderReport], None] = lambda report: None,
) -> ReaderSummary:
    """Collect examples from files of questions and train a reader on them, as `train_reader` says."""
    with open_passages(files, passages.place, passages.named) as searcher:
        examples = collect_examples(files, searcher, config.val_split, config.seed)
    return train_reader(config, folder, examples, output, resume, tell)


def train_reader(
    config: ReaderTrainConfig,
    folder: ModelFolder,
    examples: Examples,
    output: Path,
    resume: bool = False,
    tell: Callable[[ReaderReport], None] = lambda report: None,
) -> ReaderSummary:
    """Train a reader into the folder `output`, from the beginning or, with `resume`, from its last checkpoint.

    Raises UsageError for an output that is there and for a training that began with other data or settings,
    RagcliError where another training writes it, a checkpoint cannot be written, or the loss is no number.
    """
    with lock_folder(output):
        if not resume:
            refuse_existing(output)
        return _train(config, folder, examples, output, resume, tell)


def _train(
    config: ReaderTrainConfig,
    folder: ModelFolder,
    examples: Examples,
    output: Path,
    resume: bool,
    tell: Callable[[ReaderReport], None],
) -> ReaderSummary:
    bundle = open_bundle(folder, config.seed)
    optimizer = _new_optimizer(bundle, config.rate)
    metadata = {"settings": config.settings(), "model": folder.name, "questions": len(examples.training)}
    if resume:
        progress = _load(output, bundle, optimizer, metadata)
    else:
        progress = _Progress(0, 0.0, measure(bundle, examples.validation), [])
        _save(output, bundle, optimizer, progress, metadata)
    bundle.model.train()
    steps = _length(config, len(examples.training))
    begun = time.perf_counter() - progress.seconds
    saved, losses = progress.seconds, list[float]()
    with interruptible() as interrupted:
        while (share := _share_done(progress, steps, config.minutes)) < 1 and not interrupted:
            batch = _batch(examples.training, config, progress.step)
            loss = _step(bundle, optimizer, batch, config.rate * _schedule(share))
            losses.append(loss)
            progress = progress._replace(step=progress.step + 1, seconds=time.perf_counter() - begun)
            if not math.isfinite(loss):
                hint = f"Train again with a lower --learning-rate; the last checkpoint in {output} is good."
                raise RagcliError(f"the loss is no number in step {progress.step}", hint)
            if progress.step % _POINT == 0:
                progress.curve.append((progress.step, float(np.mean(losses))))
                losses = []
            due = progress.seconds - saved >= 60 * config.save_minutes
            if due:
                _save(output, bundle, optimizer, progress, metadata)
                saved = progress.seconds
            tell(ReaderReport(progress.step, steps, loss, progress.seconds, due))
    if interrupted:
        _save(output, bundle, optimizer, progress, metadata)
        after = None
    else:
        after = measure(bundle, examples.validation)
        _save(output, bundle, None, progress, {**metadata, "after": after._asdict() if after else None})
    counts = len(examples.training), len(examples.validation), examples.left_out
    seconds = round(progress.seconds, 3)
    return ReaderSummary(str(output), progress.step, *counts, seconds, progress.before, after, bool(interrupted))


def measure(bundle: ReaderBundle, validation: Sequence[Example]) -> Accuracy | None:
    """Return how often the right block is among the best, of questions that have one; None without questions."""
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
    """Return the questions of a step, each epoch in an order of its own, put in ever other ways."""
    rng = random.Random(config.seed * 1_000_003 + step)  # noqa: S311 (seeded draws)
    places = [divmod(place, len(examples)) for place in range(step * config.batch, (step + 1) * config.batch)]
    orders = {epoch: np.random.default_rng([config.seed, epoch]).permutation(len(examples)) for epoch, _ in places}
    return [_asked(examples[int(orders[epoch][place])], rng) for epoch, place in places]


def _asked(example: Example, rng: random.Random) -> Asked:
    """Draw blocks for a question: sometimes none of them answers, and sometimes their headings are missing."""
    wrong = list(example.blocks[1:] if example.span else example.blocks)
    drop = example.span is not None and len(wrong) >= _SHOWN and rng.random() < _DROPPED
    right = [example.blocks[0]] if example.span and not drop else []
    shown = [*right, *rng.sample(wrong, min(len(wrong), _SHOWN - len(right)))]
    if rng.random() < _HIDDEN:
        shown = [("", text) for _, text in shown]
    return Asked(vary(example.question, rng), shown, example.span if right else None)


def _step(bundle: ReaderBundle, optimizer: torch.optim.Optimizer, batch: Sequence[Asked], rate: float) -> float:
    loss = loss_of(bundle, batch)
    torch.autograd.backward(loss)
    norm = torch.nn.utils.clip_grad_norm_(bundle.model.parameters(), _CLIP).item()
    if math.isfinite(norm):
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.item() if math.isfinite(norm) else math.nan


def _new_optimizer(bundle: ReaderBundle, rate: float) -> torch.optim.Optimizer:
    """Return AdamW. The embeddings of words stay as they are: few questions have much to say about many words."""
    words = bundle.model.get_input_embeddings().weight
    words.requires_grad_(False)
    parameters = [parameter for parameter in bundle.model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": _DECAY},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98))


def _length(config: ReaderTrainConfig, questions: int) -> int | None:
    """Return how many steps the training has; None where only its minutes are given. Two epochs where nothing is."""
    if config.epochs is None and (config.steps or config.minutes):
        return config.steps
    steps = max(1, math.ceil((config.epochs or 2.0) * questions / config.batch))
    return min(steps, config.steps) if config.steps else steps


def _share_done(progress: _Progress, steps: int | None, minutes: float | None) -> float:
    return max(progress.step / steps if steps else 0.0, progress.seconds / (60 * minutes) if minutes else 0.0)


def _schedule(share: float) -> float:
    """Return the learning rate as a share of its peak: a linear warm-up, then linearly down to nothing."""
    return min((share + 0.1 * _WARM_UP) / _WARM_UP, max(0.02, (1 - share) / (1 - _WARM_UP)), 1.0)


def _save(
    folder: Path,
    bundle: ReaderBundle,
    optimizer: torch.optim.Optimizer | None,
    progress: _Progress,
    metadata: dict[str, Any],
) -> None:
    """Write the reader, and with an optimizer what it needs to go on. Each file takes its place when it is whole."""
    new = folder / _UNFINISHED
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        if optimizer:
            header = {"progress": json.dumps(progress), "metadata": json.dumps(metadata)}
            save_file(_tensors(bundle, optimizer), new / STATE, header)
            put_in_place(new / STATE, folder / STATE)
        write_reader(bundle, new)
        told = {**metadata, "steps": progress.step, "seconds": progress.seconds, "curve": progress.curve}
        (new / FACTS).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        for file in sorted(new.iterdir(), key=lambda file: file.name == "config.json"):  # which makes it a model: last
            put_in_place(file, folder / file.name)
        if not optimizer:
            (folder / STATE).unlink(missing_ok=True)
    except (OSError, SafetensorError) as e:
        raise RagcliError(f"cannot write the checkpoint in {folder}: {e}", "Make room, then add --resume.") from e
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _tensors(bundle: ReaderBundle, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    learnt = {name: value for name, value in bundle.model.named_parameters() if value.requires_grad}
    tensors = {f"model.{name}": value.detach().contiguous() for name, value in learnt.items()}
    for number, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value.contiguous() for name, value in values.items()}
    return tensors


def _load(folder: Path, bundle: ReaderBundle, optimizer: torch.optim.Optimizer, metadata: dict[str, Any]) -> _Progress:
    """Fill the model and the optimizer from a checkpoint. Raises UsageError where there is none, or another's."""
    if not (folder / STATE).is_file():
        hint = "It is finished, or never began: leave out --resume, and give another --output."
        raise UsageError(f"{folder} holds no training to resume", hint)
    try:
        with safe_open(folder / STATE, "pt") as file:
            header = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        step, seconds, before, curve = json.loads(header["progress"])
        began = json.loads(header["metadata"])
    except (SafetensorError, KeyError, ValueError, TypeError) as e:
        raise RagcliError(f"{folder / STATE} is damaged: {e}", "Start again, with another --output.") from e
    if began != json.loads(json.dumps(metadata)):
        raise UsageError(f"the training in {folder} began with other data or settings", "Repeat the first command.")
    parameters = dict(bundle.model.named_parameters())
    state: dict[int, dict[str, torch.Tensor]] = {}
    with torch.no_grad():
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "model":
                parameters[rest].copy_(tensor)
            else:
                number, _, entry = rest.partition(".")
                state.setdefault(int(number), {})[entry] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    return _Progress(step, seconds, Accuracy(*before) if before else None, [(at, loss) for at, loss in curve])
