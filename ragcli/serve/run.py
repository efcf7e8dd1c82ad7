"""Run the server."""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import uvicorn

from ragcli.api import Index
from ragcli.errors import RagcliError, UsageError
from ragcli.serve.app import make_app
from ragcli.serve.guard import LOOPBACK, Rules


class Listening(NamedTuple):
    """Configure the server: its address, allowed host names, threads, and queue."""

    host: str = "127.0.0.1"
    port: int = 8420
    hosts: tuple[str, ...] = ()
    token: str | None = None
    threads: int = 2
    waiting: int = 32


def serve(index: Index, at: Listening, note: Callable[[str], None]) -> None:
    """Serve an index until Ctrl-C. Raises UsageError for a public address without a token."""
    local = at.host in LOOPBACK
    if not local and at.token is None:
        hint = "Set RAGCLI_TOKEN to a long secret, or leave out --host."
        raise UsageError(f"{at.host} is a public address, and there is no token", hint)
    # With a token, any host name is safe, because other sites do not have it.
    hosts = (*LOOPBACK, *map(str.lower, at.hosts)) if local or at.hosts else ()
    index.status()  # reports a wrong name now
    app = make_app(index, Rules(at.token, hosts), at.threads, at.waiting)
    with _listen(at.host, at.port) as listener:
        shown = f"[{at.host}]" if ":" in at.host else at.host
        note(f"serving {index.location.name} at http://{shown}:{listener.getsockname()[1]}/ – Ctrl-C ends it")
        config = uvicorn.Config(
            app, log_level="warning", server_header=False, date_header=False, timeout_graceful_shutdown=5
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run([listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # Connections inherit it; without it, the end of an answer waits 40 ms for the client to confirm the beginning.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, OverflowError) as error:
        message = f"cannot listen on {host}:{port}: {error}"
        raise RagcliError(message, "Choose another --port, or stop the program that uses it.") from error
    return listener
