"""The command that fills an index: index."""

from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragcli import render
from ragcli.analysis.languages import Language
from ragcli.callbacks import Callbacks
from ragcli.cli import checks
from ragcli.cli.options import EncoderName, MadeIndexArgs, Rejects, TextFormat, flat
from ragcli.errors import ExitCode
from ragcli.store import IndexLocation

if TYPE_CHECKING:
    from ragcli.indexing import IndexOptions, Summary

Include = Annotated[
    list[str] | None,
    typer.Option(help="In folders, read only files that match this pattern; repeatable.", show_default=False),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="In folders, skip files that match this pattern; repeatable.", show_default=False),
]
FollowSymlinks = Annotated[bool, typer.Option("--follow-symlinks", help="Follow links to folders.")]


@flat
def index(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(help="Files to read, folders of them, URLs, or `-` for stdin.")],
    index_args: MadeIndexArgs = MadeIndexArgs(),
    text_field: Annotated[str, typer.Option(help="Field with the text.")] = "text",
    title_field: Annotated[str, typer.Option(help="Field with the title.")] = "title",
    id_field: Annotated[str, typer.Option(help="Field with the id.")] = "id",
    language: Annotated[
        Language | None,
        typer.Option(help="Language of a new index. [default: detected from the first texts]", show_default=False),
    ] = None,
    query: Annotated[
        str | None, typer.Option(help="Of SQLite databases, read what this finds: SELECT …", show_default=False)
    ] = None,
    passage_size: Annotated[
        int | None,
        typer.Option(min=100, max=100_000, help="Maximal characters per passage. [default: 1200]", show_default=False),
    ] = None,
    encoder: EncoderName = None,
    no_encoder: Annotated[
        bool,
        typer.Option(
            "--no-encoder",
            envvar="RAGCLI_NO_ENCODER",
            help="Make a new index without vectors, for search by words only.",
        ),
    ] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete documents that are not in the input.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; report what would happen.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Remove the index first.")] = False,
    include: Include = None,
    exclude: Exclude = None,
    follow_symlinks: FollowSymlinks = False,
    rejects: Rejects = None,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and load again whenever the files change.")] = False,
    format: TextFormat = "text",
) -> None:
    """Index documents; when run again, only changes are written.

    A document is a section of a file (Markdown, HTML, PDF, DOCX and others), a row of a table, or a line of JSON:
    {"text": "…", "id": "…", "title": "…", and any other field as metadata}.

    Example: ragcli index sample_data/python.jsonl
    """
    from ragcli.indexing import AUTO_ENCODER, IndexOptions
    from ragcli.readers import FieldNames, Selection

    checks.check(context, checks.INDEX)
    chosen = encoder or (None if no_encoder else AUTO_ENCODER)
    options = IndexOptions(
        FieldNames(text_field, title_field, id_field, query or ""),
        language,
        passage_size,
        chosen,
        prune,
        dry_run,
        rebuild,
        (rejects,) if rejects else (),
        Selection(tuple(include or ()), tuple(exclude or ()), follow_symlinks),
    )
    if watch:
        from ragcli.watching import keep_fresh

        each = chain([options], repeat(options._replace(rebuild=False)))
        written = (index_args.location.home, *options.written)
        keep_fresh(
            list(map(Path, files)),
            written,
            lambda: _index(files, index_args.location, next(each), rejects, format),
            render.print_error,
        )
    elif _index(files, index_args.location, options, rejects, format).rejected:
        raise typer.Exit(ExitCode.REJECTS)


def _index(
    files: list[str], location: IndexLocation, options: "IndexOptions", rejects: Path | None, format: str
) -> "Summary":
    from ragcli.indexing import index_files
    from ragcli.readers.rejects import RejectLog

    deletable: list[str] | None = [] if options.dry_run else None
    with RejectLog(rejects, map(Path, files)) as log, render.progress("Indexing") as progress:
        callbacks = Callbacks(progress, render.print_note, log.add, skip=log.leave_out)
        if deletable is not None:
            callbacks = callbacks._replace(deletion=deletable.append)
        summary = index_files(files, location, options, callbacks)
    render.print_left_out(log.left_out)
    render.print_rejects(log.first, summary.rejected)
    render.print_summary(summary, format == "json", deletable)
    return summary
