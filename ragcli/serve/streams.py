"""Standard streams by thread: a command run for a client uses the client's streams."""

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

_NAMES = ("stdin", "stdout", "stderr")
_OWN = threading.local()


class _Routed:
    """A standard stream: the thread's own, or else that of the process."""

    def __init__(self, name: str) -> None:
        self._name, self._usual = name, getattr(sys, name)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(getattr(_OWN, self._name, self._usual), attribute)


class _Told(io.FileIO):
    """A file that calls back before the first byte is written."""

    tell_first: Callable[[], None]

    def write(self, data: Any, /) -> int:
        self.tell_first()
        return super().write(data)


def route() -> None:
    """Give each thread its own standard streams from now on."""
    for name in _NAMES:
        setattr(sys, name, _Routed(name))


@contextmanager
def streams(descriptors: Sequence[int], before_printing: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Use files (stdin, stdout, stderr) as this thread's standard streams, and close them at the end.

    Yields what brings all that was printed to the files.
    """
    with ExitStack() as stack:
        for name, number in zip(_NAMES, descriptors, strict=True):
            stream = _open(name, number, before_printing)
            stack.callback(_close, stream)
            setattr(_OWN, name, stream)
            stack.callback(delattr, _OWN, name)
        yield _flush


def _flush() -> None:
    for name in _NAMES[1:]:
        with suppress(OSError):  # the reader is gone
            getattr(_OWN, name).flush()


def _open(name: str, number: int, before_printing: Callable[[], None]) -> io.TextIOWrapper:
    if name == "stdin":
        return io.TextIOWrapper(io.BufferedReader(io.FileIO(number)), encoding="utf-8")
    raw = _Told(number, "w")
    raw.tell_first = before_printing
    lines = name == "stderr" or os.isatty(number)  # line buffering, as in Python
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=lines)


def _close(stream: io.TextIOWrapper) -> None:
    with suppress(OSError):  # the reader is gone
        stream.close()
