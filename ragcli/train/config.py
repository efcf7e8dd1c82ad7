"""The configuration of a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ragcli.errors import UsageError
from ragcli.filters import Filter


class Size(NamedTuple):
    """Give the sizes of a model that is made from nothing."""

    layers: int = 4
    heads: int = 4
    width: int = 256
    vocabulary: int = 8192


class TrainConfig(NamedTuple):
    """Configure a training. None leaves a choice to the model or to the length of the training.

    `context` is tokens a row, `batch` rows at a time, `accumulate` batches a step; `minutes` counts all runs of a
    training that was resumed.
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

    def settings(self) -> dict[str, Any]:
        """Return what shapes the loss curve, by the options' names."""
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


def check(config: TrainConfig) -> None:
    """Raise UsageError for options that cannot be meant together."""
    if config.scratch and config.scratch.width % config.scratch.heads:
        message = f"--width {config.scratch.width} is no multiple of --heads {config.scratch.heads}"
        raise UsageError(message, "Every head takes an equal part of the width.")
    if config.scratch and config.extend:
        raise UsageError("--extend-vocabulary extends what a model has, --from-scratch begins anew", "Leave one out.")
    if config.context is not None and config.context < 2:
        raise UsageError("--context has room for no prediction", "Give 2 tokens or more.")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say in which entries the metadata of two trainings differ."""
    names = [*before, *(name for name in now if name not in before)]
    return [f"{name} {before.get(name)} → {now.get(name)}" for name in names if before.get(name) != now.get(name)]
