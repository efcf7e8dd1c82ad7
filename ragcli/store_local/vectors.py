"""The vectors of an index: a file of rows, each a passage's key and vector, rewritten when most rows are unused.

A header holds the number of committed rows, which were on disk before the last commit. Rows after them were written by
a killed run or are being written now; complete ones are usable as well. Rows of removed passages stay, and match no
passage.
"""

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragcli.counts import counted
from ragcli.store_local.codes import Codes, extend_codes, read_codes

Keys = NDArray[np.uint64]
Vector = NDArray[np.float32]

_HEADER = Struct("<8sIQQ")  # a mark, the dimension, the committed rows, and which file this is (0: made before codes)
_MARK = b"ragclivc"
_START = 64
_NEAR = 1e-6  # rounding difference between two ways to sum the products of a row
_RECENT = 65_536
_BLOCK = 16_384
_GATHERED = 512  # rows at a time: a copy that stays in cache
_MANY = 100_000  # rows that are searched by their codes first
_CANDIDATES = 4_096  # rows with the nearest codes, at least, that are compared exactly
_DEEP = 32  # times as many candidates as rows are wanted first
_TRUSTED = 8  # one candidate in so many is taken for one of the nearest rows


class Batch(NamedTuple):
    """Hold keys with their cosines; all further ones are less than `least`, by more than rounding."""

    cosines: dict[int, float]
    least: float


def create(path: Path, dimension: int) -> None:
    """Write a file without rows."""
    path.write_bytes(_header(dimension, 0, _identity()))


class VectorFile:
    """Rank the rows of a file, find them by key, and add rows, which needs the index's lock.

    Raises ValueError for a file that is damaged or too short.
    """

    def __init__(self, path: Path, dimension: int) -> None:
        self._path = path
        self._codes_path = path.with_name("codes.bin")
        self._type = np.dtype([("key", "<u8"), ("vector", "<f4", (dimension,))])
        self._target = -1
        self._open()

    @property
    def count(self) -> int:
        """Return the number of rows, including unused ones."""
        return self._count

    def _open(self) -> None:
        with self._path.open("rb") as file:
            head = file.read(_START)
            if len(head) < _START or _HEADER.unpack_from(head)[:2] != (_MARK, self._dimension):
                raise ValueError(f"{self._path.name} is not a file of vectors of dimension {self._dimension}")
            whole = (os.fstat(file.fileno()).st_size - _START) // self._type.itemsize
            _, _, committed, self._identity = _HEADER.unpack_from(head)
            if whole < committed:
                raise ValueError(f"{self._path.name} has {whole} of {committed} rows")
            # The mapping outlives the file's name: a reader keeps what it has opened.
            self._map = mmap(file.fileno(), _START + whole * self._type.itemsize, access=ACCESS_READ)
        self._rows = np.frombuffer(self._map, self._type, whole, _START)
        sound = _sound(self._rows["vector"][committed:])  # there may be zeros after a power failure
        self._count = whole if sound.all() else committed + int(np.argmin(sound))
        self._rows = self._rows[: self._count]
        self._sorted: tuple[Keys, NDArray[np.intp]] | None = None
        self._recent: dict[int, int] = {}
        self._codes: Codes | None = None

    @property
    def _dimension(self) -> int:
        return int(self._type["vector"].shape[0])

    # Reading

    def find(self, keys: Sequence[int]) -> dict[int, Vector]:
        """Return the vectors (dimension,) of the keys in the file."""
        rows = self._rows_of(np.array(keys, np.uint64))
        self._map_more()
        return {key: self._rows["vector"][row].copy() for key, row in zip(keys, rows.tolist(), strict=True) if row >= 0}

    def sample(self, n: int) -> Vector:
        """Return at most n vectors (n, dimension) from evenly spaced rows."""
        self._map_more()
        steps = np.arange(min(n, self._count), dtype=np.intp)
        return np.array(self._rows["vector"][steps * self._count // max(steps.size, 1)])

    def ranking(
        self, vector: Vector, first: int, among: Iterable[int] | None = None, candidates: int | None = None
    ) -> Iterator[Batch]:
        """Yield keys (only those in `among`) by their cosine to a vector, best first, in growing batches.

        Of many rows, the best of those with the nearest codes (at least `candidates`) come first, then all others.
        """
        self._map_more()
        if among is not None:
            rows = self._rows_of(np.fromiter(among, np.uint64))
            rows = rows[rows >= 0]
            yield from self._batches(vector, first, rows, self._cosines(vector, rows))
            return
        near = self._near(vector, max(_CANDIDATES, _DEEP * first, candidates or 0))
        yield from self._batches(vector, first, near, self._cosines(vector, near))
        others = np.delete(np.arange(self._count), near)
        # Multiplying all rows at once is several times faster than in blocks.
        yield from self._batches(vector, first, others, (self._rows["vector"] @ vector)[others])

    def _near(self, vector: Vector, candidates: int) -> NDArray[np.intp]:
        """Return the rows that count as the nearest by an approximate search; none where an exact one is as good."""
        if self._count < _MANY:
            return np.empty(0, np.intp)
        codes = self._read_codes()
        if _TRUSTED * (candidates + self._count - codes.rows) > self._count:
            return np.empty(0, np.intp)
        distances = codes.distances(vector)
        rows = np.flatnonzero(distances <= np.partition(distances, candidates)[candidates])
        rows = np.append(rows, np.arange(codes.rows, self._count))
        cosines = self._cosines(vector, rows)
        place = rows.size - rows.size // _TRUSTED
        return np.asarray(rows[cosines >= np.partition(cosines, place)[place] - 2 * _NEAR])

    def _read_codes(self) -> Codes:
        if self._codes is None:
            codes = read_codes(self._codes_path, self._dimension, self._identity)
            self._codes = codes._replace(rows=min(codes.rows, self._count))  # another process may have added some
        return self._codes

    def _batches(self, vector: Vector, first: int, rows: NDArray[np.intp], cosines: Vector) -> Iterator[Batch]:
        if not cosines.size:
            return
        if not np.abs(cosines).max() < 1.01:
            raise ValueError(f"{self._path.name} has a vector that does not have length 1")
        size, below = first, np.inf
        while True:
            size = min(size, cosines.size)
            least = float(np.partition(cosines, cosines.size - size)[cosines.size - size])
            # Including possible ties with the last: the rounding of a product depends on its row's place.
            end = -np.inf if size == cosines.size else least - 2 * _NEAR
            chosen = np.flatnonzero((cosines >= end) & (cosines < below))
            yield Batch(self._exact(vector, rows[chosen]), end + _NEAR)
            if size == cosines.size:
                return
            size, below = size * 4, end

    def damage(self, keys: Iterable[int]) -> list[str]:
        """Return descriptions of keys without a row, of rows without a vector of length 1, and of wrong codes."""
        missing = int((self._rows_of(np.fromiter(keys, np.uint64)) < 0).sum())
        bad = sum(int((~_sound(self._rows["vector"][i : i + _BLOCK])).sum()) for i in range(0, len(self._rows), _BLOCK))
        said = (
            (missing, "passage has no vector", "passages have no vector"),
            (bad, "vector is not of length 1", "vectors are not of length 1"),
        )
        lines = [f"{self._path.name}: {counted(*what)}" for what in said if what[0]]
        if wrong := self._read_codes().differing(self._rows["vector"]):
            codes = counted(wrong, "code is not that of its vector", "codes are not those of their vectors")
            lines.append(f"{self._codes_path.name}: {codes}; without the file, the next run of index makes it again")
        return lines

    def _cosines(self, vector: Vector, rows: NDArray[np.intp]) -> Vector:
        matrix = self._rows["vector"]
        parts = [matrix[rows[i : i + _GATHERED]] @ vector for i in range(0, rows.size, _GATHERED)]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _exact(self, vector: Vector, rows: NDArray[np.intp]) -> dict[int, float]:
        """Return keys and cosines; equal vectors have equal cosines, wherever their rows are."""
        chosen = self._rows[rows]
        cosines = (chosen["vector"].astype(np.float64) * vector).sum(axis=1)
        return dict(zip(chosen["key"].tolist(), cosines.tolist(), strict=True))

    def _rows_of(self, keys: Keys) -> NDArray[np.intp]:
        """Return the row of each key, -1 for an unknown one."""
        if self._sorted is None:
            order = np.argsort(self._rows["key"])
            self._sorted = self._rows["key"][order], order
        known, order = self._sorted
        if not known.size:
            rows = np.full(keys.size, -1)
        else:
            at = np.minimum(np.searchsorted(known, keys), known.size - 1)
            rows = np.where(known[at] == keys, order[at], -1)
        if self._recent:
            for i in np.flatnonzero(rows < 0).tolist():
                rows[i] = self._recent.get(int(keys[i]), -1)
        return rows

    def _map_more(self) -> None:
        """Map the rows that this process has added."""
        if self._count > len(self._rows):
            known, recent = self._sorted, self._recent
            self._open()
            if len(recent) < _RECENT:  # cheaper than sorting again
                self._sorted, self._recent = known, recent

    # Writing

    def begin(self) -> None:
        """Begin to add rows after the last complete one."""
        self._open()
        self._target = os.open(self._path, os.O_RDWR)
        os.ftruncate(self._target, self._end())
        os.lseek(self._target, 0, os.SEEK_END)

    def _end(self) -> int:
        return _START + self._count * self._type.itemsize

    def add(self, keys: Sequence[int], vectors: Vector) -> None:
        """Write the vectors (keys, dimension) with new keys; they survive if this process is killed."""
        known = self._rows_of(np.array(keys, np.uint64))
        new = {key: i for i, key in enumerate(keys) if known[i] < 0}
        if not new:
            return
        rows = np.empty(len(new), self._type)
        rows["key"] = list(new)
        rows["vector"] = vectors[list(new.values())]
        _write(self._target, rows.tobytes())
        for key in new:
            self._recent[key] = self._count
            self._count += 1
        if len(self._recent) >= _RECENT:
            self._map_more()

    def commit(self) -> None:
        """Sync all rows to disk, and mark them as committed."""
        os.fsync(self._target)
        self._identity = self._identity or _identity()
        os.pwrite(self._target, _header(self._dimension, self._count, self._identity), 0)
        os.fsync(self._target)

    def encode(self) -> None:
        """Write the codes of committed rows, if they are many."""
        self._map_more()
        if self._count >= _MANY:
            extend_codes(self._codes_path, self._identity, self._rows["vector"])
            self._codes = None

    def end(self) -> None:
        """Stop adding rows."""
        if self._target >= 0:
            os.close(self._target)
            self._target = -1

    def compact(self, alive: Iterable[int]) -> None:
        """Replace the file by one with only the rows with these keys."""
        self._open()
        rows = np.sort(self._rows_of(np.fromiter(alive, np.uint64)))
        rows = rows[rows >= 0]
        new = self._path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(_header(self._dimension, rows.size, _identity()))
            for i in range(0, rows.size, _BLOCK):
                file.write(self._rows[rows[i : i + _BLOCK]].tobytes())
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        self._codes_path.unlink(missing_ok=True)
        self._open()


def _identity() -> int:
    """Return a number that no other file of vectors has."""
    return secrets.randbits(64) | 1


def _header(dimension: int, committed: int, identity: int) -> bytes:
    return _HEADER.pack(_MARK, dimension, committed, identity).ljust(_START, b"\0")


def _sound(vectors: Vector) -> NDArray[np.bool_]:
    """Return which vectors (rows, dimension) have length 1."""
    exact = vectors.astype(np.float64)
    return np.asarray(np.abs((exact * exact).sum(axis=1) - 1) < 1e-2)


def _write(target: int, content: bytes) -> None:
    while content:  # a write may be cut short, as by a disk that is almost full
        content = content[os.write(target, content) :]
