"""By content: what a text says, as words and as a vector, to search for texts like it."""

from collections import Counter
from collections.abc import Sequence
from math import log
from typing import TYPE_CHECKING

from ragcli.analysis.analyzer import analyzer
from ragcli.store import QueryClause, Store

if TYPE_CHECKING:
    from ragcli.store import Vector

_WORDS = 50  # of a text that are searched for
_READ = 100_000  # characters of a text that are looked at


def key_terms(store: Store, text: str) -> list[QueryClause]:
    """Return the words that tell a text from others, by tf-idf in the index, weighted by how often they come.

    Words that no passage of the index has, and those that more than half of them have, tell nothing.
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
