"""Run the graph of a model of any family, with key/value buffers that are written in place."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragcli.decoder.family import GRAPH, Sizes
from ragcli.ort.quantization import Matrix
from ragcli.ort.session import open_session

_GROW = 256  # positions by which the buffers grow, at least


class Runner:
    """The session of a model and the state of its rows; `lengths` (rows,) are their filled positions."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        """Load the graph in a folder. Raises LoadError if it is damaged."""
        self._session = open_session(folder / GRAPH)
        self._binding = self._session.io_binding()
        self._bound: tuple[int, slice] | None = None  # generation of the buffers, and their rows
        self._sizes = sizes
        self.lengths = np.zeros(0, dtype=np.int32)
        self._allocated = 0
        self._allocate(0, 0)

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
        self._bind_state(rows)
        shape = np.array([*embeddings.shape[:2], -1])
        logits = np.empty((len(wanted), self._sizes.vocab_size), dtype=np.float32)
        inputs = {"shape": shape, "wanted": wanted, "lengths": added, "last": after - 1}
        inputs |= {"total": np.array(after.max(), dtype=np.int32)}
        binding = self._binding
        binding.bind_cpu_input("embeddings", embeddings.reshape(-1, self._sizes.hidden_size))
        for name, values in inputs.items():
            binding.bind_cpu_input(name, values)
        binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        self._session.run_with_iobinding(binding)
        return logits

    def _allocate(self, rows: int, positions: int) -> None:
        sizes = self._sizes
        positions = -(-positions // _GROW) * _GROW
        shape = (sizes.layers, 2, rows, sizes.kv_heads, positions, sizes.head_size)
        self._state: Matrix = np.zeros(shape, dtype=np.float32)
        self._allocated += 1

    def _bind_state(self, rows: slice) -> None:
        """Bind the graph to the buffers of these rows."""
        if self._bound == (self._allocated, rows):
            return
        self._bound = (self._allocated, rows)
        for i in range(self._sizes.layers):
            for k, kind in enumerate(("key", "value")):
                buffer = self._state[i, k, rows]
                place = ("cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)
                self._binding.bind_input(f"{kind}.{i}", *place)
                self._binding.bind_output(f"new_{kind}.{i}", *place)
