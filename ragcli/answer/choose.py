"""Choose the sentences that answer a question, and say how sure that is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ragcli.answer.candidates import Candidate, find_candidates
from ragcli.answer.features import Features, Matrix, word_features
from ragcli.answer.fitted import Fitted, fitted
from ragcli.answer.meaning import Encoder, meaning_features
from ragcli.answer.terms import Weights, weigh, words_by_term
from ragcli.store import Hit, Store

_MOST = 100  # candidates that are looked at closely
_ENCODED = 12  # of these, how many an encoder reads: the best by words; all of them take twice as long and win nothing


class CitedSentence(NamedTuple):
    """Hold a sentence of an answer and where it stands.

    `source` counts from 1, None where no source supports the sentence; start and end are character offsets in the
    source's document, 0 where there is none. `support` is in [0, 1].
    """

    text: str
    source: int | None
    start: int
    end: int
    support: float


class Grounded(NamedTuple):
    """Hold the sentences that answer a question, in reading order, and the confidence in [0, 1] that they do."""

    sentences: tuple[CitedSentence, ...]
    confidence: float
    abstained: bool

    @property
    def text(self) -> str:
        """Return the answer with the number of its source after each sentence."""
        return " ".join(f"{sentence.text} [{sentence.source}]" for sentence in self.sentences)


class Judged(NamedTuple):
    """Hold the candidates for an answer, what is known of them, and the question's terms."""

    candidates: list[Candidate]
    features: Features
    weights: Weights


def answer(
    question: str,
    hits: Sequence[Hit],
    store: Store,
    encoder: Encoder | None = None,
    most: int = 2,
    min_confidence: float | None = None,
) -> Grounded:
    """Answer a question by at most so many sentences of the hits, as few as are enough.

    Below `min_confidence`, or below what was found best where that is None, there are none.
    """
    language = store.config.language if store.config else "en"
    numbers = fitted(language, encoder is not None)
    judged = judge(question, hits, store, encoder)
    if not judged.candidates:
        return Grounded((), 0.0, True)
    scores = numbers.ranking.scores(judged.features)
    confidence = numbers.confidence.probability(signs(judged, scores))
    if confidence < (numbers.abstain if min_confidence is None else min_confidence):
        return Grounded((), confidence, True)
    shares = softmax(scores)
    places = in_reading_order(judged.candidates, pick(shares, most, numbers))
    cited = (cite(judged.candidates[place], float(shares[place])) for place in places)
    return Grounded(tuple(cited), confidence, False)


def judge(question: str, hits: Sequence[Hit], store: Store, encoder: Encoder | None = None) -> Judged:
    """Find the candidates for an answer and what is known of them; of very many, those with most of the question."""
    language = store.config.language if store.config else "en"
    words = words_by_term(question, language)
    weights = weigh(words, store.frequencies(list(words.values())), store.counts().passages)
    found = find_candidates(hits)
    features = word_features(question, weights, hits, found, language)
    found, features = _best(found, features, features.of("coverage"), _MOST)
    if encoder and found:
        found, features = _best(found, features, fitted(language, False).ranking.scores(features), _ENCODED)
        features = features.joined(meaning_features(question, hits, found, encoder, store))
    return Judged(found, features, weights)


def _best(found: list[Candidate], features: Features, scores: Matrix, most: int) -> tuple[list[Candidate], Features]:
    """Keep the best candidates, in their order."""
    kept = sorted(np.argsort(-scores, kind="stable")[:most].tolist())
    return [found[place] for place in kept], features.only(kept)


def pick(shares: Matrix, most: int, numbers: Fitted) -> list[int]:
    """Return the places of the best candidates, no more than are enough, best first; ties by place."""
    order: list[int] = np.argsort(-shares, kind="stable")[:most].tolist()
    return order[:1] if order and shares[order[0]] >= numbers.enough else order


def in_reading_order(candidates: Sequence[Candidate], places: Sequence[int]) -> list[int]:
    """Put the best first, and sentences of one passage as they stand in it."""
    rank = {hit: n for n, hit in enumerate(dict.fromkeys(candidates[place].hit for place in places))}
    return sorted(places, key=lambda place: (rank[candidates[place].hit], candidates[place].start))


def cite(candidate: Candidate, support: float = 1.0) -> CitedSentence:
    """Name a candidate's source by its number."""
    return CitedSentence(candidate.text, candidate.hit + 1, candidate.start, candidate.end, support)


def softmax(scores: Matrix) -> Matrix:
    """Return the shares (n,) of candidates in the probability that one of them is the answer."""
    shares = np.exp(scores - scores.max())
    return np.asarray(shares / shares.sum())


def signs(judged: Judged, scores: Matrix) -> dict[str, float]:
    """Return what confidence is judged by; nothing in it depends on the scale of the store's scores."""
    values, weights = judged.features, judged.weights
    best = int(np.argmax(scores))
    shares = softmax(scores)
    weightiest = max(weights.idf, default=0.0)
    of_hits = {c.hit: float(x) for c, x in zip(judged.candidates, values.of("coverage_passage"), strict=True)}
    by_hit = sorted(of_hits.values(), reverse=True)
    found = {
        "score": float(scores[best]),
        "share": float(shares[best]),
        "best_coverage": float(values.of("coverage").max()),
        "best_passage": float(values.of("coverage_passage").max()),
        "top_passage": float(values.of("coverage_passage")[0]),
        "coverage": float(values.of("coverage")[best]),
        "context": float(values.of("coverage")[best] + values.of("coverage_before")[best]),
        "passage": float(values.of("coverage_passage")[best]),
        "lead_over": by_hit[0] - (by_hit[1] if len(by_hit) > 1 else 0.0),
        "local": float(values.of("coverage_local")[best]),
        "alike": float(values.of("coverage_alike")[best]),
        "names": float(values.of("coverage_names")[best]),
        "numbers": float(values.of("coverage_numbers")[best]),
        "words": float(values.of("words")[best]),
        "pairs": float(values.of("pairs")[best]),
        "lead": float(values.of("coverage_lead")[best]),
        "fits": float(max(values.of(f"{kind}_fits")[best] for kind in ("number", "year", "name"))),
        "first_hit": float(values.of("rank")[best]),
        "terms": float(np.log1p(len(weights.terms))),
        "weightiest": weightiest / weights.total if weights.total else 0.0,
    }
    if "cosine" in values.names:
        found |= {f"best_{name}": float(values.of(name).max()) for name in ("cosine", "cosine_passage")}
        found |= {name: float(values.of(name)[best]) for name in ("cosine", "cosine_passage")}
    return found
