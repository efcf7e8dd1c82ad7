"""Cross-encoders score how well a text answers a query by reading both together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ragcli.encoder.checkpoint import Checkpoint, Sizes, is_roberta, read_config
from ragcli.encoder.engine import EncoderSession, Note, Precision
from ragcli.errors import RagcliError
from ragcli.models import ModelFolder, read_json
from ragcli.ort.quantization import Matrix

_CHOOSE = "Choose a re-ranker with one score, such as cross-encoder/ms-marco-MiniLM-L6-v2 or BAAI/bge-reranker-base."


class CrossEncoder:
    """A cross-encoder: a BERT or RoBERTa with a classifier of one label."""

    def __init__(self, folder: ModelFolder, precision: Precision, note: Note) -> None:
        """Load the model, after preparing its graph the first time. Raises RagcliError."""
        config = read_json(folder.path / "config.json")
        size = read_config(folder, config).hidden_size
        _check_labels(folder, config)
        dense, out = _layers(config)
        head = _sizes(dense, size, size) | _sizes(out, 1, size)
        self.name = folder.name
        self._engine = EncoderSession(folder, config, "cls", precision, note, head)
        self._dense, self._out = (_read(self._engine.checkpoint, layer) for layer in (dense, out))

    def scores(self, query: str, texts: Sequence[str]) -> Matrix:
        """Return the logits (n,) of texts for a query; higher is better. Raises RagcliError."""
        first = self._engine.run([(query, text) for text in texts], self._engine.checkpoint.config.longest)
        (dense, dense_bias), (out, out_bias) = self._dense, self._out
        return np.asarray((np.tanh(first @ dense + dense_bias) @ out + out_bias)[:, 0], dtype=np.float32)


def _check_labels(folder: ModelFolder, config: Mapping[str, Any]) -> None:
    kinds = config.get("architectures") or ["a model without a name"]
    if not any(str(kind).endswith("ForSequenceClassification") for kind in kinds):
        raise RagcliError(f"{folder.name} is not a cross-encoder but {kinds[0]}", _CHOOSE)
    labels = config.get("id2label", {0: "", 1: ""})  # two by default
    if len(labels) != 1:
        raise RagcliError(f"{folder.name} has {len(labels)} labels, but a re-ranker has one", _CHOOSE)


def _layers(config: Mapping[str, Any]) -> tuple[str, str]:
    """Return the names of the two layers after the first token."""
    return ("classifier.dense", "classifier.out_proj") if is_roberta(config) else ("pooler.dense", "classifier")


def _sizes(layer: str, outputs: int, inputs: int) -> Sizes:
    return {f"{layer}.weight": (outputs, inputs), f"{layer}.bias": (outputs,)}


def _read(checkpoint: Checkpoint, layer: str) -> tuple[Matrix, Matrix]:
    """Return a layer's weights (in, out) and bias."""
    return checkpoint[f"{layer}.weight"].T, checkpoint[f"{layer}.bias"]
