"""Answer by text that stands in the passages, as few as are enough, and say how sure that is."""

from collections.abc import Sequence

import numpy as np

from ragcli.answer.answerer import AskOptions, Clock, Emit, Retrieved
from ragcli.answer.candidates import cite, in_reading_order
from ragcli.answer.confidence import confidence_features
from ragcli.answer.features import Matrix
from ragcli.answer.fitted import Fitted, fitted
from ragcli.answer.judge import judge, softmax
from ragcli.answer.meaning import Encoder
from ragcli.answer.schema import Answer, Extract, sources_of
from ragcli.answer.titled import answer_by_title
from ragcli.errors import RagcliError
from ragcli.search import Searcher
from ragcli.store import Hit, Store


class ExtractiveAnswerer:
    """Answer by sentences of the passages; no model is opened."""

    def __init__(self, searcher: Searcher, options: AskOptions) -> None:
        """Use the searcher's store, and its encoder if there is one."""
        self._searcher = searcher
        self._options = options._replace(style="grounded")

    def answer_all(self, found: Sequence[Retrieved], emit: Emit | None = None) -> list[Answer | RagcliError]:
        """Answer each question; none fails, and nothing is emitted."""
        return [self._answer(one) for one in found]

    def _answer(self, found: Retrieved) -> Answer:
        clock = Clock(found.seconds)
        least = self._options.min_confidence
        chosen = answer_by_title(found.question, found.hits, self._searcher.language)
        if chosen is None or chosen.confidence < (least or 0):
            chosen = extract(
                found.question, found.hits, self._searcher.store, self._searcher.encoder, min_confidence=least
            )
        return Answer(
            found.question,
            answer=chosen.text,
            abstained=chosen.abstained,
            sources=sources_of(found.hits),
            sentences=chosen.sentences,
            style=self._options.style,
            seed=self._options.options.seed,
            seconds=clock.seconds(),
            confidence=chosen.confidence,
        )


def extract(
    question: str,
    hits: Sequence[Hit],
    store: Store,
    encoder: Encoder | None = None,
    most: int = 2,
    min_confidence: float | None = None,
) -> Extract:
    """Answer a question by at most so many sentences of the hits, as few as are enough.

    Below `min_confidence`, or below what was found best where that is None, there are none.
    """
    language = store.config.language if store.config else "en"
    numbers = fitted(language, encoder is not None)
    judged = judge(question, hits, store, encoder)
    if not judged.candidates:
        return Extract((), 0.0, True)
    scores = numbers.ranking.scores(judged.features)
    confidence = numbers.confidence.probability(confidence_features(judged, scores))
    if confidence < (numbers.abstain if min_confidence is None else min_confidence):
        return Extract((), confidence, True)
    shares = softmax(scores)
    places = in_reading_order(judged.candidates, pick(shares, most, numbers))
    cited = (cite(judged.candidates[place], float(shares[place])) for place in places)
    return Extract(tuple(cited), confidence, False)


def pick(shares: Matrix, most: int, numbers: Fitted) -> list[int]:
    """Return the places of the best candidates, no more than are enough, best first; ties by place."""
    order: list[int] = np.argsort(-shares, kind="stable")[:most].tolist()
    return order[:1] if order and shares[order[0]] >= numbers.enough else order
