"""Read a BERT or RoBERTa checkpoint: its sizes from config.json, and its tensors."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragcli.encoder.names import PACKAGED
from ragcli.errors import RagcliError
from ragcli.models import ModelFolder
from ragcli.ort.config import ACTIVATIONS, size_of
from ragcli.ort.quantization import Matrix
from ragcli.ort.tensors import Kind, Tensors

_CHOOSE = "Choose one of the BERT or XLM-RoBERTa family, such as minilm or e5."
_ROBERTA = ("roberta", "xlm-roberta", "camembert")
_TYPES = ("bert", *_ROBERTA)
# Names of a norm's gain and bias in the first checkpoints.
_ALIASES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
# Additional tensors of language model heads, poolers and old checkpoints.
_IGNORED = re.compile(r"(pooler|cls|lm_head|classifier)\..*|embeddings\.(position_ids|token_type_ids)")

Sizes = dict[str, tuple[int, ...]]


class BertConfig(NamedTuple):
    """Hold the sizes of an encoder; positions begin at `first_position`."""

    layers: int
    heads: int
    hidden_size: int
    intermediate_size: int
    positions: int
    first_position: int
    types: int
    vocab_size: int
    epsilon: float
    activation: str

    @property
    def identity(self) -> str:
        """Return all sizes as text. Its form and old names never change, because indexes contain a hash of it."""
        names = {"hidden_size": "width", "intermediate_size": "inner", "vocab_size": "vocab"}
        parts = (f"{names.get(name, name)}={value!r}" for name, value in self._asdict().items())
        return f"Shape({', '.join(parts)})"

    @property
    def longest(self) -> int:
        """Return the maximal number of tokens of a text."""
        return self.positions - self.first_position


def read_config(folder: ModelFolder, config: Mapping[str, Any]) -> BertConfig:
    """Read the sizes from a configuration. Raises RagcliError for other families and invalid sizes."""
    kind = config.get("model_type")
    if kind not in _TYPES:
        raise RagcliError(f"{folder.name} is of type {kind}; supported encoders are {', '.join(_TYPES)}", _CHOOSE)
    try:
        return _read(config)
    except (TypeError, ValueError, LookupError) as error:
        raise RagcliError(f"cannot load the model {folder.name}: config.json: {error}", _CHOOSE) from error


def is_roberta(config: Mapping[str, Any]) -> bool:
    """Return whether a configuration is RoBERTa's, with its own first position and classifier."""
    return config["model_type"] in _ROBERTA


def _read(config: Mapping[str, Any]) -> BertConfig:
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ValueError(f"position_embedding_type is {config['position_embedding_type']!r}")
    if config.get("is_decoder"):
        raise ValueError("is_decoder is true")
    activation = config.get("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        raise ValueError(f"hidden_act is {activation!r}")
    first = config.get("pad_token_id", 1) + 1 if is_roberta(config) else 0
    sizes = BertConfig(
        layers=size_of(config, "num_hidden_layers", 12),
        heads=size_of(config, "num_attention_heads", 12),
        hidden_size=size_of(config, "hidden_size", 768),
        intermediate_size=size_of(config, "intermediate_size", 3072),
        positions=size_of(config, "max_position_embeddings", 512),
        first_position=first,
        types=size_of(config, "type_vocab_size", 2),
        vocab_size=size_of(config, "vocab_size", 30522),
        epsilon=float(config.get("layer_norm_eps", 1e-12)),
        activation=activation,
    )
    if sizes.hidden_size % sizes.heads:
        raise ValueError(f"hidden_size {sizes.hidden_size} is not a multiple of num_attention_heads {sizes.heads}")
    if sizes.longest < 2:
        raise ValueError(f"max_position_embeddings is {sizes.positions}")
    return sizes


class Checkpoint(Tensors):
    """The tensors of an encoder; names are without the prefix "bert." or "roberta."."""

    def __init__(self, folder: ModelFolder, config: Mapping[str, Any], head: Sizes | None = None) -> None:
        """Map the files; `head` are the names and sizes of a classifier's tensors.

        If the configuration names the folder of a packaged encoder as `word_embeddings`, these are taken from there; if
        as `base`, all that the model has not. Raises RagcliError for tensors that are missing, unexpected, or of the
        wrong size.
        """
        self.config = read_config(folder, config)
        family, prefix = ("RoBERTa", "roberta.") if is_roberta(config) else ("BERT", "bert.")
        model = "re-ranker" if head else "encoder"
        kind = Kind(family, model, _CHOOSE, prefix, head="classifier.")
        super().__init__(folder, kind, _ALIASES, _shared(config))
        self.check(_wanted(self.config) | (head or {}), lambda name: bool(_IGNORED.fullmatch(name)))

    def embed(self, ids: NDArray[np.int64], types: NDArray[np.int64] | None = None) -> Matrix:
        """Return the embeddings (rows, tokens, hidden), not yet normalised, of ids and token types (rows, tokens)."""
        first = self.config.first_position
        places = self.rows("embeddings.position_embeddings.weight", range(first, first + ids.shape[1]))
        kinds = self.rows("embeddings.token_type_embeddings.weight", [0] if types is None else types)
        return self.rows("embeddings.word_embeddings.weight", ids) + (places + kinds)


def _shared(config: Mapping[str, Any]) -> tuple[Path, str] | None:
    """Return the packaged encoder that a configuration names, and the prefix of the tensors that are its."""
    packaged = {path.name: path for path in PACKAGED.values()}
    for key, prefix in (("word_embeddings", "embeddings.word_embeddings."), ("base", "")):
        if config.get(key) in packaged:
            return packaged[config[key]], prefix
    return None


def _wanted(config: BertConfig) -> Sizes:
    """Return the name and size of each tensor. The linear layers are stored as (out, in)."""
    d, up = config.hidden_size, config.intermediate_size
    sizes: Sizes = {
        "embeddings.word_embeddings.weight": (config.vocab_size, d),
        "embeddings.position_embeddings.weight": (config.positions, d),
        "embeddings.token_type_embeddings.weight": (config.types, d),
        **_norm("embeddings.LayerNorm", d),
    }
    for i in range(config.layers):
        layer = f"encoder.layer.{i}"
        for part in ("query", "key", "value"):
            sizes |= _linear(f"{layer}.attention.self.{part}", d, d)
        sizes |= _linear(f"{layer}.attention.output.dense", d, d) | _norm(f"{layer}.attention.output.LayerNorm", d)
        sizes |= _linear(f"{layer}.intermediate.dense", d, up)
        sizes |= _linear(f"{layer}.output.dense", up, d) | _norm(f"{layer}.output.LayerNorm", d)
    return sizes


def _linear(name: str, inputs: int, outputs: int) -> Sizes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, size: int) -> Sizes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}
