"""Copy inputs that can be read only once: standard input and pipes."""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ragcli.errors import RagcliError
from ragcli.readers.inputs import Input
from ragcli.readers.json_lines import MAX_LINE_BYTES

_PIECE = 2**20
_ROOM_LEFT = 2**30  # bytes of the disk to keep free


@contextmanager
def rereadable(inputs: Iterable[Input]) -> Iterator[list[Input]]:
    """Copy standard input, pipes and URLs to temporary files, because inputs may be read twice.

    Raises UnreachableError for a URL, RagcliError for a device, a stream that is not text, or a full disk.
    """
    with ExitStack() as stack:
        yield [_spooled(source, stack) for source in inputs]


def _spooled(source: Input, stack: ExitStack) -> Input:
    if source.is_url:
        from ragcli.readers.web import fetch

        fetched = fetch(source.name, stack)
        return source._replace(path=_path_of(fetched.file, stack), kind=fetched.kind)
    try:
        if source.name == "-":
            return Input(_copy(cast(BinaryIO, sys.stdin.buffer), source.name, stack), source.name)
        if source.path.is_file():
            return source
        if not stat.S_ISFIFO(source.path.stat().st_mode) and not _is_descriptor(source.path):
            raise RagcliError(f"{source.name} is neither a file nor a pipe", "Name a file, a folder, or `-`.")
        with source.path.open("rb") as file:
            return Input(_copy(file, source.name, stack), source.name)
    except OSError as e:
        raise RagcliError(
            f"cannot read {source.name}: {e.strerror}", f"A copy is kept in {tempfile.gettempdir()}: is it full?"
        ) from e


def _is_descriptor(path: Path) -> bool:
    """Return whether a path is /dev/stdin or similar, which may be anything readable."""
    return stat.S_ISSOCK(path.stat().st_mode) or os.fspath(path) in ("/dev/stdin", "/dev/fd/0")


def _copy(file: BinaryIO, name: str, stack: ExitStack) -> Path:
    """Copy a stream to an unnamed file, which disappears with the process."""
    copy = stack.enter_context(tempfile.TemporaryFile(prefix="ragcli-"))  # noqa: SIM115 (the stack closes it)
    line = size = 0
    while piece := file.read(_PIECE):
        size += len(piece)
        line = line + len(piece) if b"\n" not in piece else 0
        if line > MAX_LINE_BYTES and not piece.strip(b"\0"):
            raise RagcliError(f"{name} has no text, only endless zero bytes", "Name a file of documents.")
        if size % (64 * _PIECE) < _PIECE and shutil.disk_usage(tempfile.gettempdir()).free < _ROOM_LEFT:
            raise RagcliError(
                f"{name} is too large to keep a copy of: {size // 2**20:,} MiB so far",
                f"Write it to a file and name that; {tempfile.gettempdir()} is nearly full.",
            )
        copy.write(piece)
    copy.flush()
    return _path_of(copy, stack)


def _path_of(copy: BinaryIO, stack: ExitStack) -> Path:
    link = Path(f"/proc/self/fd/{copy.fileno()}")
    return link if link.exists() else _named_copy(copy, stack)


def _named_copy(copy: BinaryIO, stack: ExitStack) -> Path:
    """Return a named file, for systems where open files cannot be reopened by number."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ragcli-")))
    copy.seek(0)
    with (folder / "copy").open("wb") as target:
        shutil.copyfileobj(copy, target)
    return folder / "copy"
