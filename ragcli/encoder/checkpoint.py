"""Read a BERT or RoBERTa checkpoint: its sizes from config.json, its tensors as the family names and sizes them."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragcli.errors import RagcliError
from ragcli.models import ModelFolder
from ragcli.ort.config import ACTIVATIONS, size_of
from ragcli.ort.quantization import Matrix
from ragcli.ort.tensors import Kind, Tensors

_CHOOSE = "Choose one of the BERT or XLM-RoBERTa family, such as minilm or e5."
_ROBERTA = ("roberta", "xlm-roberta", "camembert")
_TYPES = ("bert", *_ROBERTA)
# How the first checkpoints named a norm's gain and bias.
_ALIASES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
# What a language model's head, a pooler, and old checkpoints hold besides.
_IGNORED = re.compile(r"(pooler|cls|lm_head|classifier)\..*|embeddings\.(position_ids|token_type_ids)")

Sizes = dict[str, tuple[int, ...]]


class Shape(NamedTuple):
    """Hold the sizes of an encoder; positions count from `first_position`."""

    layers: int
    heads: int
    width: int
    inner: int
    positions: int
    first_position: int
    types: int
    vocab: int
    epsilon: float
    activation: str

    @property
    def longest(self) -> int:
        """Return how many tokens a text may have."""
        return self.positions - self.first_position


def read_shape(folder: ModelFolder, config: Mapping[str, Any]) -> Shape:
    """Read the sizes from a configuration. Raises RagcliError for another family's and for impossible ones."""
    kind = config.get("model_type")
    if kind not in _TYPES:
        raise RagcliError(f"{folder.name} is of the type {kind}; encoders of {', '.join(_TYPES)} run here", _CHOOSE)
    try:
        return _shape(config)
    except (TypeError, ValueError, LookupError) as error:
        raise RagcliError(f"cannot load the model {folder.name}: config.json: {error}", _CHOOSE) from error


def is_roberta(config: Mapping[str, Any]) -> bool:
    """Tell whether positions count from behind the padding's, and the classifier is RoBERTa's."""
    return config["model_type"] in _ROBERTA


def _shape(config: Mapping[str, Any]) -> Shape:
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError(f"position_embedding_type is {config['position_embedding_type']!r}")
    if config.get("is_decoder"):
        raise ValueError("is_decoder is true")
    activation = config.get("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        raise ValueError(f"hidden_act is {activation!r}")
    first = config.get("pad_token_id", 1) + 1 if is_roberta(config) else 0
    shape = Shape(
        layers=size_of(config, "num_hidden_layers", 12),
        heads=size_of(config, "num_attention_heads", 12),
        width=size_of(config, "hidden_size", 768),
        inner=size_of(config, "intermediate_size", 3072),
        positions=size_of(config, "max_position_embeddings", 512),
        first_position=first,
        types=size_of(config, "type_vocab_size", 2),
        vocab=size_of(config, "vocab_size", 30522),
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        activation=activation,
    )
    if shape.width % shape.heads:
        raise ValueError(f"hidden_size {shape.width} is no multiple of num_attention_heads {shape.heads}")
    if shape.longest < 2:
        raise ValueError(f"max_position_embeddings is {shape.positions}")
    return shape


class Checkpoint(Tensors):
    """Hold the tensors of an encoder; names are without the prefix "bert." or "roberta."."""

    def __init__(self, folder: ModelFolder, config: Mapping[str, Any], head: Sizes | None = None) -> None:
        """Map the files; `head` names the tensors of a classifier, and their sizes.

        Raises RagcliError for tensors that are missing, not wanted, or not of the right size.
        """
        self.shape = read_shape(folder, config)
        family, prefix = ("RoBERTa", "roberta.") if is_roberta(config) else ("BERT", "bert.")
        model = "re-ranker" if head else "encoder"
        super().__init__(folder, Kind(family, model, _CHOOSE, prefix, head="classifier."), _ALIASES)
        self.check(_wanted(self.shape) | (head or {}), lambda name: bool(_IGNORED.fullmatch(name)))

    def embed(self, ids: NDArray[np.int64], types: NDArray[np.int64] | None = None) -> Matrix:
        """Return the embeddings (rows, tokens, width), not yet normalised, of ids and token types (rows, tokens)."""
        first = self.shape.first_position
        places = self.rows("embeddings.position_embeddings.weight", range(first, first + ids.shape[1]))
        kinds = self.rows("embeddings.token_type_embeddings.weight", [0] if types is None else types)
        return self.rows("embeddings.word_embeddings.weight", ids) + (places + kinds)


def _wanted(shape: Shape) -> Sizes:
    """Return the name and size of each tensor. The linear layers are stored as (out, in)."""
    d, inner = shape.width, shape.inner
    sizes: Sizes = {
        "embeddings.word_embeddings.weight": (shape.vocab, d),
        "embeddings.position_embeddings.weight": (shape.positions, d),
        "embeddings.token_type_embeddings.weight": (shape.types, d),
        **_norm("embeddings.LayerNorm", d),
    }
    for i in range(shape.layers):
        layer = f"encoder.layer.{i}"
        for part in ("query", "key", "value"):
            sizes |= _linear(f"{layer}.attention.self.{part}", d, d)
        sizes |= _linear(f"{layer}.attention.output.dense", d, d) | _norm(f"{layer}.attention.output.LayerNorm", d)
        sizes |= _linear(f"{layer}.intermediate.dense", d, inner)
        sizes |= _linear(f"{layer}.output.dense", inner, d) | _norm(f"{layer}.output.LayerNorm", d)
    return sizes


def _linear(name: str, inputs: int, outputs: int) -> Sizes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, width: int) -> Sizes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
