"""The command that finds passages: search."""

from pathlib import Path
from typing import Annotated

import typer

from ragcli import render
from ragcli.cli import checks
from ragcli.cli.options import K, OpenFile, RankingArgs, SearchedIndexArgs, TableFormat, Where, filters, flat, open_file
from ragcli.errors import ExitCode
from ragcli.inputs import read_argument


@flat
def search(
    context: typer.Context,
    query: Annotated[
        str | None, typer.Argument(help="Words to search for, or `-` for stdin.", show_default=False)
    ] = None,
    k: K = 10,
    where: Where = None,
    ranking_args: RankingArgs = RankingArgs(),
    like: Annotated[
        str | None, typer.Option(metavar="ID", help="Find documents like this one.", show_default=False)
    ] = None,
    like_file: Annotated[
        Path | None, typer.Option(help="Find documents like this text, or `-` for stdin.", show_default=False)
    ] = None,
    open_first: OpenFile = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show the parts of each score.")] = False,
    index_args: SearchedIndexArgs = SearchedIndexArgs(),
    format: TableFormat = None,
) -> None:
    """Print the passages that match a query, best first.

    Example: ragcli search "list comprehension"
    """
    from ragcli.search import Searcher

    checks.check(context, checks.SEARCH)
    question = read_argument(query or "")
    with index_args.open() as store:
        searcher = Searcher(store, ranking_args.ranking(context), render.print_note)
        if query is not None:
            hits = searcher.search(question, k, filters(where))
        elif like is not None:
            hits = searcher.like(read_argument(like), k, filters(where))
        else:
            from ragcli.readers import read_text  # with all readers

            hits = searcher.like_text(read_text(like_file or Path("-")), k, filters(where))
        language = store.config.language if store.config else "en"
    if not hits:
        render.print_note("Nothing found.")
        raise typer.Exit(ExitCode.NOTHING_FOUND)
    as_json = format == "json" if format else not render.on_terminal()
    render.print_hits(hits, question, language, as_json, explain)
    if open_first:
        open_file(index_args.location, hits[0].metadata)
