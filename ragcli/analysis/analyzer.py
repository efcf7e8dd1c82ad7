"""One analysis of text for everything that compares texts: the stores, search, answers and rendering."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Protocol

from ragcli.analysis.languages import STEMMED
from ragcli.analysis.sentences import sentence_spans
from ragcli.analysis.words import STOP_WORDS, cjk_bigrams, function_words, word_spans

_WORD = re.compile(r"[^\W_]+(?:['’](?=s\b))?")


class Stemmer(Protocol):
    """Reduce words to stems."""

    def stemWord(self, word: str) -> str:  # noqa: N802 (the library's name)
        """Return the stem of a word in small letters."""


class Analyzer:
    """Cut texts of one language into sentences, words and stems."""

    def __init__(self, language: str) -> None:
        self.language = language

    def sentence_spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of each sentence in order, without the white space around it."""
        return sentence_spans(text)

    def words(self, text: str) -> Iterator[str]:
        """Yield the words of a text in small letters, of a CJK run its bigrams; no English function words."""
        folded = (unicodedata.normalize("NFKC", text[start:end]).lower() for start, end in word_spans(text))
        return (word for word in folded if word not in STOP_WORDS)

    def stems(self, text: str) -> frozenset[str]:
        """Return the stems of a text's words, by which two texts can be compared; no English function words."""
        return frozenset(self._key(word) for word in self.words(text))

    def terms(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield each word of a text in order with its term: its stem or bigram, empty for a function word."""
        for found in _WORD.findall(cjk_bigrams(text).lower()):
            word = found.rstrip("'’")
            yield word, _term(word, self.language)

    def match_spans(self, query: str, text: str) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of the words in a text that the query's words match: by stem, CJK by bigrams."""
        wanted = {self._key(query[start:end]) for start, end in word_spans(query)} - function_words(self.language)
        for start, end in word_spans(text):
            if self._key(text[start:end]) in wanted:
                yield start, end

    def _key(self, word: str) -> str:
        folded = unicodedata.normalize("NFKC", word).lower()
        if self.language not in STEMMED or folded in function_words(self.language):
            return folded
        return _stemmer(STEMMED[self.language]).stemWord(folded)


@cache
def analyzer(language: str) -> Analyzer:
    """Return the analyzer of a language."""
    return Analyzer(language)


@lru_cache(maxsize=1 << 16)
def _term(word: str, language: str) -> str:
    if word in STOP_WORDS or word == "s":
        return ""
    return _stemmer("english").stemWord(word) if language == "en" else word


@cache
def _stemmer(name: str) -> Stemmer:
    import snowballstemmer  # only answers and terminals compare stems, so nothing else waits for this

    stemmer: Stemmer = snowballstemmer.stemmer(name)
    return stemmer
