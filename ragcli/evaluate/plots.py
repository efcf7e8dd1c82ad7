"""The plots of a page: histograms of values, and the changes of queries."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from statistics import median
from typing import NamedTuple

from ragcli.evaluate.comparison import Changed, Difference
from ragcli.evaluate.report import is_worse, mean

_BINS = 20
_BARS = 100  # a bar for each query up to here; beyond, one for all of about the same change
_WIDTH, _HEIGHT = 1000, 200  # of a plot, in its own units
_LONGEST = 600  # characters of a text


class Bar(NamedTuple):
    """Hold a bar: its position in the plot, its CSS class, and its text."""

    x: str
    y: str
    width: str
    height: str
    kind: str
    text: str


class Key(NamedTuple):
    """Hold an entry of a legend: its CSS class and its text."""

    kind: str
    text: str


class Plot(NamedTuple):
    """Hold a plot: bars up or down from a line at `base`, and axis labels from top down and from left to right."""

    name: str
    keys: list[Key]
    y: list[str]
    x: list[str]
    kind: str
    base: float
    bars: list[Bar]
    width: int = _WIDTH
    height: int = _HEIGHT

    @property
    def title(self) -> str:
        """Return a description of the plot."""
        return f"{self.name}: {'; '.join(key.text for key in self.keys)}"


def figure(value: float | None, sign: str = "") -> str:
    """Return a number as a page shows it."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return format(value, f"{sign},.4f" if abs(value) < 1e6 else f"{sign}.3e").replace("-", "−")


def shortened(text: str) -> str:
    """Return a text shortened for a table."""
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def histogram(name: str, series: Mapping[str, list[float]], kind: str = "") -> Plot:
    """Return a histogram of values, with several series side by side; a single one needs no name."""
    low, high = _range([value for values in series.values() for value in values if math.isfinite(value)])
    counts = {side: _counts(values, low, high) for side, values in series.items()}
    top = max(map(max, counts.values()))
    unit = _HEIGHT / (top or 1)
    edges = [f"{low + (high - low) * i / _BINS:.4g}" for i in range(_BINS + 1)]
    step, width = _WIDTH / _BINS, 0.9 * _WIDTH / _BINS / len(series)
    bars = [
        _bar(step * (i + 0.05) + n * width, width, unit * count, _HEIGHT, side.lower() or "b", f"{between}: {count:,}")
        for n, side in enumerate(series)
        for i, (count, between) in enumerate(zip(counts[side], map(" to ".join, pairwise(edges)), strict=True))
        if count
    ]
    keys = [Key(side.lower(), f"{side} {_described(values)}".strip()) for side, values in series.items()]
    ticks = [f"{tick:.4g}" for tick in (low, (low + high) / 2, high)]
    return Plot(name, keys, [f"{top:,}", "0"], ticks, kind, _HEIGHT, bars)


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    pad = (abs(low) / 2 or 0.5) if low == high else 0.0
    return low - pad, high + pad


def _counts(values: Iterable[float], low: float, high: float) -> list[int]:
    counts = [0] * _BINS
    for value in filter(math.isfinite, values):
        counts[min(int((value - low) / (high - low) * _BINS), _BINS - 1)] += 1
    return counts


def _described(values: Sequence[float]) -> str:
    finite = [value for value in values if math.isfinite(value)]
    described = f"mean {figure(mean(finite))}, median {figure(median(finite))}" if finite else "no value"
    return described + _not_drawn(len(values) - len(finite))


def _not_drawn(infinite: int) -> str:
    return f", {infinite:,} infinite and not drawn" if infinite else ""


def changes_plot(found: Difference, values: Sequence[Changed]) -> Plot | None:
    """Return a plot of the change of each query, highest first; None without finite changes."""
    finite = [(round(v.b - v.a, 9), v.query) for v in values if math.isfinite(v.b - v.a)]
    most = max((abs(change) for change, _ in finite), default=0.0)
    if not most:
        return None
    bars = list(_steps(found.measure, sorted(finite, key=lambda pair: (-pair[0], pair[1])), most))
    same = f"same {found.ties:,}{_not_drawn(len(values) - len(finite))}"
    keys = [Key("better", f"better {found.wins:,}"), Key("worse", f"worse {found.losses:,}"), Key("", same)]
    ends = [figure(most, "+"), "0", figure(-most)]
    return Plot(f"{found.measure}, B − A, sorted", keys, ends, ["1", f"{len(finite):,}"], "tall", _HEIGHT / 2, bars)


def _steps(measure: str, changes: Sequence[tuple[float, str]], most: float) -> Iterator[Bar]:
    """Yield a bar for each change, or one for several equal-looking ones."""
    single = len(changes) <= _BARS
    step, gap, start = _WIDTH / len(changes), 0.1 if single else 0.0, 0
    levels = [round(_HEIGHT / 2 * change / most) or (change > 0) - (change < 0) for change, _ in changes]
    for _, group in groupby(range(len(changes)), key=lambda i: i if single else levels[i]):
        n = len(list(group))
        change, query = changes[start]
        who = shortened(query) if n == 1 else f"{n:,} queries, about"
        kind = "better" if is_worse(measure, 0.0, change) else "worse"
        if levels[start]:
            left, width = step * (start + gap), step * (n - 2 * gap)
            yield _bar(left, width, levels[start], _HEIGHT / 2, kind, f"{who} {figure(change, '+')}")
        start += n


def _bar(left: float, width: float, height: float, base: float, kind: str, text: str) -> Bar:
    """Return a bar up from the line at `base`, or down if the height is negative."""
    drawn = max(2.0, abs(height))
    top = base - drawn if height > 0 else base
    return Bar(f"{left:.5g}", f"{top:.5g}", f"{width:.5g}", f"{drawn:.5g}", kind, text)
