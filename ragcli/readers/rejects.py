"""Collect rejects, to show them and write them to a file."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import orjson

from ragcli.documents import Reject, Skipped
from ragcli.errors import RagcliError, UsageError


class RejectLog:
    """Keep the first rejects to show, and write all of them to a JSON Lines file if one is given."""

    def __init__(self, path: Path | None, inputs: Iterable[Path], keep: int = 10) -> None:
        self.first: list[Reject] = []
        self.count = 0
        self.left_out: Counter[str] = Counter()
        self._keep = keep
        self._path = path
        if path and path.exists() and any(source.exists() and source.samefile(path) for source in inputs):
            raise UsageError(f"{path} is an input, which the rejects would overwrite", "Name another --rejects file.")
        with self._translated():
            self._file = path.open("wb") if path else None

    def add(self, reject: Reject) -> None:
        """Add a reject. Raises RagcliError if the file cannot be written."""
        self.count += 1
        if len(self.first) < self._keep:
            self.first.append(reject)
        self._write(reject)

    def leave_out(self, file: Skipped) -> None:
        """Count a skipped file by its reason."""
        self.left_out[file.reason] += 1
        self._write(file)

    def _write(self, reject: Reject) -> None:
        if self._file:
            with self._translated():
                self._file.write(orjson.dumps(reject._asdict()) + b"\n")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as e:
            raise RagcliError(f"cannot write {self._path}: {e.strerror}", "Name another --rejects file.") from e

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            with self._translated():
                self._file.close()
