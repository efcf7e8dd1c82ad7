"""Encoders of the BERT and XLM-RoBERTa families on ONNX Runtime, on the CPU, without torch."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from ragcli.analysis.normal import legible
from ragcli.encoder.cross import CrossEncoder
from ragcli.encoder.engine import EncoderSession, Precision
from ragcli.encoder.names import find_encoder
from ragcli.encoder.recipe import read_recipe
from ragcli.errors import RagcliError
from ragcli.models import ModelFolder, read_json, weight_files
from ragcli.ort.cache import file_digest
from ragcli.ort.quantization import Matrix
from ragcli.store import EncoderConfig
from ragcli.warm import opened

__all__ = ["CrossEncoder", "Encoder", "open_encoder"]

Note = Callable[[str], None]

_TOKENIZERS = ("tokenizer.json", "vocab.txt")  # in order of precedence


class Encoder:
    """An encoder; `config` contains everything that affects its vectors."""

    def __init__(self, folder: ModelFolder, precision: Precision, note: Note) -> None:
        """Load the model, after preparing its graph the first time. Raises RagcliError."""
        recipe = read_recipe(folder)
        self._engine = EncoderSession(folder, read_json(folder.path / "config.json"), recipe.pooling, precision, note)
        sizes = self._engine.checkpoint.config
        self._longest = min(recipe.longest or sizes.longest, sizes.longest)
        self._lower = recipe.lower
        self.config = EncoderConfig(
            name=folder.name,
            revision=_revision(folder, f"{sizes.identity} {recipe}"),
            dimension=sizes.hidden_size,
            pooling=recipe.pooling,
            query_prefix=recipe.query_prefix,
            passage_prefix=recipe.passage_prefix,
        )

    def queries(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors (n, dimension) of queries, of length 1. Raises RagcliError."""
        return self._encode(self.config.query_prefix, texts)

    def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors (n, dimension) of passages, of length 1. Raises RagcliError."""
        return self._encode(self.config.passage_prefix, texts)

    def _encode(self, prefix: str, texts: Sequence[str]) -> Matrix:
        whole = [f"{prefix}{legible(text)}" for text in texts]
        vectors = self._engine.run([text.lower() for text in whole] if self._lower else whole, self._longest)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not lengths.all():
            raise RagcliError(f"{self.config.name} gives vectors of length 0", "Copy or download the model again.")
        return np.asarray(vectors / lengths, dtype=np.float32)


def open_encoder(name: str, precision: Precision, note: Note) -> Encoder:
    """Open an encoder by alias, hub id or folder; `note` receives notes for the user.

    Raises UnreachableError for a model that cannot be downloaded, RagcliError for one that is damaged or unsupported.
    """
    folder = find_encoder(name)
    return opened(folder, f"encoder {precision}", lambda: Encoder(folder, precision, note))


def _revision(folder: ModelFolder, settings: str) -> str:
    """Return a hash of weights, tokenizer and settings; not of the precision, which changes vectors only slightly."""
    tokenizer = next(path for name in _TOKENIZERS if (path := folder.path / name).is_file())
    digests = [file_digest(file) for file in (*weight_files(folder.path), tokenizer)]
    return hashlib.sha256("\n".join([settings, *digests]).encode()).hexdigest()[:32]
