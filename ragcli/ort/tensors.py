"""Read a checkpoint's tensors from memory-mapped safetensors, without torch.

The library's NumPy interface is not used, because it does not support bfloat16 and copies whole tensors, while looking
up a few embedding rows needs only a few pages.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragcli.errors import RagcliError
from ragcli.models import ModelFolder, read_header, weight_files
from ragcli.ort.quantization import Matrix

_COPY_AGAIN = "Copy or download the model again."
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
# Causal masks and position ids, which old checkpoints contain like weights.
_TYPES |= {"BOOL": "u1", "U8": "u1", "I64": "<i8"}
_TYPES |= {"I8": "i1"}  # with a scale for each row, named as in compressed-tensors
_SCALE = "_scale"
_UP, _DOWN = "_up", "_down"  # (out, rank) and (rank, in): their product is added to the shared matrix of that name


class Kind(NamedTuple):
    """Describe a family's checkpoints, also for error messages."""

    family: str  # as in "that a GPT-2 does not have"
    model: str  # what was expected, such as "causal language model"
    choose: str  # what to do instead
    prefix: str  # optional prefix of its names
    head: str  # prefix of the names without it


class Tensors:
    """The memory-mapped tensors of a checkpoint; names are without the prefix."""

    def __init__(
        self,
        folder: ModelFolder,
        kind: Kind,
        aliases: Mapping[str, str] | None = None,
        shared: tuple[Path, str] | None = None,
    ) -> None:
        """Map the files; `aliases` map old endings of names to new ones.

        `shared` is another model's folder, and the prefix of the tensors to take from there if the model has none of
        that name. Raises RagcliError.
        """
        self.files = weight_files(folder.path)
        self.folder, self._kind = folder, kind
        named = [entry for file in self.files for entry in _map_file(file)]
        self._prefix = kind.prefix if any(name.startswith(kind.prefix) for name, _ in named) else ""
        if shared:
            other, start = shared
            files = weight_files(other)
            self.files = [*self.files, *files]
            named = [entry for file in files for entry in _map_file(file) if entry[0].startswith(start)] + named
        self._tensors = {_renamed(name.removeprefix(kind.prefix), aliases or {}): tensor for name, tensor in named}

    def __getitem__(self, name: str) -> Matrix:
        """Return a whole tensor as float32."""
        values = self._scaled(name, _as_float(self._tensors[name]), slice(None))
        return values + self[name + _UP] @ self[name + _DOWN] if name + _UP in self._tensors else values

    def rows(self, name: str, places: Sequence[int] | NDArray[np.int64]) -> Matrix:
        """Return some rows of a matrix as float32, reading only these."""
        chosen = np.asarray(places)
        return self._scaled(name, _as_float(self._tensors[name][chosen]), chosen)

    def _scaled(self, name: str, values: Matrix, rows: slice | NDArray[np.int64]) -> Matrix:
        """Multiply rows of 8-bit integers by their scales; other tensors have none."""
        if self._tensors[name].dtype != np.int8:
            return values
        return np.asarray(values * _as_float(self._tensors[name + _SCALE][rows])[..., np.newaxis])

    def check(self, wanted: Mapping[str, tuple[int, ...]], ignored: Callable[[str], bool]) -> None:
        """Raise RagcliError for tensors that are missing, unexpected (and not ignored), or of the wrong size."""
        folder, kind = self.folder, self._kind
        for name, (out, *inputs) in list(wanted.items()):
            if name + _UP in self._tensors:
                rank = self._tensors[name + _UP].shape[-1]
                wanted = {**wanted, name + _UP: (out, rank), name + _DOWN: (rank, *inputs)}
        scales = {name + _SCALE: size[:1] for name, size in wanted.items() if self._dtype(name) == np.int8}
        wanted = {**wanted, **scales}
        missing = sorted(self._full(name) for name in wanted if name not in self._tensors)
        if missing:
            raise RagcliError(
                f"the model {folder.name} lacks {len(missing)} of its tensors, such as {missing[0]}",
                f"It is damaged, or not the expected {kind.model}. {kind.choose}",
            )
        extra = sorted(self._full(name) for name in self._tensors if name not in wanted and not ignored(name))
        if extra:
            raise RagcliError(
                f"{folder.name} has {len(extra)} tensors that a {kind.family} does not have, such as {extra[0]}",
                "Check that config.json belongs to this model.",
            )
        for name, size in wanted.items():
            if self._tensors[name].shape != size:
                message = f"{folder.path}: the tensor {self._full(name)} does not have the size of config.json"
                raise RagcliError(message, _COPY_AGAIN)

    def _dtype(self, name: str) -> np.dtype[Any] | None:
        return self._tensors[name].dtype if name in self._tensors else None

    def _full(self, name: str) -> str:
        return name if name.startswith(self._kind.head) else self._prefix + name


def _renamed(name: str, aliases: Mapping[str, str]) -> str:
    ending = next((ending for ending in aliases if name.endswith(ending)), "")
    return name.removesuffix(ending) + aliases[ending] if ending else name


def _map_file(path: Path) -> Iterable[tuple[str, NDArray[Any]]]:
    try:
        header = read_header(path)
        data = np.asarray(
            np.memmap(path, dtype=np.uint8, mode="r", offset=header.start)
        )  # slices of an array are faster
        return [(name, _view(data, entry)) for name, entry in header.tensors.items()]
    except (OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError) as error:
        message = f"cannot load {path}: it is truncated, damaged, or has tensors of an unknown type"
        raise RagcliError(message, _COPY_AGAIN) from error


def _view(data: NDArray[np.uint8], entry: Mapping[str, Any]) -> NDArray[Any]:
    start, end = entry["data_offsets"]
    return data[start:end].view(np.dtype(_TYPES[entry["dtype"]])).reshape(entry["shape"])


def _as_float(tensor: NDArray[Any]) -> Matrix:
    """Return float32; 16-bit integers are bfloat16, the upper half of a float32."""
    if tensor.dtype == np.uint16:
        return (tensor.astype(np.uint32) << 16).view(np.float32)
    return np.asarray(tensor, dtype=np.float32)
