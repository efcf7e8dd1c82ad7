"""Give the passages of changed documents their vectors; what a store knows already is not encoded again."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from ragcli.errors import IndexMismatchError
from ragcli.store import Change, EncoderFacts, Store, vector_key

if TYPE_CHECKING:
    from ragcli.encoder import Encoder

_BATCH = 128  # passages: enough to put those of like length together, few enough to show progress


def passage_text(title: str, text: str) -> str:
    """Return what of a passage is encoded."""
    return f"{title}\n{text}" if title else text


def open_encoder(name: str, note: Callable[[str], None]) -> "Encoder":
    """Open an encoder by alias, hub id or folder; only now NumPy and ONNX Runtime are loaded.

    Raises UnreachableError for a model that cannot be had, RagcliError for one that is damaged or does not run here.
    """
    from ragcli import encoder

    return encoder.open_encoder(name, "auto", note)


def matching_encoder(facts: EncoderFacts, note: Callable[[str], None]) -> "Encoder":
    """Open the encoder that made an index's vectors.

    Raises IndexMismatchError where what now has its name is another one, UnreachableError where it is not to be had.
    """
    encoder = open_encoder(facts.name, note)
    if not same_encoder(encoder.facts, facts):
        raise IndexMismatchError(
            f"{facts.name} is not the encoder any more that the index was built with",
            f"Build it again: ragcli index FILE --encoder {facts.name} --rebuild, or search with --mode keyword.",
        )
    return encoder


def same_encoder(one: EncoderFacts, other: EncoderFacts | None) -> bool:
    """Tell whether two encoders make the same vectors, wherever their files are."""
    return other is not None and one._replace(name="") == other._replace(name="")


def with_vectors(changes: Iterable[Change], store: Store, encoder: Callable[[], "Encoder"]) -> Iterator[Change]:
    """Add vectors to changes, in their order; the encoder is opened when the first passage needs it."""
    import numpy as np  # loaded only where vectors are wanted

    for batch in _batches(changes):
        texts = [_texts(change) for change in batch]
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
        for change, part in zip(batch, keys, strict=True):
            yield change._replace(vectors=np.stack([known[key] for key in part])) if part else change


def _texts(change: Change) -> list[tuple[str, str]]:
    title = change.document.title if change.document else ""
    return [(title, text) for _, text in change.passages]


def _batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    batch: list[Change] = []
    passages = 0
    for change in changes:
        batch.append(change)
        passages += len(change.passages)
        if passages >= _BATCH:
            yield batch
            batch, passages = [], 0
    if batch:
        yield batch
