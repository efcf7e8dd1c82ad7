"""Read a GPT-2 checkpoint: its sizes from config.json, and its tensors."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ragcli.decoder.family import Precision, Sizes
from ragcli.errors import RagcliError
from ragcli.models import ModelFolder
from ragcli.ort.config import ACTIVATIONS, size_of
from ragcli.ort.quantization import Matrix
from ragcli.ort.tensors import Kind, Tensors
from ragcli.tokenizer import read_byte_level

_CHOOSE = "Choose a causal language model, such as gpt2."
_KIND = Kind("GPT-2", "causal language model", _CHOOSE, prefix="transformer.", head="lm_head.")
_HEAD_STEP = 8  # GroupQueryAttention needs head sizes that are multiples of this
# Causal masks, which old checkpoints contain like weights.
_MASKS = re.compile(r"h\.\d+\.attn\.(masked_)?bias")


class Gpt2Config(NamedTuple):
    """Hold the sizes of a GPT-2; `scales` are the factors of each layer's attention scores."""

    layers: int
    heads: int
    hidden_size: int
    intermediate_size: int
    context: int
    vocab_size: int
    epsilon: float
    activation: str
    tied: bool
    scales: tuple[float, ...]

    @property
    def head_size(self) -> int:
        """Return the size of an attention head, rounded up for the kernel."""
        return -(-self.hidden_size // self.heads // _HEAD_STEP) * _HEAD_STEP


def runs_here(config: Mapping[str, Any]) -> bool:
    """Return whether a configuration is a GPT-2 that the graph supports."""
    known = config.get("activation_function", ACTIVATIONS[0]) in ACTIVATIONS
    return config.get("model_type") == "gpt2" and known and not config.get("add_cross_attention")


def read_config(folder: ModelFolder, config: Mapping[str, Any]) -> Gpt2Config:
    """Read the sizes from a configuration, with GPT-2's defaults. Raises RagcliError for invalid ones."""
    kinds = config.get("architectures") or ["GPT2LMHeadModel"]
    if not any(str(kind) == "GPT2LMHeadModel" or str(kind).endswith("Model") for kind in kinds):
        raise RagcliError(f"{folder.name} is not a causal language model but {kinds[0]}", _CHOOSE)
    try:
        return _read(config)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise RagcliError(f"cannot load the model {folder.name}: config.json: {error}", _CHOOSE) from error


def _read(config: Mapping[str, Any]) -> Gpt2Config:
    layers, heads, hidden = (size_of(config, *key) for key in (("n_layer", 12), ("n_head", 12), ("n_embd", 768)))
    if hidden % heads:
        raise ValueError(f"n_embd {hidden} is not a multiple of n_head {heads}")
    scale = 1 / math.sqrt(hidden // heads) if config.get("scale_attn_weights", True) else 1.0
    by_layer = bool(config.get("scale_attn_by_inverse_layer_idx"))
    return Gpt2Config(
        layers=layers,
        heads=heads,
        hidden_size=hidden,
        intermediate_size=4 * hidden if config.get("n_inner") is None else size_of(config, "n_inner", 0),
        context=size_of(config, "n_positions", 1024),
        vocab_size=size_of(config, "vocab_size", 50257),
        epsilon=float(config.get("layer_norm_epsilon", 1e-5)),
        activation=str(config.get("activation_function", ACTIVATIONS[0])),
        tied=bool(config.get("tie_word_embeddings", True)),
        scales=tuple(scale / (i + 1 if by_layer else 1) for i in range(layers)),
    )


class Checkpoint(Tensors):
    """The tensors of a GPT-2; names are without the prefix "transformer."."""

    end_ids = frozenset({50256})

    def __init__(self, folder: ModelFolder, config: Gpt2Config) -> None:
        """Map the files. Raises RagcliError for tensors that are missing, unexpected, or of the wrong size."""
        super().__init__(folder, _KIND)
        self.config = config
        self.sizes = Sizes(
            config.layers, config.heads, config.head_size, config.hidden_size, config.context, config.vocab_size
        )
        self.identity = str(config)
        self.check(_wanted(config), self._ignored)

    @property
    def head(self) -> str:
        """Return the name of the output embedding, which a tied model shares with the input."""
        return "wte.weight" if self.config.tied else "lm_head.weight"

    def tensors(self) -> Iterator[tuple[str, Matrix]]:
        """Yield each tensor with its full name, as float32."""
        for name in _wanted(self.config):
            yield name if name.startswith(_KIND.head) else _KIND.prefix + name, self[name]

    def read_tokenizer(self) -> Tokenizer:
        """Read the tokenizer: byte-level BPE. Raises RagcliError."""
        return read_byte_level(self.folder)

    def embed(self, ids: NDArray[np.int64], positions: NDArray[np.int64]) -> Matrix:
        """Return the sum of both embeddings (rows, tokens, hidden size), of ids and positions (rows, tokens)."""
        return self.rows("wte.weight", ids) + self.rows("wpe.weight", positions)

    def write_graph(self, precision: Precision, folder: Path) -> None:
        """Write the graph of a precision and its weights into a folder."""
        from ragcli.decoder.families.gpt2.graph import write_graph  # and with it onnx, which only a first run needs

        write_graph(self, precision, folder)

    def _ignored(self, name: str) -> bool:
        return bool(_MASKS.fullmatch(name)) or (self.config.tied and name == "lm_head.weight")


def _wanted(config: Gpt2Config) -> dict[str, tuple[int, ...]]:
    """Return the name and size of each tensor. The linear layers are stored as (in, out), the head as (out, in)."""
    d, up = config.hidden_size, config.intermediate_size
    norm = {"weight": (d,), "bias": (d,)}
    parts: dict[str, dict[str, tuple[int, ...]]] = {
        "ln_1": {**norm},
        "attn.c_attn": {"weight": (d, 3 * d), "bias": (3 * d,)},
        "attn.c_proj": {"weight": (d, d), "bias": (d,)},
        "ln_2": {**norm},
        "mlp.c_fc": {"weight": (d, up), "bias": (up,)},
        "mlp.c_proj": {"weight": (up, d), "bias": (d,)},
    }
    tensors: dict[str, tuple[int, ...]] = {"wte.weight": (config.vocab_size, d), "wpe.weight": (config.context, d)}
    for i in range(config.layers):
        tensors |= {f"h.{i}.{part}.{name}": size for part, sizes in parts.items() for name, size in sizes.items()}
    tensors |= {"ln_f.weight": (d,), "ln_f.bias": (d,)}
    return tensors if config.tied else {**tensors, "lm_head.weight": (config.vocab_size, d)}
