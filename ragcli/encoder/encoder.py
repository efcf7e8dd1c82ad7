"""The interface of encoders, whatever runs them: texts → vectors of length 1."""

from collections.abc import Callable, Sequence

import numpy as np

from ragcli.analysis.normal import legible
from ragcli.errors import RagcliError
from ragcli.ort.quantization import Matrix
from ragcli.store import EncoderConfig

Note = Callable[[str], None]


class Encoder:
    """An encoder; `config` contains everything that affects its vectors, `run` makes them."""

    def __init__(self, config: EncoderConfig, run: Callable[[Sequence[str]], Matrix]) -> None:
        self.config = config
        self._run = run

    def queries(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors (n, dimension) of queries, of length 1. Raises RagcliError."""
        return self._encode(self.config.query_prefix, texts)

    def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors (n, dimension) of passages, of length 1. Raises RagcliError."""
        return self._encode(self.config.passage_prefix, texts)

    def _encode(self, prefix: str, texts: Sequence[str]) -> Matrix:
        if not texts:
            return np.empty((0, self.config.dimension), dtype=np.float32)
        vectors = self._run([f"{prefix}{legible(text)}" for text in texts])
        if vectors.shape[1] != self.config.dimension:
            message = f"{self.config.name} gives vectors of {vectors.shape[1]} numbers, not of {self.config.dimension}"
            raise RagcliError(message, "Use the model that the index was built with.")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not lengths.all():
            raise RagcliError(f"{self.config.name} gives vectors of length 0", "Copy or download the model again.")
        return np.asarray(vectors / lengths, dtype=np.float32)
