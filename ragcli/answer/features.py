"""Word features: how well the words of each candidate answer a question."""

import re
from collections.abc import Container, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragcli.analysis.languages import HAN, HANGUL, KANA
from ragcli.answer.candidates import ENDED, LEADS, Candidate
from ragcli.answer.terms import Weights, terms
from ragcli.answer.titled import Asked, title_match
from ragcli.search.fusion import min_max
from ragcli.store import Hit

Matrix = NDArray[np.float32]

_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|thousand|million|billion|half|"
    r"twice|first|second|third)\b|[一二三四五六七八九十百千万萬億亿兩两]",
    re.IGNORECASE,
)
_YEAR = re.compile(
    r"\b1\d{3}\b|\b20\d\d\b|\bcentury\b|\b(?:January|February|March|April|May|June|July|August|September|October|"
    r"November|December)\b|\d[年月]|世[纪紀]"
)
_NAME = re.compile(r"(?<=[\w,;:’'\")] )[A-Z][\w’'-]+")
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|old|far|large|big|high|tall|often|fast)\b|\bwhat (?:percent\w*|number|amount|age)\b|"
    r"[几幾]|多少",
    re.IGNORECASE,
)
_ASKS_YEAR = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:\w+ )?(?:year|date|day|month|century|decade|time)\b|[何时時][时時候間间]|哪一?年",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(r"\bwho(?:se|m)?\b|[谁誰]", re.IGNORECASE)
_REASON = re.compile(
    r"\b(?:because|since|reasons?|due to|so that|in order to|therefore|as a result|causes?d?|otherwise|means that|"
    r"leads? to|thus|advantages?|avoids?)\b|因[为為]|由[于於]|所以|原因|[为為]了|因此|[导導]致",
    re.IGNORECASE,
)
_POINTS = re.compile(
    r"^\W*(?:(?:for (?:more|further|additional|details|an? )[^.]*,? )?(?:please )?(?:also )?"
    r"(?:see|refer to|consult|check out|read|have a look at|take a look at|visit)\b"
    r"|(?:更多|详细|詳細)?[^。]{0,12}(?:请参[阅考见]|参[见阅考]|請參閱|详见|詳見))[^\n]{0,160}$",
    re.IGNORECASE,
)
_CAPITALISED = re.compile(r"(?<=[^\W_])[^\w]+([A-Z][\w’'-]*)")  # not the first word
_AS_WRITTEN = re.compile(rf"[{HAN}{KANA}{HANGUL}]|\w+(?:[.,]\d+)*")
_BEGINNING = 60  # characters within which a definition names its subject
_ALIKE = 0.4  # Dice coefficient of trigrams from which on two words are related


class Features(NamedTuple):
    """Hold the features of candidates: `names` (n), and `values` (candidates, n)."""

    names: tuple[str, ...]
    values: Matrix

    def of(self, name: str) -> Matrix:
        """Return one feature of all candidates (candidates,)."""
        return np.asarray(self.values[:, self.names.index(name)])

    def joined(self, other: "Features") -> "Features":
        """Add the features of another kind."""
        return Features(self.names + other.names, np.hstack([self.values, other.values]))

    def only(self, places: Sequence[int]) -> "Features":
        """Keep some of the candidates."""
        return Features(self.names, self.values[list(places)])


class Row(NamedTuple):
    """Hold the word features of one candidate; shares are of the weight of the question's terms."""

    coverage: float  # share in the sentence
    coverage_local: float  # the same, with terms weighted by their rarity among the candidates
    coverage_before: float  # share that the sentence before and the title add
    coverage_after: float  # share that the sentence after adds
    coverage_lead: float  # share that the passage's first sentence adds
    coverage_alike: float  # share that related words add: invent, inventor, invention
    coverage_passage: float  # share in the passage and its title
    coverage_names: float  # share of the question's names in the sentence
    coverage_numbers: float  # the same for its numbers
    words: float  # share of the question's words in the sentence, unstemmed, with function words
    pairs: float  # the same for pairs of words
    passage: float  # the store's score, scaled to [0, 1] among the hits
    rank: float  # 1 / the hit's rank
    length: float  # ln(1 + number of terms)
    new: float  # ln(1 + number of terms that are not in the question)
    number_fits: float  # 1 if the question asks for a number and the sentence has one
    year_fits: float  # the same for times
    name_fits: float  # the same for persons
    reason_fits: float  # the same for reasons
    points: float  # 1 if it only points to another text
    first: float  # 1 for the passage's first sentence
    late: float  # position in the passage, in [0, 1]
    head: float  # share that the heads and the title add
    title: float  # how well the title matches the question, in [0, 1]
    title_first: float  # the same for the document's first block, else 0
    defines: float  # 1 if the question asks for a definition and the block begins with its subject
    leads: float  # 1 for a lead-in
    sentence: float  # 1 if it ends with a final mark


def word_features(
    question: str, about: Asked, weights: Weights, hits: Sequence[Hit], found: Sequence[Candidate], language: str
) -> Features:
    """Return the word features of each candidate; `about` is the question as it was read."""
    seen: dict[str, frozenset[str]] = {"": frozenset()}

    def cut(text: str) -> frozenset[str]:
        if text not in seen:
            seen[text] = frozenset(terms(text, language))
        return seen[text]

    local = _local(weights, [cut(candidate.text) for candidate in found])
    names = _part(weights, {term for name in _CAPITALISED.findall(question) for term in cut(name)})
    numbers = _part(weights, {term for term in weights.terms if term.isdecimal()})
    words, pairs = _as_written(question)
    scores = min_max([hit.score for hit in hits])
    asked = frozenset(weights.terms)
    fits = [
        pattern if asking.search(question) else None
        for asking, pattern in (
            (_ASKS_NUMBER, _NUMBER),
            (_ASKS_YEAR, _YEAR),
            (_ASKS_NAME, _NAME),
        )
    ]

    titles = [title_match(about, hit.title, language) for hit in hits]

    def row(candidate: Candidate) -> Row:
        hit, own = hits[candidate.hit], cut(candidate.text)
        title = cut(hit.title)
        beginning = cut(candidate.text[:_BEGINNING])
        coverage = weights.share(own)
        written = _as_written(candidate.text)
        number, year, name = (float(bool(pattern and pattern.search(candidate.text))) for pattern in fits)
        return Row(
            coverage=coverage,
            coverage_local=local.share(own),
            coverage_before=weights.share(own | cut(candidate.before) | title) - coverage,
            coverage_after=weights.share(own | cut(candidate.after)) - coverage,
            coverage_lead=weights.share(own | cut(candidate.lead)) - coverage,
            coverage_alike=weights.share(own | _alike(asked - own, own)) - coverage,
            coverage_passage=weights.share(title | cut(hit.text)),
            coverage_names=names.share(own),
            coverage_numbers=numbers.share(own),
            words=len(words & written[0]) / max(1, len(words)),
            pairs=len(pairs & written[1]) / max(1, len(pairs)),
            passage=scores[candidate.hit],
            rank=1 / (1 + candidate.hit),
            length=float(np.log1p(len(own))),
            new=float(np.log1p(len(own - asked))),
            number_fits=number,
            year_fits=year,
            name_fits=name,
            reason_fits=float(about.kind == "why" and bool(_REASON.search(candidate.text))),
            points=float(bool(_POINTS.search(candidate.text))),
            first=float(candidate.place == 0),
            late=candidate.place / max(1, candidate.of - 1),
            head=weights.share(own | cut(candidate.head)) - coverage,
            title=titles[candidate.hit],
            title_first=titles[candidate.hit] * float(candidate.start == 0),
            defines=float(about.defines and about.terms <= beginning),
            leads=float(bool(LEADS.search(candidate.text))),
            sentence=float(bool(ENDED.search(candidate.text))),
        )

    rows = np.array([row(candidate) for candidate in found], dtype=np.float32)
    return Features(Row._fields, rows.reshape(len(found), len(Row._fields)))


def _part(weights: Weights, terms: Container[str]) -> Weights:
    """Keep some of the terms."""
    kept = [(term, idf) for term, idf in zip(weights.terms, weights.idf, strict=True) if term in terms]
    return Weights(tuple(term for term, _ in kept), tuple(idf for _, idf in kept))


def _as_written(text: str) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """Return the words of a text in small letters, of CJK text the characters, and the pairs that follow each other."""
    words = _AS_WRITTEN.findall(text.lower())
    return frozenset(words), frozenset(pairwise(words))


def _alike(asked: frozenset[str], own: frozenset[str]) -> frozenset[str]:
    """Return which terms have one among `own` that is spelt nearly alike."""
    return frozenset(term for term in asked if any(_dice(_trigrams(term), _trigrams(word)) > _ALIKE for word in own))


def _dice(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other))


@lru_cache(maxsize=1 << 14)
def _trigrams(word: str) -> frozenset[str]:
    padded = f"^{word}$"
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


def _local(weights: Weights, sentences: Sequence[frozenset[str]]) -> Weights:
    """Weight the question's terms by their rarity among the candidates."""
    n = len(sentences)
    holding = (sum(term in sentence for sentence in sentences) for term in weights.terms)
    return Weights(weights.terms, tuple(float(np.log((1 + n) / (1 + count))) for count in holding))
