"""Answer with text from the passages, as little as is enough, and compute the confidence in it."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from ragcli.answer.answerer import AskOptions, Clock, Emit, Retrieved
from ragcli.answer.blocks import blocks_of
from ragcli.answer.compose import Piece, compose
from ragcli.answer.confidence import LEAST, confidence_of
from ragcli.answer.context import in_context
from ragcli.answer.features import Matrix
from ragcli.answer.judge import Judged, Models, Reader, judge, softmax
from ragcli.answer.names import missing_names
from ragcli.answer.schema import (
    Answer,
    CitedSentence,
    Extract,
    Length,
    Nearest,
    Range,
    sources_of,
)
from ragcli.errors import RagcliError
from ragcli.search import Searcher
from ragcli.search.query import first_words
from ragcli.store import Hit, Store

_NAMELESS = 0.1  # maximal confidence in an answer about something that the texts never name

# What is shown where nothing answers has this share of the question's words, or this cosine to it. Of 81 questions that
# have nothing to do with the texts, none reaches it with the defaults; of 11 that do and have no answer, 7.
_BY_WORDS = 0.27  # without an encoder
_BY_MOST_WORDS = 0.8
_BY_BOTH = 0.35  # cosine of a block that has any of the words
_BY_MEANING = 0.5  # cosine of one that has none
_BY_TITLE = 0.6  # match of the title with the question, as of "The Who" with "Who were The Who?"
_LOOKED_AT = 5  # candidates, best first


class ExtractiveAnswerer:
    """Answer with blocks of the passages, without a language model."""

    def __init__(self, searcher: Searcher, options: AskOptions) -> None:
        """Use the searcher's store, its encoder, and the named reader or the language's; both may be missing."""
        self._searcher = searcher
        self._options = options._replace(style="grounded")
        self._open_reader: Callable[[], Reader | None] = cache(self._find_reader)

    def answer_all(self, found: Sequence[Retrieved], emit: Emit | None = None) -> list[Answer | RagcliError]:
        """Answer each question; there are no errors, and nothing is emitted."""
        return [self.answer(one) for one in found]

    @property
    def reader(self) -> Reader | None:
        """Return what reads for the answers, if there is one for the language."""
        return self._open_reader()

    def answer(self, found: Retrieved) -> Answer:
        """Answer a question."""
        clock, options = Clock(found.seconds), self._options
        question = first_words(found.meant or found.question)
        missing = missing_names(question, self._searcher, list(found.hits))
        chosen = extract(
            question,
            found.hits,
            self._searcher.store,
            Models(self._searcher.encoder, self.reader),
            options.min_confidence,
            options.length,
        )
        if missing:
            chosen = _without_names(chosen, options.min_confidence)
        return Answer(
            found.question,
            answer=chosen.text,
            abstained=chosen.abstained,
            sources=sources_of(found.hits),
            sentences=chosen.sentences,
            style=options.style,
            seed=options.options.seed,
            seconds=clock.seconds(),
            confidence=chosen.confidence,
            nearest=chosen.nearest,
            missing=missing,
        )

    def _find_reader(self) -> Reader | None:
        from ragcli.reader import PACKAGED, open_reader

        name, language = self._options.reader, self._searcher.language
        return open_reader(name, language) if name or language in PACKAGED else None


def extract(
    question: str,
    hits: Sequence[Hit],
    store: Store,
    models: Models = Models(),
    min_confidence: float | None = None,
    length: Length = "normal",
) -> Extract:
    """Answer a question with blocks of the hits, as few as are enough.

    Below `min_confidence` (None: LEAST) there is no answer, and the best block is `nearest` if it is on the subject.
    """
    language = store.config.language if store.config else "en"
    numbers = models.fitted(language)
    judged = judge(question, hits, store, models)
    if not judged.candidates:
        return Extract((), 0.0, True)
    scores = numbers.ranking.scores(judged.features)
    confidence = confidence_of(numbers.confidence, judged, scores)
    pieces = compose(judged, softmax(scores), hits, language, length)
    cited = tuple(_cited(piece, hits[piece.hit]) for piece in pieces)
    least = LEAST if min_confidence is None else min_confidence
    if confidence < least:
        return Extract((), confidence, True, _nearest(judged, scores, cited, hits, language))
    return Extract(cited, confidence, False)


def _cited(piece: Piece, hit: Hit) -> CitedSentence:
    text = hit.text[piece.start - hit.start : piece.end - hit.start]
    span = Range(*piece.span) if piece.span else None
    return CitedSentence(text, piece.hit + 1, piece.start, piece.end, piece.share, span)


def _on_subject(judged: Judged, place: int) -> bool:
    """Return whether a candidate is worth showing where nothing answers: by its words, its meaning, or both."""
    values = judged.features
    if values.of("title")[place] >= _BY_TITLE:
        return True
    words = float(values.of("coverage")[place] + values.of("head")[place])
    if "cosine" not in values.names:
        return words >= _BY_WORDS
    cosine = float(values.of("cosine")[place])
    return cosine >= (_BY_BOTH if words > 0 else _BY_MEANING) or words >= _BY_MOST_WORDS


def _nearest(
    judged: Judged, scores: Matrix, cited: Sequence[CitedSentence], hits: Sequence[Hit], language: str
) -> Nearest | None:
    """Return what an answer would show first, or else the best of the next candidates that is on the subject."""
    best, *others = np.argsort(-scores, kind="stable")[:_LOOKED_AT].tolist()
    if _on_subject(judged, best):
        return _strongest(cited)
    for place in others:
        candidate = judged.candidates[place]
        if _on_subject(judged, place) and not judged.features.of("points")[place]:
            hit = hits[candidate.hit]
            start, end = in_context(candidate, blocks_of(hit, candidate.hit, language), hit)
            return _strongest([_cited(Piece(candidate.hit, start, end, 1.0), hit)])
    return None


def _strongest(cited: Sequence[CitedSentence]) -> Nearest | None:
    best = max(cited, key=lambda one: one.support, default=None)
    return Nearest(best.text, best.source, best.start, best.end) if best and best.source else None


def _without_names(chosen: Extract, min_confidence: float | None) -> Extract:
    """Withhold the answer to a question that names something unknown, unless `min_confidence` accepts it."""
    confidence = min(chosen.confidence, _NAMELESS)
    if min_confidence is not None and confidence >= min_confidence:
        return chosen._replace(confidence=confidence)
    nearest = chosen.nearest or _strongest(chosen.sentences)
    return Extract((), confidence, True, nearest)
