"""The learning curve as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def draw(path: Path, points: Sequence[Mapping[str, Any]]) -> None:
    """Draw training loss (nats a token) and validation loss (bits a byte) over the steps, as a PNG."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlabel("step")
    axes.set_ylabel("loss, nats a token")
    _line(axes, points, "loss", "tab:blue", "training")
    if any(point["validation"] is not None for point in points):
        right = axes.twinx()
        right.set_ylabel("validation, bits a byte")
        _line(right, points, "validation", "tab:orange", "validation")
    figure.legend(loc="outside upper center", ncols=2)
    figure.savefig(path, format="png", dpi=100)


def _line(axes: Any, points: Sequence[Mapping[str, Any]], name: str, colour: str, label: str) -> None:
    known = [(point["step"], point[name]) for point in points if point[name] is not None]
    axes.plot([x for x, _ in known], [y for _, y in known], color=colour, marker=".", label=label)
