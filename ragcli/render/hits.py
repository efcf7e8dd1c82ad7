"""Print the results of search and index: hits, counts, rejects."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ragcli.analysis.analyzer import analyzer
from ragcli.counts import counted, held
from ragcli.render.base import CONTROL, console, line, print_json, print_note, print_text
from ragcli.render.links import linked

if TYPE_CHECKING:
    from rich.text import Text

    from ragcli.documents import Reject
    from ragcli.indexing import Summary
    from ragcli.store import Hit, Part

_SNIPPET = 300
_SHOWN_REJECTS = 10
_SHOWN_REASONS = 5


def print_hits(hits: Sequence["Hit"], query: str, language: str, as_json: bool, explain: bool = False) -> None:
    """Print hits as JSON Lines, or as a table with the query's terms marked, optionally with the parts of scores."""
    if as_json:
        for hit in hits:
            print_json(hit.as_json(explain))
        return
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 1, 0), header_style="dim")
    table.add_column("#")
    table.add_column("Score")
    table.add_column("Document", overflow="fold", max_width=30)
    table.add_column("Passage", overflow="fold")
    for hit in hits:
        score = "\n".join([f"{hit.score:.2f}", *(_part(name, part) for name, part in hit.parts.items() if explain)])
        table.add_row(str(hit.rank), score, _document(hit), _snippet(hit.text, query, language))
    console().print(table)


def _part(name: str, part: "Part") -> str:
    where = "not found" if part.rank is None else f"{part.score:.2f} #{part.rank}"
    return f"{part.contribution:.2f} {name} {where}"


def _document(hit: "Hit") -> "Text":
    from rich.text import Text

    title = [(line(hit.title) + "\n", "bold")] if hit.title else []
    copies = [(f"\n{hit.copies} copies", "dim")] if hit.copies > 1 else []
    return Text.assemble(*title, (line(hit.id), linked(hit.metadata)), *copies)


def _snippet(text: str, query: str, language: str) -> "Text":
    """Return the stretch of a passage with most matches, marked."""
    from rich.text import Text

    spans = list(analyzer(language).match_spans(query, text))
    start, end = _stretch(text, spans)
    shown = Text(CONTROL.sub("\ufffd", text[start:end].replace("\r\n", " \n")).replace("\n", " ").replace("\t", " "))
    for left, right in spans:
        if start <= left and right <= end:
            shown.stylize("bold yellow", left - start, right - start)
    return Text("… " if start else "") + shown + Text(" …" if end < len(text) else "")


def _stretch(text: str, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return a stretch of at most 300 characters with as many matches as possible, between blanks if possible."""
    if len(text) <= _SNIPPET:
        return 0, len(text)
    starts = [max(0, text.find(" ", max(0, left - 40), left) + 1 if left > 40 else 0) for left, _ in spans] or [0]
    start = max(starts, key=lambda start: sum(start <= left and right <= start + _SNIPPET for left, right in spans))
    start = min(start, len(text) - _SNIPPET)
    end = start + _SNIPPET
    return start, text.rfind(" ", end - 20, end) if end < len(text) and " " in text[end - 20 : end] else end


def print_summary(summary: "Summary", as_json: bool, deletable: Sequence[str] | None = None) -> None:
    """Print the summary of an index run; with `deletable` (a dry run), also the ids that it would delete."""
    if as_json:
        print_json(asdict(summary) | ({} if deletable is None else {"deletable": sorted(deletable)}))
        return
    for doc_id in sorted(deletable or ()):
        print_text(f"would delete {line(doc_id)}")
    counts = ("read", "added", "updated", "unchanged", "deleted", "rejected")
    done = ", ".join(f"{getattr(summary, name):,} {name}" for name in counts)
    print_text(f"{done} · {held(summary.documents, summary.passages)} in the index · {summary.seconds:.1f} s")


def print_left_out(reasons: Mapping[str, int]) -> None:
    """Print on stderr how many files were skipped, and why."""
    if not reasons:
        return
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    shown = "; ".join(f"{count:,} × {reason}" for reason, count in ordered[:_SHOWN_REASONS])
    left = counted(len(ordered) - _SHOWN_REASONS, "more reason", "more reasons")
    more = f"; … and {left}" if len(ordered) > _SHOWN_REASONS else ""
    print_note(f"skipped {counted(sum(reasons.values()), 'file', 'files')}: {shown}{more}")


def print_rejects(rejects: Sequence["Reject"], total: int) -> None:
    """Describe the first rejected lines on stderr."""
    for reject in rejects[:_SHOWN_REJECTS]:
        print_note(f"rejected {reject.file}{_where(reject)}: {reject.reason}")
    if total > _SHOWN_REJECTS:
        print_note(f"… and {total - _SHOWN_REJECTS:,} more; --rejects FILE keeps them all")


def _where(reject: "Reject") -> str:
    place = reject.line or reject.id
    return f":{place}" if place else ""
