"""How often words occur: in an index, or in texts that are in none."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from ragcli.answer.candidates import all_sentences
from ragcli.answer.terms import terms
from ragcli.store import Counts, Hit, IndexConfig


class Statistics(Protocol):
    """What a store knows about words; the names are the store's."""

    @property
    def config(self) -> IndexConfig | None:
        """Return how the texts were read, with their language."""

    def counts(self) -> Counts:
        """Count documents and passages."""

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return the number of passages with each word."""


class TextStatistics:
    """The statistics of texts, by their sentences."""

    def __init__(self, hits: Sequence[Hit], language: str) -> None:
        self.config = IndexConfig(language, 0)
        found = [set(terms(one.text, language)) for one in all_sentences(hits)]
        self._counts = Counts(len(hits), len(found))
        self._frequencies = Counter(term for sentence in found for term in sentence)

    def counts(self) -> Counts:
        """Count texts and sentences."""
        return self._counts

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return the number of sentences with each word; if it has several terms, with its rarest."""
        language = self.config.language
        return [min((self._frequencies[term] for term in terms(word, language)), default=0) for word in words]
