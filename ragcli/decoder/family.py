"""The interface of a model family to the runner: sizes, embeddings, and graphs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ragcli.ort.quantization import Matrix

Precision = Literal["float32", "int8", "int4"]

GRAPH = "decoder.onnx"


class Sizes(NamedTuple):
    """Hold the sizes of a model, whatever its family."""

    layers: int
    kv_heads: int
    head_size: int
    hidden_size: int
    context: int
    vocab_size: int


class FamilyCheckpoint(Protocol):
    """A model's weights, and what depends on its family.

    `identity` contains everything that the graphs depend on besides the `files`; `end_ids` are the default end
    tokens.
    """

    sizes: Sizes
    identity: str
    files: list[Path]
    end_ids: frozenset[int]

    def read_tokenizer(self) -> Tokenizer:
        """Read the model's tokenizer as this family uses it. Raises RagcliError."""

    def embed(self, ids: NDArray[np.int64], positions: NDArray[np.int64]) -> Matrix:
        """Return the input of the body (rows, tokens, hidden size) for ids and positions (rows, tokens)."""

    def write_graph(self, precision: Precision, folder: Path) -> None:
        """Write the graph of a precision and its weights into a folder."""


def ids_of(token: object) -> frozenset[int]:
    """Return the ids that a configuration names: one, a list, or none."""
    listed: Sequence[object] = token if isinstance(token, list) else [token]
    return frozenset(one for one in listed if isinstance(one, int))
