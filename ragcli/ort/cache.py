"""The cache of graphs: a folder for each checkpoint and precision, written atomically."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ragcli.files import sync
from ragcli.settings import cache_home

_VERSION = 4  # of the graphs; raise it with every change
_MANIFEST = "facts.json"
_DIGESTS = "digests"
_UNFINISHED = "unfinished-"
_ABANDONED = 3600  # seconds without a write, after which an unfinished folder belongs to a killed process


def engines_home() -> Path:
    """Return the folder of all graphs."""
    return cache_home() / "engines"


class UnusableError(Exception):
    """Report that a cached graph cannot be used, and why."""


def graph_key(home: Path, files: Sequence[Path], config: str) -> str:
    """Return the name of a graph's folder: a hash of the checkpoint's files and of `config`."""
    digests = [_digest(home / _DIGESTS, file.resolve()) for file in files]
    return hashlib.sha256("\n".join([config, *digests]).encode()).hexdigest()[:32]


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file, cached until the file changes. Raises OSError."""
    return _digest(engines_home() / _DIGESTS, file.resolve())


def check(folder: Path) -> None:
    """Raise UnusableError for a folder that another version built, or that has changed since.

    Of the weights only the size is compared, because hashing them would take longer than loading them.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_bytes())
        if manifest["version"] != _VERSION:
            raise UnusableError("another version of ragcli built it")
        if manifest != _manifest(folder):
            raise UnusableError("it is damaged")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UnusableError("it is damaged") from error


def build(folder: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder, which gets its name once it is complete. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder.parent))
    try:
        write(unfinished)
        (unfinished / _MANIFEST).write_text(json.dumps(_manifest(unfinished)), encoding="utf-8")
        for file in unfinished.iterdir():
            sync(file)
        _replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _sweep(home: Path) -> None:
    """Remove the unfinished folders of killed processes."""
    for left in home.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):  # another process removes it too
            written = max(path.stat().st_mtime for path in (left, *left.iterdir()))
            if time.time() - written > _ABANDONED:
                shutil.rmtree(left)


def _replace(new: Path, folder: Path) -> None:
    """Give a folder its name; if another process does so at the same time, either is fine."""
    old = new.with_name(f"{new.name}-old")
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if not (folder / _MANIFEST).is_file():
            raise
    if old.is_dir():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink(missing_ok=True)


def _manifest(folder: Path) -> dict[str, object]:
    files = sorted(file for file in folder.iterdir() if file.name != _MANIFEST)
    graphs = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.suffix == ".onnx"}
    return {"version": _VERSION, "sizes": {file.name: file.stat().st_size for file in files}, "graphs": graphs}


def _digest(folder: Path, file: Path) -> str:
    """Return the hash of a file, cached by its size and modification time."""
    memory = folder / hashlib.sha256(os.fsencode(file)).hexdigest()[:32]
    status = file.stat()
    state = f"{status.st_size} {status.st_mtime_ns} "
    try:
        known = memory.read_text(encoding="ascii")
    except (OSError, ValueError):
        known = ""
    if known.startswith(state):
        return known.removeprefix(state)
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    _remember(memory, state + digest)
    return digest


def _remember(memory: Path, line: str) -> None:
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=memory.parent, delete=False, encoding="ascii") as file:
            file.write(line)
        Path(file.name).replace(memory)
    except OSError:
        pass  # it is hashed again next time; open_graphs notes that the folder is not writable
