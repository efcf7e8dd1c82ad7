"""Print reports and comparisons."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragcli.counts import counted
from ragcli.render.base import console, figure, line, print_json, print_note, print_text

if TYPE_CHECKING:
    from rich.table import Table

    from ragcli.evaluate.comparison import Changed, Comparison, Difference
    from ragcli.evaluate.report import Crossing, Report


def print_report(report: "Report", as_json: bool) -> None:
    """Print a report as one JSON object, or as a table of the measures."""
    if as_json:
        print_json(report._asdict())
        return
    from rich.table import Table

    without = report.details.get("without_passages", {})
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Measure")
    table.add_column("Value", justify="right")
    for heading in ("Without passages", "Gain") if without else ():
        table.add_column(heading, justify="right")
    for name, value in report.metrics.items():
        more = (figure(without[key].get(name)) for key in ("metrics", "gain")) if without else ()
        table.add_row(name, figure(value), *more)
    console().print(table)
    print_text(f"{counted(report.queries, 'query', 'queries')} · {report.seconds:.1f} s")


def print_crossings(crossings: Sequence["Crossing"]) -> None:
    """Print on stderr which measures crossed which limit."""
    for measure, value, limit, source in crossings:
        print_note(f"Gate: {measure} is {value:.4f}, {'over' if value > limit else 'under'} {limit:.4f} ({source})")


def print_comparison(comparison: "Comparison", show: int, as_json: bool) -> None:
    """Print the differences of two reports, and the queries that changed most."""
    changed = comparison.most_changed(show)
    if as_json:
        print_json(
            {
                "shared": comparison.shared,
                "only_a": comparison.only_a,
                "only_b": comparison.only_b,
                "changed_data": comparison.changed_data,
                "measures": [
                    {**difference._asdict(), "change": difference.change} for difference in comparison.differences
                ],
                "by": comparison.measure,
                "changed": [value._asdict() for value in changed],
            }
        )
        return
    _note_unlike(comparison)
    console().print(_differences(comparison.differences))
    if changed:
        print_text("")
        console().print(_changes(changed, comparison))


def _note_unlike(comparison: "Comparison") -> None:
    if comparison.only_a or comparison.only_b:
        shared = counted(comparison.shared, "query", "queries")
        left_out = f"{comparison.only_a:,} of A and {comparison.only_b:,} of B are left out"
        print_note(f"compared over the {shared} that both reports have; {left_out}")
    if comparison.changed_data:
        print_note(f"the reports were measured on different data: {', '.join(comparison.changed_data)}")


def _differences(differences: Sequence["Difference"]) -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Measure")
    for heading in ("A", "B", "Change", "p", "Wins", "Ties", "Losses"):
        table.add_column(heading, justify="right")
    for d in differences:
        counts = (f"{count:,}" for count in (d.wins, d.ties, d.losses))
        table.add_row(d.measure, figure(d.a), figure(d.b), f"{d.change:+.4f}", figure(d.p_value), *counts)
    return table


def _changes(changed: Sequence["Changed"], comparison: "Comparison") -> "Table":
    from rich.table import Table
    from rich.text import Text

    asked = comparison.a.details.get("queries", {})
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(f"Query, by {comparison.measure}", overflow="fold")
    for heading in ("A", "B", "Change"):
        table.add_column(heading, justify="right")
    for query, a, b in changed:
        text = Text.assemble(line(query), (f"  {line(asked.get(query, {}).get('question', ''))}", "dim"))
        table.add_row(text, figure(a), figure(b), f"{b - a:+.4f}")
    return table
