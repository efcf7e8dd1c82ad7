"""What a family of models tells the runner: the sizes that it runs with, the embeddings, and how graphs are written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ragcli.ort.quantization import Matrix

Precision = Literal["float32", "int8", "int4"]

# The graphs of a model. The body for a whole prompt may be another one than that for a few tokens.
DECODE, PREFILL, HEAD = "decode", "prefill", "head"


class Sizes(NamedTuple):
    """Hold the sizes that a model is run with, whatever its family."""

    layers: int
    kv_heads: int
    head_size: int
    hidden_size: int
    context: int
    vocab_size: int


class FamilyCheckpoint(Protocol):
    """Hold a model's weights, and what its family decides.

    `identity` says all that the graphs depend on besides the `files`; `end_ids` are the tokens that end a text where
    the model's files name none.
    """

    sizes: Sizes
    identity: str
    files: list[Path]
    end_ids: frozenset[int]

    def read_tokenizer(self) -> Tokenizer:
        """Read the model's tokenizer as this family uses it. Raises RagcliError."""

    def embed(self, ids: NDArray[np.int64], positions: NDArray[np.int64]) -> Matrix:
        """Return what the body takes, (rows, tokens, hidden size), for ids and positions (rows, tokens)."""

    def write_graphs(self, precision: Precision, folder: Path) -> None:
        """Write the graphs of a precision and their weights into a folder."""


def ids_of(token: object) -> frozenset[int]:
    """Return the ids that a configuration names: one, a list, or none."""
    listed: Sequence[object] = token if isinstance(token, list) else [token]
    return frozenset(one for one in listed if isinstance(one, int))
