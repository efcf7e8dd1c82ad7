"""Read a GPT-2 checkpoint: its sizes from config.json, its tensors as they are named and sized in all GPT-2s."""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ragcli.errors import RagcliError
from ragcli.models import ModelFolder
from ragcli.ort.config import ACTIVATIONS, size_of
from ragcli.ort.tensors import Kind, Tensors

_CHOOSE = "Choose a causal language model, such as gpt2."
_KIND = Kind("GPT-2", "causal language model", _CHOOSE, prefix="transformer.", head="lm_head.")
_HEAD_STEP = 8  # GroupQueryAttention takes heads of such widths only
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
    layers, heads, width = (size_of(config, *key) for key in (("n_layer", 12), ("n_head", 12), ("n_embd", 768)))
    if width % heads:
        raise ValueError(f"n_embd {width} is no multiple of n_head {heads}")
    scale = 1 / math.sqrt(width // heads) if config.get("scale_attn_weights", True) else 1.0
    by_layer = bool(config.get("scale_attn_by_inverse_layer_idx"))
    return Shape(
        layers=layers,
        heads=heads,
        width=width,
        inner=4 * width if config.get("n_inner") is None else size_of(config, "n_inner", 0),
        context=size_of(config, "n_positions", 1024),
        vocab=size_of(config, "vocab_size", 50257),
        epsilon=float(config.get("layer_norm_epsilon", 1e-5)),
        activation=str(config.get("activation_function", ACTIVATIONS[0])),
        tied=bool(config.get("tie_word_embeddings", True)),
        scales=tuple(scale / (i + 1 if by_layer else 1) for i in range(layers)),
    )


class Checkpoint(Tensors):
    """Hold the tensors of a GPT-2; names are without the prefix "transformer."."""

    def __init__(self, folder: ModelFolder, shape: Shape) -> None:
        """Map the files; raises RagcliError for tensors that are missing, not wanted, or not of the right size."""
        super().__init__(folder, _KIND)
        self.shape = shape
        self.check(_wanted(shape), self._ignored)

    @property
    def head(self) -> str:
        """Return the name of the output embedding, which a tied model shares with the input."""
        return "wte.weight" if self.shape.tied else "lm_head.weight"

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
