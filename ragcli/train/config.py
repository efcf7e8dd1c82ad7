"""The configuration of a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ragcli.errors import UsageError
from ragcli.filters import Filter


class Size(NamedTuple):
    """Hold the sizes of a new model."""

    layers: int = 4
    heads: int = 4
    width: int = 256
    vocabulary: int = 8192


class TrainConfig(NamedTuple):
    """Configure the training of a language model. None means: as the model or the length of the training suggests.

    `context` is tokens a row, `batch` rows at a time, `accumulate` batches a step; `minutes` counts all runs of a
    resumed training.
    """

    files: tuple[Path, ...]
    filters: tuple[Filter, ...] = ()
    scratch: Size | None = None
    extend: int = 0
    val_split: float = 0.05
    seed: int = 0
    context: int | None = None
    batch: int = 8
    accumulate: int = 1
    rate: float | None = None
    dropout: float = 0.0
    epochs: float | None = None
    steps: int | None = None
    minutes: float | None = None
    save_minutes: float = 5.0
    compile: bool = True

    @property
    def rows_a_step(self) -> int:
        """Return how many rows are learnt from before the weights change."""
        return self.batch * self.accumulate

    @property
    def default_epochs(self) -> float:
        """Return the length of a training of which no length is given."""
        return 3.0

    def settings(self) -> dict[str, Any]:
        """Return the settings that affect the result, by the names of their options."""
        scratch = self.scratch or Size()
        return {
            "--from-scratch": self.scratch is not None,
            **({f"--{name}": value for name, value in scratch._asdict().items()} if self.scratch else {}),
            "--where": [f"{field}{operator}{value}" for field, operator, value in self.filters],
            "--extend-vocabulary": self.extend,
            "--val-split": self.val_split,
            "--seed": self.seed,
            "--context": self.context,
            "--batch-size": self.batch,
            "--accumulate": self.accumulate,
            "--learning-rate": self.rate,
            "--dropout": self.dropout,
            "--epochs": self.epochs,
            "--max-steps": self.steps,
            "--max-minutes": self.minutes,
        }


class ReaderTrainConfig(NamedTuple):
    """Configure the training of a reader: `batch` questions a step; `minutes` counts all runs of a resumed training."""

    batch: int = 8
    rate: float = 5e-5
    epochs: float | None = None
    steps: int | None = None
    minutes: float | None = None
    save_minutes: float = 5.0
    seed: int = 0
    val_split: float = 0.05

    @property
    def rows_a_step(self) -> int:
        """Return how many questions are learnt from before the weights change."""
        return self.batch

    @property
    def default_epochs(self) -> float:
        """Return the length of a training of which no length is given."""
        return 2.0

    def settings(self) -> dict[str, Any]:
        """Return the settings that affect the result, by the names of their options."""
        return {
            "--batch-size": self.batch,
            "--learning-rate": self.rate,
            "--epochs": self.epochs,
            "--max-steps": self.steps,
            "--max-minutes": self.minutes,
            "--seed": self.seed,
            "--val-split": self.val_split,
        }


def check(config: TrainConfig) -> None:
    """Raise UsageError for options that contradict each other."""
    if config.scratch and config.scratch.width % config.scratch.heads:
        message = f"--width {config.scratch.width} is not a multiple of --heads {config.scratch.heads}"
        raise UsageError(message, "Every head takes an equal part of the width.")
    if config.scratch and config.extend:
        raise UsageError(
            "--extend-vocabulary and --from-scratch do not go together",
            "Leave one out.",
        )
    if config.context is not None and config.context < 2:
        raise UsageError("--context is too short to predict anything", "Give 2 tokens or more.")


def check_same(saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise UsageError if a training would be resumed with other data, another model or other settings."""
    found = [line for part in ("model", "data", "settings") for line in _differences(saved[part], now[part])]
    if found:
        message = "this training began with other data or settings: " + "; ".join(found)
        raise UsageError(message, "Resume it as it began, or start a new one with another --output.")


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = [*before, *(name for name in now if name not in before)]
    return [f"{name} {before.get(name)} → {now.get(name)}" for name in names if before.get(name) != now.get(name)]
