"""Split texts into terms that carry meaning, and weight those of a question."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ragcli.analysis.analyzer import analyzer
from ragcli.analysis.question_words import CHINESE_QUESTION_WORDS

# Chinese question words; as bigrams they would count as rare, hence important.
_ASKING = re.compile(
    "|".join(sorted(CHINESE_QUESTION_WORDS, key=len, reverse=True))
    + "|哪[一个個些里裡儿兒种種位年月天]?|几[个個年种種]?|幾[个個年种種]?|[是为為]?何[时時处處人者]?(?=[？?]|$)|[？?]"
)
# Verbs whose noun is one word: "back up" and "backed-up" are "backup".
_PARTICLES = {
    "up": "back|clean|look|set|sign|speed|start",
    "in": "check|log|opt|plug|sign",
    "out": "check|log|opt|print|roll|sign|time",
    "back": "fall|play|roll",
    "down": "break|count|drop|shut",
    "off": "log",
    "around": "work",
}
_SPLIT_VERB = re.compile(
    "|".join(rf"\b(?:{verbs})(?:[gpt]?ing|[gp]?ed|d|s)?[ -]{particle}\b" for particle, verbs in _PARTICLES.items()),
    re.IGNORECASE,
)
_ENDING = re.compile(r"(?:[gpt]?ing|[gp]?ed|d|s)?[ -](?=[a-z]+$)", re.IGNORECASE)


class Weights(NamedTuple):
    """Hold the distinct terms of a question in order, with their idf weights."""

    terms: tuple[str, ...]
    idf: tuple[float, ...]

    @property
    def total(self) -> float:
        """Sum the weights."""
        return math.fsum(self.idf)

    def share(self, terms: frozenset[str]) -> float:
        """Return the share of the weight of the terms in a set, in [0, 1]."""
        found = math.fsum(idf for term, idf in zip(self.terms, self.idf, strict=True) if term in terms)
        return found / self.total if self.total else 0.0


def terms(text: str, language: str) -> list[str]:
    """Return the terms of a text in order: stems without function words; bigrams of Chinese, Japanese, Korean."""
    return [term for _, term in analyzer(language).terms(_with_nouns(text, language)) if term]


def bag_of(text: str, language: str) -> Counter[str]:
    """Count the terms of a text."""
    return Counter(terms(text, language))


def words_by_term(text: str, language: str) -> dict[str, str]:
    """Return the distinct terms of a question in order, each with the first word that has it."""
    plain = _with_nouns(text, language) if language == "en" else _ASKING.sub(" ", text)
    found: dict[str, str] = {}
    for word, term in analyzer(language).asked(plain):
        if term:
            found.setdefault(term, word)
    return found or {word: word for word, _ in analyzer(language).terms(text)}


def _with_nouns(text: str, language: str) -> str:
    """Write verbs with a particle as their nouns in an English text."""
    return _SPLIT_VERB.sub(lambda found: _ENDING.sub("", found[0], count=1), text) if language == "en" else text


def weigh(words: Mapping[str, str], frequencies: Sequence[int], passages: int) -> Weights:
    """Weight terms by their rarity in N passages: ln(1 + (N - n + 0.5) / (n + 0.5)).

    Source: Robertson and Zaragoza 2009, The Probabilistic Relevance Framework, section 3.
    """
    idf = (math.log1p((max(passages, n) - n + 0.5) / (n + 0.5)) for n in frequencies)
    return Weights(tuple(words), tuple(idf))
