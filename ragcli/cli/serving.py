"""The commands that keep an index within reach: serve, mcp."""

from typing import Annotated

import typer

from ragcli import render, settings
from ragcli.cli import checks
from ragcli.cli.options import IndexArgs, Mode, flat
from ragcli.cli.writing import Model


@flat
def serve(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Address to listen on; one that others can reach wants a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 8420,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Another name by which the server may be asked; repeatable.", show_default=False),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Requests to work on at once.")] = 2,
    waiting: Annotated[int, typer.Option(min=0, help="Requests that may wait; more are told to come again.")] = 32,
    background: Annotated[
        bool, typer.Option("--background", help="Serve the command line's own ask and search, and go on at once.")
    ] = False,
    idle: Annotated[int, typer.Option(min=1, help="Seconds without a command after which --background ends.")] = 1800,
    stop: Annotated[bool, typer.Option("--stop", help="End what --background has started.")] = False,
    mode: Mode = None,
    at: IndexArgs = IndexArgs(),
    model: Model = None,
) -> None:
    """Serve an index: a page for people, HTTP for programs, OpenAI's interface for what speaks that.

    Example: ragcli serve --index notes
    """
    checks.check(context, checks.SERVE)
    if background or stop:
        from ragcli.cli import main
        from ragcli.serve import background as server

        return server.stop(render.print_note) if stop else server.start(main, idle, render.print_note)
    from ragcli.api import Index
    from ragcli.serve.run import Listening
    from ragcli.serve.run import serve as listen

    index = Index(at.index, store=at.store, ca_certs=at.ca_certs, mode=mode, model=model, note=render.print_note)
    listening = Listening(host, port, tuple(allow_host or ()), settings.server_token(), threads, waiting)
    return listen(index, listening, render.print_note)


@flat
def mcp(
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Listen on this port, over HTTP. [default: stdin and stdout]", show_default=False
        ),
    ] = None,
    mode: Mode = None,
    at: IndexArgs = IndexArgs(),
) -> None:
    """Give agents and editors an index, by the Model Context Protocol.

    Example: ragcli mcp --index notes
    """
    from ragcli.api import Index
    from ragcli.mcp import run

    run(Index(at.index, store=at.store, ca_certs=at.ca_certs, mode=mode, note=render.print_note), port)
