"""Find the candidates for an answer, and their features by words, encoder and reader."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ragcli.answer.blocks import find_candidates
from ragcli.answer.candidates import Candidate
from ragcli.answer.features import Features, Matrix, word_features
from ragcli.answer.fitted import Fitted, fitted
from ragcli.answer.meaning import Encoder, meaning_features
from ragcli.answer.terms import Weights, weigh
from ragcli.answer.titled import read_question
from ragcli.reader import Reading
from ragcli.store import Hit, Store

_MOST = 100  # candidates that are ranked
READ = 16  # candidates, the best by words, that the encoder and the reader score

Span = tuple[int, int]


class Reader(Protocol):
    """Score how well blocks answer a question."""

    def read(self, question: str, blocks: Sequence[tuple[str, str]]) -> list[Reading]:
        """Return a reading of each block, a pair of heading path and text."""


class Models(NamedTuple):
    """Hold the models that score candidates, if any."""

    encoder: Encoder | None = None
    reader: Reader | None = None

    def fitted(self, language: str) -> Fitted:
        """Return the weights fitted for these models."""
        return fitted(language, self.encoder is not None, self.reader is not None)


class Judged(NamedTuple):
    """Hold the candidates for an answer, their features, and the weights of the question's terms.

    `spans` are the words of each that answer, as offsets in its text, if there is a reader. `kind` is the question
    word.
    """

    candidates: list[Candidate]
    features: Features
    weights: Weights
    spans: list[Span | None]
    kind: str = ""

    def only(self, places: Sequence[int]) -> "Judged":
        """Keep some of the candidates."""
        return self._replace(
            candidates=[self.candidates[place] for place in places],
            features=self.features.only(places),
            spans=[self.spans[place] for place in places],
        )


def judge(question: str, hits: Sequence[Hit], store: Store, models: Models = Models()) -> Judged:
    """Find the candidates for an answer and their features; of very many, only the best by words."""
    language = store.config.language if store.config else "en"
    about = read_question(question, language)
    weights = weigh(about.words, store.frequencies(list(about.words.values())), store.counts().passages)
    found = find_candidates(hits, language)
    features = word_features(question, about, weights, hits, found, language)
    kind = "what" if about.defines else about.kind
    judged = Judged(found, features, weights, [None] * len(found), kind)
    judged = _best(judged, features.of("coverage"), _MOST)
    if not judged.candidates or models == Models():
        return judged
    judged = _best(judged, fitted(language).ranking.scores(judged.features), READ)
    if models.encoder:
        found_features = meaning_features(question, hits, judged.candidates, models.encoder, store)
        judged = judged._replace(features=judged.features.joined(found_features))
    return read_by(models.reader, question, judged) if models.reader else judged


def read_by(reader: Reader, question: str, judged: Judged) -> Judged:
    """Add the reader's score, the probability of each block against all others and none, and its span."""
    readings = reader.read(question, [(candidate.head, candidate.text) for candidate in judged.candidates])
    scores = np.clip(np.array([reading.score for reading in readings], dtype=np.float32), -20, 20)
    shares = np.exp(scores) / (1 + np.exp(scores).sum())
    features = Features(("reader", "reader_share"), np.column_stack([scores, shares]).astype(np.float32))
    spans: list[Span | None] = [(reading.start, reading.end) for reading in readings]
    return judged._replace(features=judged.features.joined(features), spans=spans)


def _best(judged: Judged, scores: Matrix, most: int) -> Judged:
    """Keep the best candidates, in their original order."""
    return judged.only(sorted(np.argsort(-scores, kind="stable")[:most].tolist()))


def softmax(scores: Matrix) -> Matrix:
    """Return the probabilities (n,) of candidates, given that one of them is the answer."""
    shares = np.exp(scores - scores.max())
    return np.asarray(shares / shares.sum())
