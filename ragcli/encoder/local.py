"""Encoders of the BERT and XLM-RoBERTa families on ONNX Runtime, on the CPU, without torch."""

import hashlib
from collections.abc import Sequence

from ragcli.encoder.encoder import Encoder, Note
from ragcli.encoder.engine import EncoderSession, Precision
from ragcli.encoder.recipe import read_recipe
from ragcli.models import ModelFolder, read_json, weight_files
from ragcli.ort.cache import file_digest
from ragcli.ort.quantization import Matrix
from ragcli.store import EncoderConfig

_TOKENIZERS = ("tokenizer.json", "vocab.txt")  # in order of precedence


def open_local(folder: ModelFolder, precision: Precision, note: Note) -> Encoder:
    """Load a model, after preparing its graph the first time. Raises RagcliError."""
    recipe = read_recipe(folder)
    engine = EncoderSession(folder, read_json(folder.path / "config.json"), recipe.pooling, precision, note)
    sizes = engine.checkpoint.config
    longest = min(recipe.longest or sizes.longest, sizes.longest)

    def run(texts: Sequence[str]) -> Matrix:
        return engine.run([text.lower() for text in texts] if recipe.lower else texts, longest)

    config = EncoderConfig(
        name=folder.name,
        revision=_revision(folder, f"{sizes.identity} {recipe}"),
        dimension=sizes.hidden_size,
        pooling=recipe.pooling,
        query_prefix=recipe.query_prefix,
        passage_prefix=recipe.passage_prefix,
    )
    return Encoder(config, run)


def _revision(folder: ModelFolder, settings: str) -> str:
    """Return a hash of weights, tokenizer and settings; not of the precision, which changes vectors only slightly."""
    tokenizer = next(path for name in _TOKENIZERS if (path := folder.path / name).is_file())
    digests = [file_digest(file) for file in (*weight_files(folder.path), tokenizer)]
    return hashlib.sha256("\n".join([settings, *digests]).encode()).hexdigest()[:32]
