"""Run the graphs of a model of any family, with key/value buffers that are written in place."""

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragcli.decoder.family import DECODE, HEAD, PREFILL, Sizes
from ragcli.ort.quantization import Matrix
from ragcli.ort.session import open_session

_DECODED = 4  # tokens up to which the decode body is faster
_GROW = 256  # positions by which the buffers grow, at least


class _Body:
    """A session, and the buffers that its inputs and outputs are bound to."""

    def __init__(self, graph: Path) -> None:
        self.session = open_session(graph)
        self.binding = self.session.io_binding()
        self.bound: tuple[int, slice] | None = None  # generation of the buffers, and their rows


class Runner:
    """The sessions of a model and the state of its rows; `lengths` (rows,) are their filled positions."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        """Load the graphs in a folder. Raises LoadError if they are damaged."""
        self._folder = folder
        prefill = folder / f"{PREFILL}.onnx"
        self._prefill = _Body(prefill) if prefill.exists() else self._decode
        self._head = open_session(folder / f"{HEAD}.onnx")
        self._sizes = sizes
        self.lengths = np.zeros(0, dtype=np.int32)
        self._allocated = 0
        self._allocate(0, 0)

    @functools.cached_property
    def _decode(self) -> _Body:
        """The decode body, loaded only after the first token."""
        return _Body(self._folder / f"{DECODE}.onnx")

    def reset(self, rows: int, positions: int) -> None:
        """Begin empty rows, with a capacity of `positions` before the buffers have to grow."""
        self.lengths = np.zeros(rows, dtype=np.int32)
        if self._state.shape[2] != rows or self._state.shape[4] < positions:
            self._allocate(0, 0)  # frees the old buffers first
            self._allocate(rows, positions)

    def repeat(self, rows: int) -> None:
        """Copy the single row to all rows."""
        filled = int(self.lengths[0])
        state = self._state[:, :, :1, :, :filled]
        self._allocate(rows, self._state.shape[4])
        self._state[:, :, :, :, :filled] = state
        self.lengths = np.repeat(self.lengths, rows)

    def copy(self, source: int, target: int, positions: int) -> None:
        """Copy the first positions of a row to an empty row."""
        self._state[:, :, target, :, :positions] = self._state[:, :, source, :, :positions]
        self.lengths[target] = positions

    def _reserve(self, positions: int) -> None:
        """Grow the buffers to this many positions, keeping their content."""
        before = self._state
        if positions <= before.shape[4]:
            return
        self._allocate(len(self.lengths), max(positions, before.shape[4] + _GROW))
        self._state[:, :, :, :, : before.shape[4]] = before

    def run(self, embeddings: Matrix, added: NDArray[np.int32], wanted: NDArray[np.int64]) -> Matrix:
        """Add tokens to all rows; return the logits (n, vocab) at the wanted positions of the flattened input.

        `embeddings` is (rows, tokens, hidden size); only the first `added` (rows,) tokens of each row are used.
        """
        self._reserve(int(self.lengths.max()) + embeddings.shape[1])
        self.lengths = self.lengths + added
        return self._run(embeddings, slice(None), added, self.lengths, wanted)

    def run_row(self, row: int, embeddings: Matrix, wanted: NDArray[np.int64]) -> Matrix:
        """Add tokens (1, tokens, hidden size) to one row; return the logits (n, vocab) at the wanted positions."""
        added = embeddings.shape[1]
        self._reserve(int(self.lengths[row]) + added)
        self.lengths[row] += added
        rows = slice(row, row + 1)
        return self._run(embeddings, rows, np.array([added], dtype=np.int32), self.lengths[rows], wanted)

    def _run(
        self,
        embeddings: Matrix,
        rows: slice,
        added: NDArray[np.int32],
        after: NDArray[np.int32],
        wanted: NDArray[np.int64],
    ) -> Matrix:
        decoding = embeddings.shape[0] * embeddings.shape[1] <= _DECODED
        body = self._decode if decoding else self._prefill
        self._bind_state(body, rows)
        binding = body.binding
        binding.bind_cpu_input("embeddings", embeddings)
        binding.bind_cpu_input("wanted", wanted)
        binding.bind_cpu_input("lengths", added)
        binding.bind_cpu_input("last", after - 1)
        binding.bind_cpu_input("total", np.array(after.max(), dtype=np.int32))
        hidden = np.empty((len(wanted), self._sizes.hidden_size), dtype=np.float32)
        binding.bind_output("hidden", "cpu", 0, np.float32, hidden.shape, hidden.ctypes.data)
        body.session.run_with_iobinding(binding)
        [logits] = self._head.run(None, {"hidden": hidden})
        return np.asarray(logits)

    def _allocate(self, rows: int, positions: int) -> None:
        sizes = self._sizes
        positions = -(-positions // _GROW) * _GROW
        shape = (sizes.layers, 2, rows, sizes.kv_heads, positions, sizes.head_size)
        self._state: Matrix = np.zeros(shape, dtype=np.float32)
        self._allocated += 1

    def _bind_state(self, body: _Body, rows: slice) -> None:
        """Bind a body to the buffers of these rows."""
        if body.bound == (self._allocated, rows):
            return
        body.bound = (self._allocated, rows)
        for i in range(self._sizes.layers):
            for k, kind in enumerate(("key", "value")):
                buffer = self._state[i, k, rows]
                place = ("cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)
                body.binding.bind_input(f"{kind}.{i}", *place)
                body.binding.bind_output(f"new_{kind}.{i}", *place)
