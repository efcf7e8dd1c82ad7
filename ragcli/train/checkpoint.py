"""Checkpoints: the state that a training resumes from, in one file written atomically, and the model beside it."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ragcli.errors import RagcliError, UsageError
from ragcli.files import put_in_place
from ragcli.train.curve import draw
from ragcli.train.model import ModelBundle, write_model

STATE = "training.safetensors"
SUMMARY = "training.json"
_CURVE = "curve.png"
_UNFINISHED = "unfinished"


class Point(NamedTuple):
    """Hold a point of the learning curve: training loss in nats, validation loss in bits a byte."""

    step: int
    seconds: float
    loss: float | None
    validation: float | None


class Progress(NamedTuple):
    """Hold the progress of a training: steps, seconds, tokens seen, and its learning curve."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    curve: tuple[Point, ...] = ()

    def with_point(self, losses: Sequence[float], validation: float | None) -> "Progress":
        """Add a point to the learning curve: the mean of the losses since the last one."""
        loss = sum(losses) / len(losses) if losses else None
        return self._replace(curve=(*self.curve, Point(self.step, self.seconds, loss, validation)))


class Saved(NamedTuple):
    """Hold the progress and the metadata of a checkpoint."""

    progress: Progress
    metadata: dict[str, Any]


def save(
    folder: Path,
    bundle: ModelBundle,
    optimizer: torch.optim.Optimizer | None,
    progress: Progress,
    metadata: dict[str, Any],
) -> None:
    """Write the model, its summary and its learning curve, and with an optimizer the state to resume from."""
    points = [point._asdict() for point in progress.curve]

    def write(new: Path) -> None:
        write_model(bundle, new)
        summary = metadata | progress._asdict() | {"curve": points, "held_out_bits_per_byte": _gain(progress)}
        (new / SUMMARY).write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draw(new / _CURVE, points)

    write_checkpoint(folder, bundle.model, optimizer, Saved(progress, metadata), write)


def write_checkpoint(
    folder: Path,
    model: Any,
    optimizer: torch.optim.Optimizer | None,
    saved: Saved,
    write: Callable[[Path], None],
) -> None:
    """Let `write` fill a folder with the model; with an optimizer, add the state to resume from, else remove it.

    Each file gets its name once it is complete, the state first. Raises RagcliError if there is no room.
    """
    new = folder / _UNFINISHED
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        if optimizer:
            header = {"progress": json.dumps(saved.progress), "metadata": json.dumps(saved.metadata)}
            save_file(_tensors(model, optimizer), new / STATE, header)
            put_in_place(new / STATE, folder / STATE)
        write(new)
        for file in sorted(new.iterdir(), key=lambda file: file.name == "config.json"):  # which makes it a model: last
            put_in_place(file, folder / file.name)
        if not optimizer:
            (folder / STATE).unlink(missing_ok=True)
    except (OSError, SafetensorError) as e:
        resumable = (folder / STATE).exists()
        hint = "Make room, then add --resume: the last checkpoint is good." if resumable else "Make room."
        raise RagcliError(f"cannot write the checkpoint in {folder}: {_reason(e)}", hint) from e
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _gain(progress: Progress) -> dict[str, float | None]:
    found = [point.validation for point in progress.curve if point.validation is not None]
    return {"before": found[0], "after": found[-1]} if found else {"before": None, "after": None}


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a folder for one training. Raises RagcliError if another training has locked it."""
    made = not folder.parent.exists()
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = folder.with_name(f".{folder.name}.lock")
    lock = FileLock(place, blocking=False)
    try:
        lock.acquire()
    except Timeout as e:
        raise RagcliError(
            f"another training is writing {folder}", "Wait until it is done, or name another --output."
        ) from e
    try:
        yield
    finally:
        place.unlink(missing_ok=True)
        lock.release()
        if made and not folder.exists():
            with suppress(OSError):  # somebody else put something there
                folder.parent.rmdir()


def refuse_existing(folder: Path) -> None:
    """Raise UsageError if a new training would overwrite something."""
    if folder.exists() and (not folder.is_dir() or any(file.name != _UNFINISHED for file in folder.iterdir())):
        raise UsageError(f"{folder} exists", "Name another --output, or continue it with --resume.")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _tensors(model: Any, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    learnt = {name: value for name, value in model.named_parameters() if value.requires_grad}
    tensors = {f"model.{name}": value.contiguous() for name, value in learnt.items()}
    for number, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value.contiguous() for name, value in values.items()}
    tensors["random"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    return tensors


def read_saved(folder: Path) -> Saved:
    """Read the progress and metadata of a checkpoint. Raises UsageError if there is none to resume from."""
    if not (folder / STATE).is_file():
        hint = "It is finished or was never started. Leave out --resume, and name another --output."
        raise UsageError(f"there is no training to resume in {folder}", hint)
    try:
        with safe_open(folder / STATE, "pt") as file:
            header = file.metadata()
        step, seconds, tokens, curve = json.loads(header["progress"])
        points = tuple(Point(*point) for point in curve)
        return Saved(Progress(step, seconds, tokens, points), json.loads(header["metadata"]))
    except (SafetensorError, KeyError, ValueError, TypeError) as e:
        raise RagcliError(f"{folder / STATE} is damaged: {e}", "Start again with another --output.") from e


def load(folder: Path, model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Fill the model, the optimizer and the random state from a checkpoint."""
    with safe_open(folder / STATE, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    parameters = dict(model.named_parameters())
    state: dict[int, dict[str, torch.Tensor]] = {}
    with torch.no_grad():
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "model":
                parameters[rest].copy_(tensor)
            elif kind == "optimizer":
                number, _, entry = rest.partition(".")
                state.setdefault(int(number), {})[entry] = tensor
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    torch.set_rng_state(tensors["random"])
    if torch.cuda.is_available() and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])
