"""Remember the files that an index was made from, so that a later run reads only those that changed.

JSON Lines files are excluded: several of them may contain the same id, and the last one counts.
"""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from ragcli.errors import RagcliError
from ragcli.readers import FieldNames, Input
from ragcli.readers.formats import FORMATS, JSON
from ragcli.readers.texts import kind_of
from ragcli.store import IndexLocation, Store

_VERSION = 3  # of the readers' output; with another version, all files are read again
_MOST_IDS = 100_000  # of a file
_RECENT = 2.0  # seconds within which a file may change again and keep its time


class Source(NamedTuple):
    """Hold a file's size, time and hash when it was read, the ids of its documents, and its path."""

    size: int
    time: int
    hash: str
    ids: list[str]
    path: str

    def is_unchanged(self, path: Path) -> bool:
        """Return whether a file has not changed since. Raises OSError."""
        status = path.stat()
        if status.st_size != self.size:
            return False
        return status.st_mtime_ns == self.time or _hash(path) == self.hash


class SourceFile(NamedTuple):
    """Describe a file in an index: its number of documents, last change, and state."""

    name: str
    documents: int
    modified: str  # ISO 8601; empty if it is gone
    state: Literal["unchanged", "changed", "gone"]


def known_files(location: IndexLocation) -> list[SourceFile]:
    """Return the remembered files of an index, sorted by name."""
    known = Sources(location, None).known
    return [_now(name, source) for name, source in sorted(known.items()) if source.path]


def local_file(location: IndexLocation, metadata: Mapping[str, Any]) -> Path:
    """Return the local file of a document. Raises RagcliError if there is none."""
    source = str(metadata.get("source", ""))
    known = Sources(location, None).known.get(source)
    if not known or not Path(known.path).is_file():
        what = f"{source} is missing" if known else "this is not a section of a file"
        raise RagcliError(
            f"there is nothing to open: {what}", "Only files that were indexed from a folder can be opened."
        )
    return Path(known.path)


def _now(name: str, source: Source) -> SourceFile:
    path = Path(source.path)
    try:
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        state: Literal["unchanged", "changed"] = "unchanged" if source.is_unchanged(path) else "changed"
    except OSError:
        return SourceFile(name, len(source.ids), "", "gone")
    return SourceFile(name, len(source.ids), modified, state)


class Sources:
    """Find the files that changed since they were indexed."""

    def __init__(self, location: IndexLocation, fields: FieldNames | None) -> None:
        """Load the files of earlier runs; with `fields`, only those read with the same fields."""
        place = hashlib.blake2b(location.url.encode(), digest_size=6).hexdigest()
        self._path = location.home / "sources" / f"{location.name}-{place}.json"
        self._fields = list(fields) if fields else None
        self._documents = -1
        self._known = self._load()
        self._read: dict[str, list[str] | None] = {}  # None: with rejects
        self.kept: dict[str, Source] = {}

    def _load(self) -> dict[str, Source]:
        try:
            saved = orjson.loads(self._path.read_bytes())
            if saved["version"] != _VERSION or self._fields not in (None, saved["fields"]):
                return {}
            self._documents = saved["documents"]
            return {name: Source(*values) for name, values in saved["files"].items()}
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return {}

    @property
    def known(self) -> dict[str, Source]:
        """Return the remembered files by name."""
        return self._known

    def changed(self, inputs: Iterable[Input], store: Store) -> list[Input]:
        """Return the new and changed files, or all files if the index is not as the last run left it."""
        inputs = list(inputs)
        if store.counts().documents != self._documents:
            self._known = {}
            return inputs
        found = [(source, self._unchanged(source)) for source in inputs]
        self.kept = {source.name: known for source, known in found if known}
        return [source for source, known in found if not known]

    def _unchanged(self, source: Input) -> Source | None:
        known = self._known.get(source.name)
        if known is None:
            return None
        return known if known.is_unchanged(source.path) else None

    def begin(self, source: Input) -> None:
        """Record that a file is read, if it is one to remember: of others, the ids would only fill the memory."""
        if _is_remembered(source):
            self._read.setdefault(source.name, [])

    def add(self, source: Input, doc_id: str) -> None:
        """Record a document in a file."""
        ids = self._read.get(source.name)
        if ids is not None:
            ids.append(doc_id)

    def spoil(self, source: Input) -> None:
        """Record that a file could not be read completely, so that it is read again."""
        self._read[source.name] = None

    def vanished(self) -> list[str]:
        """Return the ids that are gone from changed files; files with rejects are ignored."""
        gone: list[str] = []
        for name, ids in self._read.items():
            if ids is not None and name in self._known:
                current = set(ids)
                gone += [doc_id for doc_id in self._known[name].ids if doc_id not in current]
        return gone

    def save(self, inputs: Iterable[Input], store: Store, *, pruned: bool) -> None:
        """Save what was read; with `pruned`, files that were not in the input are forgotten."""
        files = dict(self.kept) if pruned else {**self._known}
        for source in inputs:
            ids = self._read.get(source.name)
            files.pop(source.name, None) if source.name not in self.kept else None
            if ids is not None and len(ids) <= _MOST_IDS and _is_remembered(source):
                files[source.name] = _described(source, ids)
        if not files and not self._path.exists():
            return
        content = orjson.dumps(
            {
                "version": _VERSION,
                "fields": self._fields,
                "documents": store.counts().documents,
                "files": {name: list(one) for name, one in files.items()},
            }
        )
        if self._path.exists() and self._path.read_bytes() == content:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(content)
        unfinished.replace(self._path)


def _is_remembered(source: Input) -> bool:
    kind = source.kind or kind_of(source.path)
    return source.name != "-" and source.path.is_file() and FORMATS.get(kind) not in (None, JSON)


def _described(source: Input, ids: list[str]) -> Source:
    path = source.path
    status = path.stat()
    recent = time.time() - status.st_mtime < _RECENT
    return Source(
        status.st_size,
        0 if recent else status.st_mtime_ns,
        _hash(path),
        ids,
        _place(source),
    )


def _place(source: Input) -> str:
    """Return where a file is; nothing for a URL, and for a path that is no text and so cannot be written down."""
    path = os.fspath(source.path.absolute())
    return "" if source.is_url or os.fsencode(path) != path.encode(errors="replace") else path


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
