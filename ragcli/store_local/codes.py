"""The signs of an index's vectors, in a file beside them: one pass over it finds the rows that may be near a vector.

The smaller the angle of two vectors, the fewer dimensions differ in sign (Charikar, "Similarity estimation techniques
from rounding algorithms", 2002). The header names the file of vectors that the codes belong to, and the number of rows
with a code. They are made from rows that are on disk, and do not change.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Vector = NDArray[np.float32]

_HEADER = struct.Struct("<8sIQQ")  # a mark, the dimension, the rows with a code, the identity of the file of vectors
_MARK = b"ragclisg"
_START = 64
_ROWS = 16_384  # rows of a block, which holds the first words of all, then the second ones: a pass stays in cache


class Codes(NamedTuple):
    """Hold the codes of the first rows in blocks (blocks, words, rows of a block)."""

    blocks: Words
    rows: int

    def distances(self, vector: Vector) -> NDArray[np.uint16]:
        """Return the number of dimensions that differ in sign from a vector, for each row (rows,)."""
        found = np.zeros((len(self.blocks), _ROWS), np.uint16)
        [query] = _signs(vector[None])
        for distances, block in zip(found, self.blocks, strict=True):
            for words, word in zip(block, query, strict=True):
                distances += np.bitwise_count(words ^ word)
        return found.reshape(-1)[: self.rows]

    def differing(self, vectors: Vector) -> int:
        """Count the codes that are not those of their vectors (rows, dimension)."""
        pairs = zip(self.blocks, _blocks(vectors[: self.rows]), strict=True)
        return sum(int((block != right).any(axis=0).sum()) for block, right in pairs)


def read_codes(path: Path, dimension: int, identity: int) -> Codes:
    """Open the codes of a file of vectors; none if they are missing, damaged, or those of another file."""
    words = -(-dimension // 64)
    try:
        with path.open("rb") as file:
            mark, numbers, count, owner = _HEADER.unpack(file.read(_HEADER.size))
        if (mark, numbers, owner) == (_MARK, dimension, identity) and count:
            blocks = np.memmap(path, "<u8", "r", _START, (-(-count // _ROWS), words, _ROWS))
            return Codes(blocks.view(np.ndarray), count)
    except (OSError, ValueError, struct.error):
        pass
    return Codes(np.empty((0, words, _ROWS), np.uint64), 0)


def extend_codes(path: Path, identity: int, vectors: Vector) -> None:
    """Write the codes of all vectors (rows, dimension), except those that have one."""
    count, dimension = vectors.shape
    known = read_codes(path, dimension, identity).rows
    if known == count:
        return
    if not known:
        path.unlink(missing_ok=True)  # whoever has opened it keeps it
    whole = known // _ROWS * _ROWS  # the last block is written again, with the same codes in the same places
    with path.open("r+b" if known else "xb") as file:
        file.write(_HEADER.pack(_MARK, dimension, known, identity).ljust(_START, b"\0"))
        file.seek(_START + whole * -(-dimension // 64) * 8)
        for block in _blocks(vectors[whole:]):
            file.write(block.tobytes())
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        file.write(_HEADER.pack(_MARK, dimension, count, identity))
        file.flush()
        os.fsync(file.fileno())


def _blocks(vectors: Vector) -> Iterator[Words]:
    """Yield the codes of vectors in blocks (words, rows of a block), the last filled up with zeros."""
    for start in range(0, len(vectors), _ROWS):
        signs = _signs(vectors[start : start + _ROWS])
        yield np.pad(signs.T, ((0, 0), (0, _ROWS - len(signs))))


def _signs(vectors: Vector) -> Words:
    """Return a bit for each dimension, set where it is positive, as words (rows, words)."""
    bits = np.packbits(vectors > 0, axis=1)
    return np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))).view("<u8")
