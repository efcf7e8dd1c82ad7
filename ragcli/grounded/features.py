"""What the words say for a sentence as the answer to a question: one row of numbers for each candidate."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragcli.grounded.candidates import Candidate
from ragcli.grounded.terms import Weights, terms
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
_PREFIX = 5  # letters by which words of one family are told: invent, inventor, invention


class Features(NamedTuple):
    """Hold what is known of the candidates: `names` (n), and `values` (candidates, n)."""

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
    """Hold the features of one candidate that words decide about; all shares are of the weight of the question."""

    coverage: float  # share that stands in the sentence
    coverage_local: float  # the same, where terms weigh by how few of the candidates hold them
    coverage_before: float  # share that the sentence before and the title add
    coverage_after: float  # share that the sentence after adds
    coverage_lead: float  # share that the passage's first sentence adds
    coverage_loose: float  # share that words add which begin alike
    coverage_passage: float  # share that stands in the passage and its title
    passage: float  # the store's score, brought to [0, 1] among the hits
    rank: float  # 1 / the hit's rank
    length: float  # ln(1 + number of terms)
    new: float  # ln(1 + number of terms that are not in the question)
    number_fits: float  # 1 where the question asks for a number and the sentence holds one
    year_fits: float  # the same for times
    name_fits: float  # the same for persons
    first: float  # 1 for the passage's first sentence
    late: float  # how far in the passage, in [0, 1]


def word_features(
    question: str, weights: Weights, hits: Sequence[Hit], found: Sequence[Candidate], language: str
) -> Features:
    """Compare each candidate with the question, by the weights of its terms."""
    seen: dict[str, frozenset[str]] = {"": frozenset()}

    def cut(text: str) -> frozenset[str]:
        if text not in seen:
            seen[text] = frozenset(terms(text, language))
        return seen[text]

    local = _local(weights, [cut(candidate.text) for candidate in found])
    loose = Weights(tuple(term[:_PREFIX] for term in weights.terms), weights.idf)
    scores = minmax([hit.score for hit in hits])
    asked = frozenset(weights.terms)
    fits = [
        pattern if asking.search(question) else None
        for asking, pattern in ((_ASKS_NUMBER, _NUMBER), (_ASKS_YEAR, _YEAR), (_ASKS_NAME, _NAME))
    ]

    def row(candidate: Candidate) -> Row:
        hit, own = hits[candidate.hit], cut(candidate.text)
        title = cut(hit.title)
        coverage = weights.share(own)
        number, year, name = (float(bool(pattern and pattern.search(candidate.text))) for pattern in fits)
        return Row(
            coverage=coverage,
            coverage_local=local.share(own),
            coverage_before=weights.share(own | cut(candidate.before) | title) - coverage,
            coverage_after=weights.share(own | cut(candidate.after)) - coverage,
            coverage_lead=weights.share(own | cut(candidate.lead)) - coverage,
            coverage_loose=loose.share(frozenset(term[:_PREFIX] for term in own)) - coverage,
            coverage_passage=weights.share(title | cut(hit.text)),
            passage=scores[candidate.hit],
            rank=1 / (1 + candidate.hit),
            length=float(np.log1p(len(own))),
            new=float(np.log1p(len(own - asked))),
            number_fits=number,
            year_fits=year,
            name_fits=name,
            first=float(candidate.place == 0),
            late=candidate.place / max(1, candidate.of - 1),
        )

    rows = np.array([row(candidate) for candidate in found], dtype=np.float32)
    return Features(Row._fields, rows.reshape(len(found), len(Row._fields)))


def minmax(scores: Sequence[float]) -> list[float]:
    """Bring scores to [0, 1]; to 1 where all are equal."""
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [(score - low) / (high - low) if high > low else 1.0 for score in scores]


def _local(weights: Weights, sentences: Sequence[frozenset[str]]) -> Weights:
    """Weigh the question's terms by how few of the candidates hold them."""
    n = len(sentences)
    holding = (sum(term in sentence for sentence in sentences) for term in weights.terms)
    return Weights(weights.terms, tuple(float(np.log((1 + n) / (1 + count))) for count in holding))
