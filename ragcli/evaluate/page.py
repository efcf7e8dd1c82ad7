"""Lay a report, or a comparison of two, out as one HTML page that needs nothing else: no script, no file, no network.

Text from documents, models and users is data: all of it is escaped, and control characters become a visible mark.
"""

import html
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from ragcli.evaluate.comparison import Changed, Comparison, Difference
from ragcli.evaluate.notes import counted
from ragcli.evaluate.report import COSTS, Report, is_worse, mean

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHOWN = 20
_SURE = 0.05  # a p-value from here on may be chance
_LONGEST = 600  # characters of a text in a table
_BINS = 20
_BARS = 100  # a bar for each query up to here; beyond, one for all of about the same change
_WIDTH, _HEIGHT = 1000, 200  # of a plot, in units of its own
_DISTRIBUTION = "How many queries have which value"
_LEGEND = (
    "Wins, ties and losses are of B against A, query by query. p is the chance of so large a change, up or down, if "
    "A and B were alike: a paired randomisation test, not corrected for looking at several measures."
)
_STYLE = Path(__file__).with_name("page.css")


class _Html(str):
    """Mark text that is HTML already: any other is escaped where it becomes part of an element."""


class _Bar(NamedTuple):
    """Hold a bar: its left edge, width and height in a plot's units (below the line where negative), and its words."""

    x: float
    width: float
    height: float
    kind: str
    said: str


class _Plot(NamedTuple):
    """Hold what stands around the bars: name, legend as (class, text), numbers from top down and from left to right."""

    name: str
    keys: list[tuple[str, str]]
    y: list[str]
    x: list[str]
    kind: str


def report_page(report: Report) -> str:
    """Return a page that shows a report: the measures, their distributions, the worst queries, how it was made."""
    names = [name for name in report.metrics if _values(report, name)]
    plots = [_histogram(name, {"": _values(report, name)}) for name in names]
    first = next((name for name in names if name not in COSTS), None)
    lead = next(((name, value) for name, value in report.metrics.items() if value is not None), ("", None))
    queries = counted(report.queries, "query", "queries")
    return _page(
        f"{report.command}: {lead[0]} {_figure(lead[1])}",
        _e("h1", report.command),
        _e("p", _e("b", _figure(lead[1])), f"{lead[0]} over {queries}, in {report.seconds:,.1f} s", class_="lede"),
        _section("Measures", _measures(report)),
        _section(_DISTRIBUTION, _e("div", *plots, class_="grid") if plots else ""),
        _worst(report, first) if first else "",
        _section("Left out, and failed", _skipped(report.skipped), _failed(report.failed)),
        _section("How it was measured", _command_line(report, "Command"), _facts_of(report)),
    )


def comparison_page(comparison: Comparison) -> str:
    """Return a page that shows a comparison: the differences, each query's change, both distributions, what differs."""
    name, a, b = comparison.measure, comparison.a, comparison.b
    [lead] = [difference for difference in comparison.differences if difference.measure == name]
    sides = {"A": [value.a for value in comparison.values], "B": [value.b for value in comparison.values]}
    return _page(
        f"{a.command} compared: {name} {_figure(lead.change, '+')}",
        _e("h1", f"{a.command}: A and B compared"),
        _e("p", _e("b", _figure(lead.change, "+")), _verdict(lead, comparison.shared), class_="lede"),
        *_notes(comparison),
        _section("Measures", _differences(comparison.differences), _e("p", _LEGEND, class_="soft")),
        _section("Change of each query", _changes(lead, comparison.values)),
        _section(_DISTRIBUTION, _histogram(name, sides, "tall")),
        _most_changed(comparison),
        _section("What differs", _unlike(a, b), _command_line(a, "Command of A"), _command_line(b, "Command of B")),
    )


def write_page(path: Path, page: str) -> None:
    """Write a page to a file."""
    path.write_text(page, encoding="utf-8")


# What a page is made of


def _e(name: str, *content: str, **attributes: object) -> _Html:
    """Make an element; `class_` is its class, and text that is no element is escaped."""
    inside = "".join(part if isinstance(part, _Html) else _escaped(part) for part in content)
    said = "".join(f' {key.strip("_").replace("_", "-")}="{_escaped(str(v))}"' for key, v in attributes.items())
    return _Html(f"<{name}{said}>{inside}</{name}>")


def _escaped(text: str) -> str:
    return html.escape(_CONTROL.sub("\ufffd", text.replace("\r\n", "\n")))


def _page(title: str, *content: str) -> str:
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    )
    body = _e("body", "\n", _e("main", *content), "\n")
    style = _STYLE.read_text(encoding="utf-8")
    return f"{head}{_e('title', f'{title} – ragcli')}\n<style>\n{style}</style>\n</head>\n{body}\n</html>\n"


def _section(heading: str, *content: str) -> str:
    return _e("section", _e("h2", heading), *content) if any(content) else ""


def _table(label: str, heads: Sequence[str], rows: Iterable[Sequence[str]], texts: int, kind: str = "") -> _Html:
    """Make a table that scrolls for itself; the first `texts` columns hold text, the others numbers."""
    kinds = ["t"] * texts + ["n"] * (len(heads) - texts)
    head = _e("tr", *(_e("th", text, scope="col", class_=k) for text, k in zip(heads, kinds, strict=True)))
    body = (_e("tr", *(_cell(i, text, k) for i, (text, k) in enumerate(zip(row, kinds, strict=True)))) for row in rows)
    table = _e("table", _e("thead", head), _e("tbody", *body))
    return _e("div", table, class_=f"scroll {kind}".strip(), role="region", aria_label=label, tabindex=0)


def _cell(column: int, text: str, kind: str) -> _Html:
    more = {"dir": "auto"} if kind == "t" else {}
    return _e("td", text, class_=kind, **more) if column else _e("th", text, scope="row", class_=kind, **more)


def _figure(value: float | None, sign: str = "") -> str:
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return format(value, f"{sign},.4f" if abs(value) < 1e6 else f"{sign}.3e").replace("-", "−")


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def _measure(name: str) -> _Html:
    lower = _e("small", "lower is better") if is_worse(name, 1.0, 0.0) else ""
    return _Html(_escaped(name) + lower)


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name} · ")
        else:
            yield f"{prefix}{name}", "none" if value is None else str(value)


# Parts of a report


def _values(report: Report, measure: str) -> list[float]:
    found = (values.get(measure) for values in report.per_query.values())
    return [value for value in found if value is not None]


def _measures(report: Report) -> _Html:
    """Return the table of measures; those of answers without passages stand beside those with them."""
    without = report.details.get("without_passages", {})
    heads = ["Measure", "Value", *(("Without passages", "Gain") if without else ()), "Queries"]
    rows = []
    for name, value in report.metrics.items():
        more = [_figure(without["metrics"].get(name)), _figure(without["gain"].get(name), "+")] if without else []
        n = len(_values(report, name))  # none where the measure is one of all queries together
        rows.append([_measure(name), _figure(value), *more, f"{n:,}" if n else "–"])
    return _table("Measures", heads, rows, texts=1, kind="names")


def _worst(report: Report, measure: str) -> str:
    """List the queries with the worst values of a measure, ties by id; of answers also what was asked and answered."""
    sign = -1 if is_worse(measure, 1.0, 0.0) else 1
    found = [(sign * value, query) for query, by in report.per_query.items() if (value := by.get(measure)) is not None]
    worst = [query for _, query in sorted(found)[:_SHOWN]]
    parts = _parts(report)
    names = [measure] if parts else [name for name in report.metrics if _values(report, name)]
    rows = [
        [_shortened(query), *_said(report, query, parts)]
        + [_figure(report.per_query[query].get(name)) for name in names]
        for query in worst
    ]
    heads = ["Query", *map(str.capitalize, parts), *names]
    shown = _e("p", f"{len(worst)} of {counted(len(found), 'query', 'queries')}, ties by id.", class_="soft")
    table = _table("Worst queries", heads, rows, texts=1 + len(parts), kind="long" if parts else "")
    return _section(f"{'Lowest' if sign > 0 else 'Highest'} {measure}", shown, table)


def _parts(report: Report) -> tuple[str, ...]:
    """Return what a report knows of its queries: their texts, and of answers also these."""
    known: Mapping[str, Any] = next(iter(report.details.get("queries", {}).values()), {})
    return tuple(part for part in ("question", "accepted", "answer") if part in known)


def _said(report: Report, query: str, parts: Sequence[str]) -> list[str]:
    """Return parts of what was asked and answered, as text."""
    known = report.details.get("queries", {}).get(query, {})
    texts = ("\n".join(text) if isinstance(text := known.get(part), list) else text for part in parts)
    return [_shortened(text) if text else "–" for text in texts]


def _skipped(skipped: Mapping[str, int]) -> str:
    rows = [[name.replace("_", " ").capitalize(), f"{count:,}"] for name, count in skipped.items()]
    return _table("Left out", ["Left out", "Count"], rows, texts=1) if rows else ""


def _failed(failed: Mapping[str, str]) -> str:
    if not failed:
        return ""
    rows = [[_shortened(query), _shortened(reason)] for query, reason in list(failed.items())[:_SHOWN]]
    said = _e("p", f"{counted(len(failed), 'query', 'queries')} failed; {len(rows)} shown.", class_="soft")
    return _Html(said + _table("Failed", ["Query", "Why it failed"], rows, texts=2))


def _command_line(report: Report, heading: str) -> str:
    return _Html(_e("h3", heading) + _e("pre", report.command_line)) if report.command_line else ""


def _facts(report: Report) -> dict[str, dict[str, Any]]:
    """Return what a measurement was made with, by the heading that it stands under."""
    more = {name: value for name, value in report.details.items() if not isinstance(value, Mapping)}
    made = {"ragcli": report.version, **report.machine}
    return {"Settings": report.settings, "Data": report.data, "Version and machine": made, "More": more}


def _facts_of(report: Report) -> str:
    tables = (
        _e("div", _e("h3", name), _table(name, ["Name", "Value"], _flat(facts), texts=2))
        for name, facts in _facts(report).items()
        if facts
    )
    return _e("div", *tables, class_="grid")


# Parts of a comparison


def _verdict(found: Difference, shared: int) -> str:
    over = f"{found.measure} over {counted(shared, 'query', 'queries')}: "
    if not (found.wins or found.losses):
        return f"{over}B is like A"
    chance = f"p\u00a0=\u00a0{_figure(found.p_value)}"
    if found.p_value is not None and found.p_value >= _SURE:
        return f"{over}no sure difference, {chance}"
    return f"{over}B is {'worse' if is_worse(found.measure, found.b, found.a) else 'better'}, {chance}"


def _notes(comparison: Comparison) -> Iterator[_Html]:
    if comparison.only_a or comparison.only_b:
        left_out = f"{comparison.only_a:,} of A and {comparison.only_b:,} of B are left out"
        queries = counted(comparison.shared, "query that both reports have", "queries that both reports have")
        yield _e("p", f"Compared over the {queries}; {left_out}.", class_="note")
    if comparison.changed_data:
        data = ", ".join(comparison.changed_data)
        yield _e("p", f"The reports were measured on different data: {data}. A change may be theirs.", class_="note")


def _differences(differences: Iterable[Difference]) -> _Html:
    rows = (
        [_measure(d.measure), _figure(d.a), _figure(d.b), _figure(d.change, "+"), _figure(d.p_value)]
        + [f"{count:,}" for count in (d.wins, d.ties, d.losses)]
        for d in differences
    )
    return _table("Measures", ["Measure", "A", "B", "Change", "p", "Wins", "Ties", "Losses"], rows, 1, "names")


def _most_changed(comparison: Comparison) -> str:
    a, b = comparison.a, comparison.b
    changed = comparison.most_changed(_SHOWN)
    asked = [part for part in _parts(a) if part == "question"]
    said = [part for part in _parts(a) if part == "answer" and part in _parts(b)]
    heads = ["Query", *map(str.capitalize, asked), *(f"Answer of {side}" for _ in said for side in "AB")]
    rows = []
    for query, before, after in changed:
        texts = [_shortened(query), *_said(a, query, asked + said), *_said(b, query, said)]
        rows.append([*texts, _figure(before), _figure(after), _figure(after - before, "+")])
    table = _table("Queries", [*heads, "A", "B", "Change"], rows, len(heads), "long" if asked else "")
    return _section(f"Queries that changed most, by {comparison.measure}", table if changed else "")


def _unlike(a: Report, b: Report) -> _Html:
    one, other = (dict(_flat(_facts(report))) for report in (a, b))
    names = [name for name in one | other if one.get(name) != other.get(name)]
    if not names:
        return _e("p", "Settings, data, version and machine are the same.")
    rows = ([name, one.get(name, "–"), other.get(name, "–")] for name in names)
    return _table("What differs", ["Name", "A", "B"], rows, texts=3, kind="long")


# Plots


def _histogram(name: str, series: Mapping[str, list[float]], kind: str = "") -> _Html:
    """Draw how many queries have which value, the series side by side; one alone needs no name."""
    low, high = _range([value for values in series.values() for value in values if math.isfinite(value)])
    counts = {side: _counts(values, low, high) for side, values in series.items()}
    top = max(map(max, counts.values()))
    unit = _HEIGHT / (top or 1)
    edges = [f"{low + (high - low) * i / _BINS:.4g}" for i in range(_BINS + 1)]
    step, width = _WIDTH / _BINS, 0.9 * _WIDTH / _BINS / len(series)
    bars = (
        _Bar(step * (i + 0.05) + n * width, width, unit * count, side.lower() or "b", f"{said}: {count:,}")
        for n, side in enumerate(series)
        for i, (count, said) in enumerate(zip(counts[side], map(" to ".join, pairwise(edges)), strict=True))
    )
    keys = [(side.lower(), f"{side} {_described(values)}".strip()) for side, values in series.items()]
    ticks = [f"{tick:.4g}" for tick in (low, (low + high) / 2, high)]
    return _plot(_Plot(name, keys, [f"{top:,}", "0"], ticks, kind), bars, _HEIGHT)


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
    centroid = f"mean {_figure(mean(finite))}, median {_figure(median(finite))}" if finite else "no value"
    return centroid + _not_drawn(len(values) - len(finite))


def _not_drawn(infinite: int) -> str:
    return f", {infinite:,} infinite and not drawn" if infinite else ""


def _changes(found: Difference, values: Sequence[Changed]) -> _Html:
    """Draw the change of each query, the highest first, up or down from a line."""
    finite = [(round(v.b - v.a, 9), v.query) for v in values if math.isfinite(v.b - v.a)]
    most = max((abs(change) for change, _ in finite), default=0.0)
    if not most:
        return _e("p", "No query changed." if len(finite) == len(values) else "No query has a finite change.")
    bars = _steps(found.measure, sorted(finite, key=lambda pair: (-pair[0], pair[1])), most)
    same = f"same {found.ties:,}{_not_drawn(len(values) - len(finite))}"
    keys = [("better", f"better {found.wins:,}"), ("worse", f"worse {found.losses:,}"), ("", same)]
    ends = [_figure(most, "+"), "0", _figure(-most)]
    plot = _Plot(f"{found.measure}, B − A, sorted", keys, ends, ["1", f"{len(finite):,}"], "tall")
    return _plot(plot, bars, _HEIGHT / 2)


def _steps(measure: str, changes: Sequence[tuple[float, str]], most: float) -> Iterator[_Bar]:
    """Yield a bar for each change, or, of many, one for all that look alike."""
    few = len(changes) <= _BARS
    step, gap, start = _WIDTH / len(changes), 0.1 if few else 0.0, 0
    levels = [round(_HEIGHT / 2 * change / most) or (change > 0) - (change < 0) for change, _ in changes]
    for _, group in groupby(range(len(changes)), key=lambda i: i if few else levels[i]):
        n = len(list(group))
        change, query = changes[start]
        who = _shortened(query) if n == 1 else f"{n:,} queries, about"
        kind = "better" if is_worse(measure, 0.0, change) else "worse"
        width = step * (n - 2 * gap)
        yield _Bar(step * (start + gap), width, levels[start], kind, f"{who} {_figure(change, '+')}")
        start += n


def _plot(plot: _Plot, bars: Iterable[_Bar], base: float) -> _Html:
    """Draw bars up or down from a line at `base`, with their legend above and numbers at both axes."""
    legend = [_e("span", *([_e("i", class_=kind)] if kind else []), text) for kind, text in plot.keys]
    title = _e("title", f"{plot.name}: {'; '.join(text for _, text in plot.keys)}")
    line = _e("line", x1=0, x2=_WIDTH, y1=base, y2=base)
    box = {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "preserveAspectRatio": "none", "role": "img"}
    svg = _e("svg", title, *(_rect(bar, base) for bar in bars if bar.height), line, **box)
    y, x = (_e("div", *(_e("span", t) for t in ts), class_=c) for ts, c in ((plot.y, "y"), (plot.x, "x")))
    caption = _e("figcaption", _e("b", plot.name), *legend)
    return _e("figure", caption, _e("div", y, svg, x, class_="plot"), class_=plot.kind)


def _rect(bar: _Bar, base: float) -> _Html:
    height = max(2.0, abs(bar.height))
    top = base - height if bar.height > 0 else base
    place = {"x": bar.x, "y": top, "width": bar.width, "height": height}
    return _e("rect", _e("title", bar.said), class_=bar.kind, **{k: f"{v:.5g}" for k, v in place.items()})
