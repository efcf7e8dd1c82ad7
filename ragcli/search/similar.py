"""Describe a text by key terms and by a vector, to search for similar ones."""

from collections import Counter
from collections.abc import Sequence
from math import log
from typing import TYPE_CHECKING

from ragcli.analysis.analyzer import analyzer
from ragcli.store import QueryClause, Store

if TYPE_CHECKING:
    from ragcli.store import Vector

_WORDS = 50  # key terms of a text
_READ = 100_000  # characters of a text that are read


def key_terms(store: Store, text: str) -> list[QueryClause]:
    """Return the words with the highest tf-idf in the index, weighted by their frequency in the text.

    Words in none or in more than half of the passages are ignored.
    """
    counts = Counter(analyzer(store.config.language if store.config else "en").words(text[:_READ]))
    words = list(counts)
    passages = store.counts().passages
    found = {
        word: counts[word] * log(passages / frequency)
        for word, frequency in zip(words, store.frequencies(words), strict=True)
        if 0 < frequency <= max(passages / 2, 1)
    }
    best = sorted(found, key=lambda word: (-found[word], word))[:_WORDS]
    return [QueryClause(word, counts[word]) for word in best]


def centroid(vectors: Sequence["Vector"]) -> "Vector":
    """Return the mean of vectors, scaled to length 1."""
    total = sum(vectors[1:], start=vectors[0])
    scaled: Vector = total / max(float(total @ total) ** 0.5, 1e-12)
    return scaled
