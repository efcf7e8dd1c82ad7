"""A server for the command line, on a socket in the data folder, which ends when it has been idle.

It runs the commands that `ragcli.client` hands to it, in threads, with the caller's own standard streams.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ragcli import __version__
from ragcli.client import DECLINED, DONE, PRINTING, settings_of, socket_path
from ragcli.errors import RagcliError
from ragcli.serve.streams import route, streams
from ragcli.warm import keep_models

Run = Callable[[list[str]], int]

_STOP = "stop"  # sent instead of a version
_NOWHERE = "/"
_THREADS = 2
_LONGEST = 2**22  # bytes of a request


class _Request(NamedTuple):
    """Hold a command line, and its caller's version and folder."""

    version: str
    folder: str
    settings: list[str]
    arguments: list[str]


class _Folders:
    """Run commands in parallel if their callers are in the same folder; others wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._folder = _NOWHERE
        self._running = 0

    @contextmanager
    def inside(self, folder: str) -> Iterator[None]:
        """Change to a folder. Raises OSError if it is gone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running or self._folder == folder)
            os.chdir(folder)
            self._folder = folder
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                if not self._running:
                    os.chdir(_NOWHERE)  # so that no caller's folder is kept busy
                self._changed.notify_all()


class CommandServer:
    """Run commands until there was none for `idle` seconds."""

    def __init__(self, listener: socket.socket, run: Run, idle: float) -> None:
        self._listener, self._run, self._idle = listener, run, idle
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="command")
        self._folders = _Folders()
        self._running = 0
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Handle requests, and at the end wait for running ones."""
        self._listener.settimeout(self._idle)
        while caller := self._next():
            if not self._take(caller):
                break
        self._listener.close()
        self._pool.shutdown()

    def _next(self) -> socket.socket | None:
        """Return the next caller, or None after the idle time."""
        while True:
            try:
                return self._listener.accept()[0]
            except TimeoutError:
                if not self._running:
                    return None

    def _take(self, caller: socket.socket) -> bool:
        """Begin a request; return whether to continue."""
        caller.settimeout(10)
        descriptors: list[int] = []
        try:
            request = _receive(caller, descriptors)
        except (OSError, ValueError):
            request = None
        if request and request.version == __version__ and request.settings == settings_of(descriptors[1]):
            caller.settimeout(None)
            with self._lock:
                self._running += 1
            self._pool.submit(self._answer, caller, descriptors, request)
            return True
        for number in descriptors:
            os.close(number)
        with caller, suppress(OSError):
            caller.sendall(DECLINED)
        return request is None or request.version == __version__  # a newer version needs a newer server

    def _answer(self, caller: socket.socket, descriptors: list[int], request: _Request) -> None:
        try:
            with caller, streams(descriptors, lambda: caller.sendall(PRINTING)) as flush:
                with self._folders.inside(request.folder):
                    code = self._run(request.arguments)
                flush()
                caller.sendall(DONE + bytes([code]))
        finally:
            with self._lock:
                self._running -= 1


def _receive(caller: socket.socket, descriptors: list[int]) -> _Request:
    """Return a caller's request, adding its standard streams to the descriptors. Raises ValueError if it is invalid."""
    head, received, _, _ = socket.recv_fds(caller, 4, 3)
    descriptors += received
    length = int.from_bytes(head, "big")
    if len(head) < 4 or len(received) != 3 or length > _LONGEST:
        raise ValueError("not a request")
    content = b""
    while len(content) < length:
        if not (piece := caller.recv(length - len(content))):
            raise ValueError("the request is truncated")
        content += piece
    version, folder, *parts = map(os.fsdecode, content.split(b"\0"))
    end = parts.index("")
    return _Request(version, folder, parts[:end], parts[end + 1 :])


def start(run: Run, idle: float, note: Callable[[str], None]) -> None:
    """Start the server in a separate process that outlives this one, unless it is running. Raises RagcliError."""
    path = Path(socket_path()).absolute()
    if _listens(path):
        note("a server is running already")
        return
    listener = _listen(path)
    if os.fork():
        listener.close()
        note(f"ask and search are answered by a server now; it ends when it has been idle for {idle:g} s")
        return
    os.setsid()
    os.chdir(_NOWHERE)
    with Path(os.devnull).open("r+b") as nowhere:
        for number in (0, 1, 2):
            os.dup2(nowhere.fileno(), number)
    route()
    keep_models()
    try:
        CommandServer(listener, run, idle).serve()
    finally:
        path.unlink(missing_ok=True)
    os._exit(0)


def stop(note: Callable[[str], None]) -> None:
    """Stop the server, if it is running."""
    path = Path(socket_path())
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(str(path))
        except OSError:
            note("no server is running")
            return
        content = b"\0".join(map(os.fsencode, [_STOP, "", ""]))
        socket.send_fds(server, [len(content).to_bytes(4, "big")], [0, 1, 2])
        server.sendall(content)
        server.recv(1)
    deadline = time.monotonic() + 10
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    note("the server has ended")


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as server, suppress(OSError):
        server.connect(str(path))
        return True
    return False


def _listen(path: Path) -> socket.socket:
    """Listen at a path that only this user may access, replacing that of a killed server."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"serve.{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX)
    old = os.umask(0o177)
    try:
        listener.bind(str(new))
        listener.listen(64)
        new.replace(path)
    except OSError as error:
        listener.close()
        new.unlink(missing_ok=True)
        raise RagcliError(f"cannot listen at {path}: {error}", "Set RAGCLI_HOME to a shorter path.") from error
    finally:
        os.umask(old)
    return listener
