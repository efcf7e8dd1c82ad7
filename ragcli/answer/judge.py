"""Find the candidates for an answer, and what is known of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ragcli.answer.candidates import Candidate, find_candidates
from ragcli.answer.features import Features, Matrix, word_features
from ragcli.answer.fitted import fitted
from ragcli.answer.meaning import Encoder, meaning_features
from ragcli.answer.terms import Weights, weigh, words_by_term
from ragcli.store import Hit, Store

_MOST = 100  # candidates that are looked at closely
_ENCODED = 12  # of these, how many an encoder reads: the best by words; all of them take twice as long and win nothing


class Judged(NamedTuple):
    """Hold the candidates for an answer, what is known of them, and the question's terms."""

    candidates: list[Candidate]
    features: Features
    weights: Weights


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


def softmax(scores: Matrix) -> Matrix:
    """Return the shares (n,) of candidates in the probability that one of them is the answer."""
    shares = np.exp(scores - scores.max())
    return np.asarray(shares / shares.sum())
