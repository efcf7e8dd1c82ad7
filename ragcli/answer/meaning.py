"""Encoder features: cosines of candidates and passages to the question."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ragcli.answer.candidates import Candidate
from ragcli.answer.features import Features, Matrix
from ragcli.encoding import passage_text
from ragcli.store import Hit, Store, vector_key


class Encoder(Protocol):
    """Encode texts as vectors of length 1."""

    def queries(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors (texts, dimension) of questions."""

    def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors (texts, dimension) of passages."""


class Row(NamedTuple):
    """Hold the encoder features of one candidate."""

    cosine: float  # of the block
    cosine_passage: float  # of the passage
    cosine_best: float  # of the passage's best block


def meaning_features(
    question: str, hits: Sequence[Hit], found: Sequence[Candidate], encoder: Encoder, store: Store
) -> Features:
    """Return the encoder features of each candidate."""
    asked = encoder.queries([question])[0]
    passages = passage_vectors(hits, encoder, store) @ asked
    sentences = encoder.passages([passage_text(candidate.head, candidate.text) for candidate in found]) @ asked
    best = np.full(len(hits), -1.0, dtype=np.float32)
    of = np.array([candidate.hit for candidate in found])
    np.maximum.at(best, of, sentences)
    return Features(Row._fields, np.column_stack([sentences, passages[of], best[of]]).astype(np.float32))


def passage_vectors(hits: Sequence[Hit], encoder: Encoder, store: Store) -> Matrix:
    """Return the vectors (hits, dimension) of passages, from the store or else newly encoded."""
    keys = [vector_key(hit.title, hit.text) for hit in hits]
    known = store.vectors(keys)
    missing = [i for i, key in enumerate(keys) if key not in known]
    if missing:
        made = encoder.passages([passage_text(hits[i].title, hits[i].text) for i in missing])
        known = known | {keys[i]: vector for i, vector in zip(missing, made, strict=True)}
    return np.stack([known[key] for key in keys])
