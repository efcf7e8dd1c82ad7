"""Lay a report, or a comparison of two, out as one HTML page that needs nothing else: no script, no file, no network.

Text from documents, models and users is data: the templates escape all of it, and show control characters as a mark.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ragcli.counts import counted
from ragcli.evaluate.comparison import Comparison, Difference
from ragcli.evaluate.plots import changes_plot, figure, histogram, shortened
from ragcli.evaluate.report import COSTS, Report, is_worse

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHOWN = 20  # rows of a table of queries
_SIGNIFICANT = 0.05  # a change with a p-value from here on may be chance


class Table(NamedTuple):
    """Hold a table: the first `texts` columns are text, the others numbers; for measures in `lower`, less is better."""

    label: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int
    kind: str = ""
    lower: frozenset[str] = frozenset()


class Lead(NamedTuple):
    """Hold the main measure of a page."""

    name: str
    value: float | None


class Worst(NamedTuple):
    """Hold the queries with the worst values, and the number of all."""

    heading: str
    queries: int
    table: Table


def report_page(report: Report) -> str:
    """Return the page of a report: measures, distributions, the worst queries, and settings."""
    names = [name for name in report.metrics if _values(report, name)]
    first = next((name for name in names if name not in COSTS), None)
    lead = Lead(*next(((name, value) for name, value in report.metrics.items() if value is not None), ("", None)))
    return _render(
        "report.html.jinja",
        title=f"{report.command}: {lead.name} {figure(lead.value)}",
        report=report,
        lead=lead,
        measures=_measures(report),
        plots=[histogram(name, {"": _values(report, name)}) for name in names],
        worst=_worst(report, first) if first else None,
        skipped=_skipped(report.skipped),
        failed=_failed(report.failed),
        metadata=[_metadata_table(name, found) for name, found in _metadata(report).items() if found],
    )


def comparison_page(comparison: Comparison) -> str:
    """Return the page of a comparison: differences, changes of queries, distributions, and settings that differ."""
    name, a, b = comparison.measure, comparison.a, comparison.b
    [lead] = [difference for difference in comparison.differences if difference.measure == name]
    sides = {"A": [value.a for value in comparison.values], "B": [value.b for value in comparison.values]}
    finite = all(math.isfinite(value.b - value.a) for value in comparison.values)
    return _render(
        "comparison.html.jinja",
        title=f"{a.command} compared: {name} {figure(lead.change, '+')}",
        comparison=comparison,
        a=a,
        b=b,
        lead=lead,
        verdict=_verdict(lead, comparison.shared),
        measures=_differences(comparison.differences),
        changes=changes_plot(lead, comparison.values),
        unchanged="No query changed." if finite else "No query has a finite change.",
        distribution=histogram(name, sides, "tall"),
        changed=_most_changed(comparison),
        unlike=_unlike(a, b),
    )


def write_page(path: Path, page: str) -> None:
    """Write a page to a file."""
    path.write_text(page, encoding="utf-8")


def _render(template: str, **parts: object) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure, "counted": counted}
    return environment.get_template(template).render(parts)


def _visible(value: object) -> object:
    """Replace control characters by a visible mark."""
    return value if isinstance(value, Markup) else _CONTROL.sub("\ufffd", str(value).replace("\r\n", "\n"))


# Parts of a report


def _values(report: Report, measure: str) -> list[float]:
    found = (values.get(measure) for values in report.per_query.values())
    return [value for value in found if value is not None]


def _lower(measures: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in measures if is_worse(name, 1.0, 0.0))


def _measures(report: Report) -> Table:
    """Return the table of measures, with those of answers without passages if there are any."""
    without = report.details.get("without_passages", {})
    heads = ["Measure", "Value", *(("Without passages", "Gain") if without else ()), "Queries"]
    rows = []
    for name, value in report.metrics.items():
        more = [figure(without["metrics"].get(name)), figure(without["gain"].get(name), "+")] if without else []
        n = len(_values(report, name))  # none for a measure over all queries together
        rows.append([name, figure(value), *more, f"{n:,}" if n else "–"])
    return Table("Measures", heads, rows, texts=1, kind="names", lower=_lower(report.metrics))


def _worst(report: Report, measure: str) -> Worst:
    """Return the queries with the worst values of a measure, ties by id, for answers with their texts."""
    sign = -1 if is_worse(measure, 1.0, 0.0) else 1
    found = [(sign * value, query) for query, by in report.per_query.items() if (value := by.get(measure)) is not None]
    parts = _parts(report)
    names = [measure] if parts else [name for name in report.metrics if _values(report, name)]
    rows = [
        [shortened(query), *_texts(report, query, parts)]
        + [figure(report.per_query[query].get(name)) for name in names]
        for _, query in sorted(found)[:_SHOWN]
    ]
    heads = ["Query", *map(str.capitalize, parts), *names]
    table = Table("Worst queries", heads, rows, texts=1 + len(parts), kind="long" if parts else "")
    return Worst(f"{'Lowest' if sign > 0 else 'Highest'} {measure}", len(found), table)


def _parts(report: Report) -> tuple[str, ...]:
    """Return a report's details of its queries: their texts, and for answers also these."""
    known: Mapping[str, Any] = next(iter(report.details.get("queries", {}).values()), {})
    return tuple(part for part in ("question", "accepted", "answer") if part in known)


def _texts(report: Report, query: str, parts: Sequence[str]) -> list[str]:
    """Return details of a question and its answer as text."""
    known = report.details.get("queries", {}).get(query, {})
    texts = ("\n".join(text) if isinstance(text := known.get(part), list) else text for part in parts)
    return [shortened(text) if text else "–" for text in texts]


def _skipped(skipped: Mapping[str, int]) -> Table:
    rows = [[name.replace("_", " ").capitalize(), f"{count:,}"] for name, count in skipped.items()]
    return Table("Left out", ["Left out", "Count"], rows, texts=1)


def _failed(failed: Mapping[str, str]) -> Table:
    rows = [[shortened(query), shortened(reason)] for query, reason in list(failed.items())[:_SHOWN]]
    return Table("Failed", ["Query", "Why it failed"], rows, texts=2)


def _metadata(report: Report) -> dict[str, dict[str, Any]]:
    """Return the settings of a measurement, by heading."""
    more = {name: value for name, value in report.details.items() if not isinstance(value, Mapping)}
    made = {"ragcli": report.version, **report.machine}
    return {"Settings": report.settings, "Data": report.data, "Version and machine": made, "More": more}


def _metadata_table(name: str, metadata: Mapping[str, Any]) -> Table:
    return Table(name, ["Name", "Value"], list(_flat(metadata)), texts=2)


def _flat(metadata: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in metadata.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name} · ")
        else:
            yield f"{prefix}{name}", "none" if value is None else str(value)


# Parts of a comparison


def _verdict(found: Difference, shared: int) -> str:
    over = f"{found.measure} over {counted(shared, 'query', 'queries')}: "
    if not (found.wins or found.losses):
        return f"{over}B is like A"
    chance = f"p\u00a0=\u00a0{figure(found.p_value)}"
    if found.p_value is not None and found.p_value >= _SIGNIFICANT:
        return f"{over}no sure difference, {chance}"
    return f"{over}B is {'worse' if is_worse(found.measure, found.b, found.a) else 'better'}, {chance}"


def _differences(differences: Sequence[Difference]) -> Table:
    rows = [
        [d.measure, figure(d.a), figure(d.b), figure(d.change, "+"), figure(d.p_value)]
        + [f"{count:,}" for count in (d.wins, d.ties, d.losses)]
        for d in differences
    ]
    heads = ["Measure", "A", "B", "Change", "p", "Wins", "Ties", "Losses"]
    return Table("Measures", heads, rows, texts=1, kind="names", lower=_lower(d.measure for d in differences))


def _most_changed(comparison: Comparison) -> Table:
    a, b = comparison.a, comparison.b
    asked = [part for part in _parts(a) if part == "question"]
    answered = [part for part in _parts(a) if part == "answer" and part in _parts(b)]
    heads = ["Query", *map(str.capitalize, asked), *(f"Answer of {side}" for _ in answered for side in "AB")]
    rows = []
    for query, before, after in comparison.most_changed(_SHOWN):
        texts = [shortened(query), *_texts(a, query, asked + answered), *_texts(b, query, answered)]
        rows.append([*texts, figure(before), figure(after), figure(after - before, "+")])
    return Table("Queries", [*heads, "A", "B", "Change"], rows, len(heads), "long" if asked else "")


def _unlike(a: Report, b: Report) -> Table:
    one, other = (dict(_flat(_metadata(report))) for report in (a, b))
    names = [name for name in one | other if one.get(name) != other.get(name)]
    rows = [[name, one.get(name, "–"), other.get(name, "–")] for name in names]
    return Table("What differs", ["Name", "A", "B"], rows, texts=3, kind="long")
