"""The command that fills an index: index."""

from pathlib import Path
from typing import Annotated

import typer

from ragcli import render
from ragcli.analysis.languages import Language
from ragcli.callbacks import Callbacks
from ragcli.cli.options import EncoderName, IndexArgs, Rejects, TextFormat, flat
from ragcli.errors import ExitCode

Include = Annotated[
    list[str] | None,
    typer.Option(help="Of folders, read only files that match this pattern; repeatable.", show_default=False),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="Of folders, leave out what matches this pattern; repeatable.", show_default=False),
]
FollowSymlinks = Annotated[bool, typer.Option("--follow-symlinks", help="Follow links to folders.")]


@flat
def index(
    files: Annotated[list[Path], typer.Argument(help="Files to read, folders of them, or `-` for stdin.")],
    at: IndexArgs = IndexArgs(),
    text_field: Annotated[str, typer.Option(help="Field that holds the text.")] = "text",
    title_field: Annotated[str, typer.Option(help="Field that holds the title.")] = "title",
    id_field: Annotated[str, typer.Option(help="Field that holds the id.")] = "id",
    language: Annotated[
        Language | None,
        typer.Option(help="Language of a new index. [default: that of the first texts]", show_default=False),
    ] = None,
    passage_size: Annotated[
        int | None,
        typer.Option(min=100, max=100_000, help="Characters a passage at most. [default: 1200]", show_default=False),
    ] = None,
    encoder: EncoderName = None,
    no_encoder: Annotated[
        bool,
        typer.Option(
            "--no-encoder", envvar="RAGCLI_NO_ENCODER", help="Give a new index no vectors; search it by words only."
        ),
    ] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what the input no longer holds.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would happen.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Remove the index first.")] = False,
    include: Include = None,
    exclude: Exclude = None,
    follow_symlinks: FollowSymlinks = False,
    rejects: Rejects = None,
    format: TextFormat = "text",
) -> None:
    """Load documents; run again, it writes only what changed.

    A document is a section of a file (Markdown, HTML, PDF, DOCX and others), a row of a table, or a line of JSON:
    {"text": "…", "id": "…", "title": "…", and any other field as metadata}.

    Example: ragcli index sample_data/python.jsonl
    """
    from ragcli.indexing import AUTO_ENCODER, IndexOptions, index_files
    from ragcli.readers import FieldNames, Selection
    from ragcli.readers.rejects import RejectLog

    chosen = encoder or (None if no_encoder else AUTO_ENCODER)
    options = IndexOptions(
        FieldNames(text_field, title_field, id_field),
        language,
        passage_size,
        chosen,
        prune,
        dry_run,
        rebuild,
        (rejects,) if rejects else (),
        Selection(tuple(include or ()), tuple(exclude or ()), follow_symlinks),
    )
    deletable: list[str] | None = [] if dry_run else None
    with RejectLog(rejects, files) as log, render.progress("Indexing") as progress:
        callbacks = Callbacks(progress, render.print_note, log.add, skip=log.leave_out)
        if deletable is not None:
            callbacks = callbacks._replace(deletion=deletable.append)
        summary = index_files(files, at.location, options, callbacks)
    render.print_left_out(log.left_out)
    render.print_rejects(log.first, summary.rejected)
    render.print_summary(summary, format == "json", deletable)
    if summary.rejected:
        raise typer.Exit(ExitCode.REJECTS)
