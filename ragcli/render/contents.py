"""Print the contents of an index."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ragcli.contents import document_json
from ragcli.render.base import console, line, print_json, print_note, print_text
from ragcli.render.links import linked

if TYPE_CHECKING:
    from ragcli.contents import Entry, Status
    from ragcli.documents import Document
    from ragcli.log import Entry as LogEntry
    from ragcli.sources import SourceFile
    from ragcli.store import Hit


def print_entries(entries: Iterable["Entry"], as_json: bool) -> None:
    """Print documents as JSON Lines, or as a table; on stderr, that there are none."""
    count = 0
    if as_json:
        for entry in entries:
            print_json(entry._asdict())
            count += 1
    else:
        count = _print_table(entries)
    if not count:
        print_note("No documents found.")


def _print_table(entries: Iterable["Entry"]) -> int:
    """Print documents as a table, if there are any; return how many."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("Document", "Title", "Passages"):
        table.add_column(name, overflow="fold")
    for entry in entries:
        table.add_row(Text(line(entry.id), linked(entry.metadata)), Text(line(entry.title)), str(entry.passages))
    if table.row_count:
        console().print(table)
    return table.row_count


def print_document(document: "Document", hits: Sequence["Hit"], as_json: bool) -> None:
    """Print a document: its title, its metadata, its text."""
    if as_json:
        print_json(document_json(document, hits))
        return
    if document.title:
        print_text(line(document.title))
    for name, value in document.metadata.items():
        print_text(f"{line(name)}: {line(str(value))}")
    print_text(f"\n{document.text}")


def print_passages(hits: Sequence["Hit"], as_json: bool) -> None:
    """Print passages, each under its document's id and its place there."""
    if as_json:
        kept = ("id", "title", "start", "end", "text", "metadata")
        print_json({"passages": [{name: getattr(hit, name) for name in kept} for hit in hits]})
        return
    for i, hit in enumerate(hits):
        print_text(f"{chr(10) * bool(i)}[{line(hit.id)} {hit.start}-{hit.end}]\n{hit.text}")


def print_status(
    status: "Status", files: Sequence["SourceFile"], index: str, *, list_files: bool = False, as_json: bool = False
) -> None:
    """Print the status of an index and the number of changed files, optionally with all files."""
    states: Counter[str] = Counter(file.state for file in files)
    if as_json:
        counts = {"count": len(files), **states}
        print_json({**status.as_json(index), "files": [file._asdict() for file in files] if list_files else counts})
        return
    encoder = status.config.encoder if status.config else None
    print_text(f"index: {line(index)}")
    print_text(f"documents: {status.documents:,}")
    print_text(f"passages: {status.passages:,}")
    if status.config:
        print_text(f"language: {status.config.language}")
        print_text(f"passage size: {status.config.passage_size:,} characters")
        print_text(f"encoder: {f'{line(encoder.name)} ({encoder.dimension} dimensions)' if encoder else 'none'}")
    print_text(f"metadata fields: {', '.join(map(line, status.fields)) or 'none'}")
    if files:
        changes = ", ".join(f"{states[state]:,} {state}" for state in ("changed", "gone") if states[state])
        newest = max(file.modified for file in files)[:10]
        print_text(f"files: {len(files):,}, the newest of {newest}; since they were read {changes or 'none changed'}")
    for file in files if list_files else ():
        print_text(f"  {file.state:<9}  {file.modified[:10]:<10}  {file.documents:>5}  {line(file.name)}")


def print_lines(texts: Iterable[str]) -> None:
    """Print each text on a separate line."""
    for text in texts:
        print_text(line(text))


def print_objects(values: Iterable[Mapping[str, Any]]) -> None:
    """Print each value as a line of JSON."""
    for value in values:
        print_json(value)


def print_log(entries: Iterable["LogEntry"], as_json: bool) -> None:
    """Print logged answers as JSON Lines, or a few lines each."""
    for entry in entries:
        if as_json:
            print_json(entry.as_json())
            continue
        answer = entry.answer
        model = f"  {line(answer.model)}" if answer.model else ""
        print_text(f"{entry.time}  {entry.command}{model}\n{line(answer.question)}\n{answer.answer or 'no answer'}\n")
