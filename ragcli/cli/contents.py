"""The commands on the contents of an index: list, show, delete, status, export, copy."""

from typing import Annotated

import typer

from ragcli import render
from ragcli.cli.options import (
    IndexArgs,
    OpenFile,
    Rejects,
    ReplicaCount,
    ShardCount,
    TableFormat,
    TextFormat,
    Where,
    filters,
    flat,
    open_file,
    parse_span,
)
from ragcli.errors import ExitCode, UsageError
from ragcli.inputs import read_argument
from ragcli.store import Shards

Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source", help="Only sections of this file, or of files in this folder; repeatable.", show_default=False
    ),
]


@flat
def list_(
    source: Sources = None,
    where: Where = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximal number of documents.")] = 100,
    index_args: IndexArgs = IndexArgs(),
    format: TableFormat = None,
) -> None:
    """List the documents of an index.

    Example: ragcli list --limit 5
    """
    from ragcli.contents import Selected, list_documents

    with index_args.open() as store:
        entries = list_documents(store, Selected((), source or (), filters(where)), limit)
        render.print_entries(entries, format == "json" if format else not render.on_terminal())


@flat
def show(
    id: Annotated[str, typer.Argument(help="The document's id.")],
    place: Annotated[
        str | None, typer.Argument(metavar="[START-END]", help="Only its passages there.", show_default=False)
    ] = None,
    around: Annotated[int, typer.Option(min=0, max=1000, help="Also show this many passages before and after.")] = 0,
    open_it: OpenFile = False,
    index_args: IndexArgs = IndexArgs(),
    format: TextFormat = "text",
) -> None:
    """Print a document, or a passage with those around it.

    Example: ragcli show glossary/lambda 0-186
    """
    from ragcli.contents import read_document, read_passages

    doc_id, span = read_argument(id), parse_span(place)
    with index_args.open() as store:
        document, hits = read_document(store, doc_id)
        if place is None and not around:
            render.print_document(document, hits, format == "json")
        else:
            render.print_passages(read_passages(store, doc_id, span, around), format == "json")
    if open_it:
        open_file(index_args.location, document.metadata)


@flat
def delete(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of documents.", show_default=False)] = None,
    source: Sources = None,
    where: Where = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Delete nothing; print the ids that would be deleted.")
    ] = False,
    index_args: IndexArgs = IndexArgs(),
) -> None:
    """Delete documents from an index, and print their ids.

    Example: ragcli delete --where "year<1990" --dry-run
    """
    from ragcli.contents import Selected, delete_documents

    selected = Selected(ids or (), source or (), filters(where))
    if not selected:
        raise UsageError("there is nothing to delete", "Give ids, --source FILE, or --where.")
    with index_args.open() as store:
        render.print_lines(delete_documents(store, selected, dry_run=dry_run, note=render.print_note))


@flat
def status(
    files: Annotated[bool, typer.Option("--files", help="List the files, and which have changed since.")] = False,
    index_args: IndexArgs = IndexArgs(),
    format: TextFormat = "text",
) -> None:
    """Show the contents of an index and how it was built.

    Example: ragcli status
    """
    from ragcli.contents import read_status
    from ragcli.sources import known_files

    with index_args.open() as store:
        found = read_status(store)
    render.print_status(
        found, known_files(index_args.location), index_args.index, list_files=files, as_json=format == "json"
    )


@flat
def export(source: Sources = None, where: Where = None, index_args: IndexArgs = IndexArgs()) -> None:
    """Export an index as JSON Lines that `ragcli index` reads back.

    Example: ragcli export | gzip > backup.jsonl.gz
    """
    from ragcli.contents import Selected, export_documents

    with index_args.open() as store:
        render.print_objects(export_documents(store, Selected((), source or (), filters(where))))


@flat
def copy(
    to: Annotated[str, typer.Option("--to", help="Target: `local`, or an Elasticsearch URL.")],
    to_index: Annotated[
        str | None, typer.Option("--to-index", help="Name of the copy. [default: the same]", show_default=False)
    ] = None,
    shards: ShardCount = None,
    replicas: ReplicaCount = None,
    index_args: IndexArgs = IndexArgs(),
    rejects: Rejects = None,
    format: TextFormat = "text",
) -> None:
    """Copy an index with its vectors to another store.

    Run again, it copies only what differs.

    Example: ragcli copy --to local --to-index backup
    """
    from ragcli.callbacks import Callbacks
    from ragcli.migration import copy_index
    from ragcli.readers.rejects import RejectLog

    target = index_args.location._replace(url=to, name=to_index or index_args.index, shards=Shards(shards, replicas))
    with RejectLog(rejects, []) as log, render.progress("Copying") as progress:
        summary = copy_index(index_args.location, target, Callbacks(progress, render.print_note, log.add))
    render.print_rejects(log.first, summary.rejected)
    render.print_summary(summary, format == "json")
    if summary.rejected:
        raise typer.Exit(ExitCode.REJECTS)
