"""The commands that serve an index: serve, mcp."""

from typing import Annotated

import typer

from ragcli import render, settings
from ragcli.cli import checks
from ragcli.cli.options import IndexArgs, Mode, flat
from ragcli.cli.writing import Model


@flat
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on; other than loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")] = 8420,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Additional host name that requests may use; repeatable.", show_default=False),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, max=64, help="Answers to write in parallel; searches have as many threads.")
    ] = 2,
    waiting: Annotated[int, typer.Option(min=0, help="Requests of each kind that may wait; more get status 429.")] = 32,
    background: Annotated[
        bool, typer.Option("--background", help="Serve `ask` and `search` of the command line in the background.")
    ] = False,
    idle: Annotated[int, typer.Option(min=1, help="Seconds without a command after which --background ends.")] = 1800,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the background server.")] = False,
    mode: Mode = None,
    index_args: IndexArgs = IndexArgs(),
    model: Model = None,
) -> None:
    """Serve an index as a web page and over HTTP.

    OpenAI's clients can use it as well.

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

    index = Index(
        index_args.index,
        store=index_args.store,
        ca_certs=index_args.ca_certs,
        mode=mode,
        model=model,
        note=render.print_note,
    )
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
    index_args: IndexArgs = IndexArgs(),
) -> None:
    """Serve an index to agents and editors over MCP.

    MCP is the Model Context Protocol.

    Example: ragcli mcp --index notes
    """
    from ragcli.api import Index
    from ragcli.mcp import run

    run(
        Index(
            index_args.index, store=index_args.store, ca_certs=index_args.ca_certs, mode=mode, note=render.print_note
        ),
        port,
        render.print_note,
    )
