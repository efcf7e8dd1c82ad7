"""Detect damaged index files, and report them as errors instead of Rust panics."""

import math
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path

import orjson

from ragcli.errors import IndexMismatchError, MissingIndexError, RagcliError, first_line
from ragcli.store import local_indexes

_SHOWN = 5  # names of indexes


def missing(folder: Path) -> MissingIndexError:
    """Return the error for an index that does not exist; the hint names those that do."""
    others = local_indexes(folder.parent)
    shown = " or ".join(others[:_SHOWN]) + (" …" if len(others) > _SHOWN else "")
    choice = f", or choose another: --index {shown}" if others else ""
    return MissingIndexError(
        f"no index named {folder.name}", f"Create it: ragcli index FILE --index {folder.name}{choice}"
    )


def damaged(folder: Path, error: BaseException) -> RagcliError:
    """Return the error for an index that cannot be read."""
    if isinstance(error, PermissionError):
        return RagcliError(f"index {folder.name} may not be read by you", f"Check who may read {folder}.")
    return IndexMismatchError(
        f"index {folder.name} cannot be read: {first_line(error)}",
        f"Build it again: ragcli index FILE --index {folder.name} --rebuild",
    )


def unwritable(folder: Path, error: Exception) -> RagcliError:
    """Return the error for an index that cannot be written."""
    return RagcliError(
        f"cannot write index {folder.name}: {first_line(error)}",
        f"Make room in {folder.parent}, then run this again: it continues where it stopped.",
    )


def check_permission(text: Path) -> None:
    """Raise RagcliError where this user may not write an index."""
    if not os.access(text, os.W_OK):
        raise RagcliError(f"index {text.parent.name} may not be written by you", f"Check who may write {text.parent}.")


def check_sums(folder: Path, most: float = math.inf) -> None:
    """Raise ValueError for a damaged file, which tantivy would read as if it were intact; check `most` bytes.

    Small files come first, among them those with the lengths of passages, which affect ranking.
    """
    for size, path in sorted((_size(path), path) for path in _files(folder)):
        if (most := most - size) < 0:
            return
        if not _is_whole(path):
            raise ValueError(f"{path.name} is damaged")


def damaged_files(folder: Path) -> list[str]:
    """Return the names of all damaged files."""
    return sorted(path.name for path in _files(folder) if not _is_whole(path))


def _files(folder: Path) -> list[Path]:
    """Return the files of the index; other files in the folder were left by a killed run."""
    names = set()
    try:
        for segment in orjson.loads((folder / "meta.json").read_bytes())["segments"]:
            name, deletes = segment["segment_id"].replace("-", ""), segment["deletes"]
            names |= {name, f"{name}.{deletes['opstamp']}"} if deletes else {name}
    except (KeyError, TypeError, AttributeError) as e:
        raise ValueError("meta.json is damaged") from e
    return [path for path in folder.iterdir() if path.stem in names]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _is_whole(path: Path) -> bool:
    """Compare a file with its footer: JSON with the CRC-32 of everything before it, its length, and a magic number.

    A missing file is not an error: a writer may have merged it with others.
    """
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            length = int.from_bytes(content[-8:-4], "little")
            footer = orjson.loads(content[-8 - length : -8])
            with memoryview(content) as view, view[: -8 - length] as body:
                return bool(zlib.crc32(body) == footer["crc"])
    except FileNotFoundError:
        return True
    except (ValueError, TypeError, KeyError):
        return False


class _Quiet:
    """Silence stderr, from any number of threads, because Rust prints its panics there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._saved = -1

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 2)
                os.close(nowhere)
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                os.dup2(self._saved, 2)
                os.close(self._saved)


_quiet = _Quiet()


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Translate tantivy's errors into RagcliError."""
    try:
        with _quiet:
            yield
    except BaseException as e:
        if type(e).__name__ != "PanicException" and not isinstance(e, (ValueError, OSError)):
            raise  # a Rust panic is not an Exception, and its class cannot be imported
        if "LockBusy" in str(e):
            raise RagcliError(
                f"index {folder.name} is being written by another process", "Run this again when it is done."
            ) from e
        raise damaged(folder, e) from e
