"""Read a GPT-2 checkpoint without torch: its sizes from config.json, its tensors from memory-mapped safetensors.

The format is read here, not by the library's NumPy interface: that one knows no bfloat16 and copies whole tensors,
while a look-up of a few embedding rows needs a few pages. Source: https://github.com/huggingface/safetensors#format.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragcli.errors import RagcliError
from ragcli.models import ModelFolder, weight_files

Matrix = NDArray[np.float32]

ACTIVATIONS = ("gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu", "relu")

_CHOOSE = "Choose a causal language model, such as gpt2."
_COPY_AGAIN = "Copy or download the model again."
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_HEAD_STEP = 8  # GroupQueryAttention takes heads of such widths only
_PREFIX = "transformer."
# Causal masks, which old checkpoints carry as if they were weights.
_MASKS = re.compile(r"h\.\d+\.attn\.(masked_)?bias")


class Shape(NamedTuple):
    """Hold the sizes of a GPT-2; `scales` is what each layer multiplies its attention scores by."""

    layers: int
    heads: int
    width: int
    inner: int
    context: int
    vocab: int
    epsilon: float
    activation: str
    tied: bool
    scales: tuple[float, ...]

    @property
    def head_width(self) -> int:
        """Return the width of an attention head, rounded up to what the kernel takes."""
        return -(-self.width // self.heads // _HEAD_STEP) * _HEAD_STEP


def runs_here(config: Mapping[str, Any]) -> bool:
    """Tell whether a configuration is of the GPT-2 family, and has nothing that the graph does not know."""
    known = config.get("activation_function", ACTIVATIONS[0]) in ACTIVATIONS
    return config.get("model_type") == "gpt2" and known and not config.get("add_cross_attention")


def read_shape(folder: ModelFolder, config: Mapping[str, Any]) -> Shape:
    """Read the sizes from a configuration; what it leaves out is GPT-2's. Raises RagcliError for impossible ones."""
    kinds = config.get("architectures") or ["GPT2LMHeadModel"]
    if not any(str(kind) == "GPT2LMHeadModel" or str(kind).endswith("Model") for kind in kinds):
        raise RagcliError(f"{folder.name} is no causal language model but {kinds[0]}", _CHOOSE)
    try:
        return _shape(config)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise RagcliError(f"cannot load the model {folder.name}: config.json: {error}", _CHOOSE) from error


def _shape(config: Mapping[str, Any]) -> Shape:
    layers, heads, width = (_size(config, *key) for key in (("n_layer", 12), ("n_head", 12), ("n_embd", 768)))
    if width % heads:
        raise ValueError(f"n_embd {width} is no multiple of n_head {heads}")
    scale = 1 / math.sqrt(width // heads) if config.get("scale_attn_weights", True) else 1.0
    by_layer = bool(config.get("scale_attn_by_inverse_layer_idx"))
    return Shape(
        layers=layers,
        heads=heads,
        width=width,
        inner=4 * width if config.get("n_inner") is None else _size(config, "n_inner", 0),
        context=_size(config, "n_positions", 1024),
        vocab=_size(config, "vocab_size", 50257),
        epsilon=float(config.get("layer_norm_epsilon", 1e-5)),
        activation=str(config.get("activation_function", ACTIVATIONS[0])),
        tied=bool(config.get("tie_word_embeddings", True)),
        scales=tuple(scale / (i + 1 if by_layer else 1) for i in range(layers)),
    )


def _size(config: Mapping[str, Any], name: str, default: int) -> int:
    size = config.get(name, default)
    if not isinstance(size, int) or size < 1:
        raise ValueError(f"{name} is {size!r}")
    return size


class Checkpoint:
    """Hold the tensors of a checkpoint, mapped into memory; names are without the prefix "transformer."."""

    def __init__(self, folder: ModelFolder, shape: Shape) -> None:
        """Map the files; raises RagcliError for tensors that are missing, not wanted, or not of the right size."""
        self.shape = shape
        self.files = weight_files(folder.path)
        named = {name: tensor for file in self.files for name, tensor in _map_file(file)}
        self._tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in named.items()}
        self._check(folder, _PREFIX if any(name.startswith(_PREFIX) for name in named) else "")

    def __getitem__(self, name: str) -> Matrix:
        """Return a whole tensor as float32."""
        return _as_float(self._tensors[name])

    def rows(self, name: str, places: Sequence[int] | NDArray[np.int64]) -> Matrix:
        """Return some rows of a matrix as float32, and read no more."""
        return _as_float(self._tensors[name][np.asarray(places)])

    @property
    def head(self) -> str:
        """Return the name of the output embedding, which a tied model shares with the input."""
        return "wte.weight" if self.shape.tied else "lm_head.weight"

    def _check(self, folder: ModelFolder, prefix: str) -> None:
        wanted = _wanted(self.shape)
        full = {name: name if name == "lm_head.weight" else prefix + name for name in (*wanted, *self._tensors)}
        missing = sorted(full[name] for name in wanted if name not in self._tensors)
        if missing:
            raise RagcliError(
                f"the model {folder.name} lacks {len(missing)} of its tensors, {missing[0]} among them",
                f"It is damaged, or no causal language model. {_CHOOSE}",
            )
        extra = sorted(full[name] for name in self._tensors if name not in wanted and not self._ignored(name))
        if extra:
            raise RagcliError(
                f"the model {folder.name} has {len(extra)} tensors that no GPT-2 has, {extra[0]} among them",
                "Is config.json another model's? Put the right one into the folder.",
            )
        for name, size in wanted.items():
            if self._tensors[name].shape != size:
                message = f"{folder.path}: the tensor {full[name]} does not have the size of config.json"
                raise RagcliError(message, _COPY_AGAIN)

    def _ignored(self, name: str) -> bool:
        return bool(_MASKS.fullmatch(name)) or (self.shape.tied and name == "lm_head.weight")


def _wanted(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Return the name and size of each tensor. The linear layers are stored as (in, out), the head as (out, in)."""
    d, inner = shape.width, shape.inner
    norm = {"weight": (d,), "bias": (d,)}
    parts: dict[str, dict[str, tuple[int, ...]]] = {
        "ln_1": {**norm},
        "attn.c_attn": {"weight": (d, 3 * d), "bias": (3 * d,)},
        "attn.c_proj": {"weight": (d, d), "bias": (d,)},
        "ln_2": {**norm},
        "mlp.c_fc": {"weight": (d, inner), "bias": (inner,)},
        "mlp.c_proj": {"weight": (inner, d), "bias": (d,)},
    }
    tensors: dict[str, tuple[int, ...]] = {"wte.weight": (shape.vocab, d), "wpe.weight": (shape.context, d)}
    for i in range(shape.layers):
        tensors |= {f"h.{i}.{part}.{name}": size for part, sizes in parts.items() for name, size in sizes.items()}
    tensors |= {"ln_f.weight": (d,), "ln_f.bias": (d,)}
    return tensors if shape.tied else {**tensors, "lm_head.weight": (shape.vocab, d)}


def _map_file(path: Path) -> Iterable[tuple[str, NDArray[Any]]]:
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        data = np.asarray(np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length))  # its slices are faster
        return [(name, _view(data, entry)) for name, entry in header.items() if name != "__metadata__"]
    except (OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError) as error:
        message = f"cannot load {path}: it is cut short, damaged, or has tensors of an unknown type"
        raise RagcliError(message, _COPY_AGAIN) from error


def _view(data: NDArray[np.uint8], entry: Mapping[str, Any]) -> NDArray[Any]:
    start, end = entry["data_offsets"]
    # uint8 tensors are the causal masks of old checkpoints.
    dtype = np.dtype("u1" if entry["dtype"] in ("BOOL", "U8") else _TYPES[entry["dtype"]])
    return data[start:end].view(dtype).reshape(entry["shape"])


def _as_float(tensor: NDArray[Any]) -> Matrix:
    """Return float32; 16-bit integers are bfloat16, the upper half of a float32."""
    if tensor.dtype == np.uint16:
        return (tensor.astype(np.uint32) << 16).view(np.float32)
    return np.asarray(tensor, dtype=np.float32)
