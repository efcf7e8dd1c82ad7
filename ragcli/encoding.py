"""Encode the passages of changed documents; vectors that the store already has are reused."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ragcli import settings
from ragcli.errors import IndexMismatchError
from ragcli.store import DocumentUpdate, EncoderConfig, Store, vector_key

if TYPE_CHECKING:
    from ragcli.encoder import Encoder

DEFAULT_ENCODERS = {"en": "minilm", "zh": "bge-zh"}
_BATCH = 128  # passages: enough to group them by length, few enough to show progress


def suggested_encoder(language: str) -> str:
    """Return the name of the encoder to suggest for a language: the packaged one, or one of many languages."""
    return DEFAULT_ENCODERS.get(language, "e5")


def passage_text(title: str, text: str) -> str:
    """Return the text of a passage that is encoded: with its title."""
    return f"{title}\n{text}" if title else text


def open_encoder(name: str, note: Callable[[str], None]) -> "Encoder":
    """Open an encoder that the user named; NumPy and ONNX Runtime are loaded only here. Errors as in `encoder`."""
    from ragcli import encoder

    return encoder.open_encoder(name, "auto", note, settings.model_api_key())


def matching_encoder(config: EncoderConfig, note: Callable[[str], None]) -> "Encoder":
    """Open the encoder that made an index's vectors.

    Raises IndexMismatchError if its name now stands for another one, UnreachableError if it cannot be downloaded.
    """
    from ragcli.encoder import open_encoder

    encoder = open_encoder(config.name, "auto", note, settings.key_for(config.name))
    if not same_encoder(encoder.config, config):
        raise IndexMismatchError(
            f"{config.name} is no longer the encoder that the index was built with",
            f"Build it again: ragcli index FILE --encoder {config.name} --rebuild, or search with --mode keyword.",
        )
    return encoder


def same_encoder(one: EncoderConfig, other: EncoderConfig | None) -> bool:
    """Return whether two encoders make the same vectors, wherever their files are."""
    return other is not None and one._replace(name="") == other._replace(name="")


def with_vectors(
    updates: Iterable[DocumentUpdate], store: Store, encoder: Callable[[], "Encoder"]
) -> Iterator[DocumentUpdate]:
    """Add vectors to updates, in order; the encoder is opened when the first passage needs it."""
    import numpy as np  # loaded only if vectors are wanted

    for batch in _batches(updates):
        texts = [_texts(update) for update in batch]
        keys = [[vector_key(title, text) for title, text in part] for part in texts]
        known = store.vectors([key for part in keys for key in part])
        new = {
            key: passage_text(*text)
            for part, found in zip(texts, keys, strict=True)
            for text, key in zip(part, found, strict=True)
            if key not in known
        }
        if new:
            known |= zip(new, encoder().passages(list(new.values())), strict=True)
        for update, part in zip(batch, keys, strict=True):
            yield update._replace(vectors=np.stack([known[key] for key in part])) if part else update


def _texts(update: DocumentUpdate) -> list[tuple[str, str]]:
    title = update.document.title if update.document else ""
    return [(title, text) for _, text in update.passages]


def _batches(updates: Iterable[DocumentUpdate]) -> Iterator[list[DocumentUpdate]]:
    batch: list[DocumentUpdate] = []
    passages = 0
    for update in updates:
        batch.append(update)
        passages += len(update.passages)
        if passages >= _BATCH:
            yield batch
            batch, passages = [], 0
    if batch:
        yield batch
