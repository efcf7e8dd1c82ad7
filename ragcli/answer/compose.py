"""Choose the fewest blocks that answer, each with the context it needs to be understood."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ragcli.analysis.blocks import block_size
from ragcli.analysis.sentences import sentence_spans
from ragcli.answer.blocks import blocks_of
from ragcli.answer.candidates import ENDED, LEADS, Candidate
from ragcli.answer.context import in_context, is_partial, refers_back, whole, widened
from ragcli.answer.features import Matrix
from ragcli.answer.judge import Judged, Span
from ragcli.answer.schema import Length
from ragcli.answer.terms import terms
from ragcli.store import Hit

_MOST = {"short": 1, "normal": 2, "long": 5}
_ROOM = {"short": 400, "normal": 600, "long": 2_000}  # characters of all blocks together
_ENOUGH = 0.9  # probability of the best block from which on no other is needed
_LEAST = {"short": 1.0, "normal": 0.05, "long": 0.01}  # probability of another block that is worth showing
_READ = 0.3  # weight of the reader's choice of a sentence, as a share of the question's weight
_SAME_QUESTION = 0.75  # match of a title from which on it asks the question
_SAME = 0.7  # share of a block's words in another one from which on it adds nothing
_CERTAIN = 0.97  # probability of the best block from which on it is shown without its neighbour
_WORD = re.compile(r"\w+")
_SAID = re.compile(r"[^\W\d_]")
_STARTS = re.compile(r"\W{0,2}[^\W\da-z_]")  # as a sentence does, not as code
_FIRST_STEP = re.compile(r"(?:[^\n]*[:：]\n+)?1[.)、]\s")
_ASKS = re.compile(r"[?？]\W*$")


class Piece(NamedTuple):
    """Hold a piece of a hit to show: offsets in its document, its probability, and the span of the deciding words."""

    hit: int
    start: int
    end: int
    share: float
    span: Span | None = None


def choose_places(judged: Judged, shares: Matrix, length: Length = "normal") -> list[int]:
    """Return the places of the best candidates, best first, as few as are enough; ties by place."""
    order: list[int] = np.argsort(-shares, kind="stable").tolist()
    if not order:
        return []
    asked = titled_place(judged)
    if asked is not None:
        order = [asked, *(place for place in order if place != asked)]
    order = _first_step(judged, _told_first(judged, order))
    chosen = order[:1]
    if _only_announces(judged, order[0]):
        order = [order[0], *_below_first(judged, order)]
    room = _ROOM[length] - len(judged.candidates[order[0]].text)
    if length != "long" and _certainty(judged, order[0], shares) >= _ENOUGH:
        return chosen
    for place in order[1:]:
        text = judged.candidates[place].text
        announced = _only_announces(judged, chosen[-1])
        if len(chosen) == _MOST[length] or (shares[place] < _LEAST[length] and not announced):
            break
        if (
            len(text) <= room
            and not refers_back(judged.candidates[place])
            and not _ASKS.search(text)
            and _adds(text, [judged.candidates[other].text for other in chosen])
        ):
            chosen.append(place)
            room -= len(text)
    return chosen


def _certainty(judged: Judged, place: int, shares: Matrix) -> float:
    """Return the probability of a candidate, and 0 if it only points to another text: that is never enough."""
    points = judged.features.of("points")[place] or _only_announces(judged, place)
    return 0.0 if points else float(shares[place])


def titled_place(judged: Judged) -> int | None:
    """Return the place of the first block of a document whose title asks the question; None if there is none.

    As in a FAQ or glossary, that block is the answer, unless it is only a lead-in.
    """
    asked = judged.features.of("title_first") * (1 - judged.features.of("leads"))
    best = int(np.argmax(asked))
    return best if asked[best] >= _SAME_QUESTION else None


def _told_first(judged: Judged, order: list[int]) -> list[int]:
    """Let words of the same passage come before what only shows: "why" and "what" are not answered by code.

    "Why" is not answered by "this bug" either, and the example is left out.
    """
    first, text = judged.candidates[order[0]], judged.candidates[order[0]].text
    example = judged.kind == "why" and is_partial(text)
    code = judged.kind == "what" and not (_STARTS.match(text) or ENDED.search(text))
    for place in order[1:] if example or code else ():
        other = judged.candidates[place]
        if other.hit == first.hit and _STARTS.match(other.text) and (code or other.place > first.place):
            rest = [one for one in order if one != place]
            return [place, *(rest[1:] if example else rest)]
    return order


def _first_step(judged: Judged, order: list[int]) -> list[int]:
    """Let the first step of instructions come before a later one that only its heading says anything about."""
    best, features = order[0], judged.features
    if judged.kind != "how" or features.of("coverage")[best] >= features.of("head")[best]:
        return order
    chosen = judged.candidates[best]
    for place in order[1:]:
        other = judged.candidates[place]
        if other.hit == chosen.hit and other.place < chosen.place and _FIRST_STEP.match(other.text):
            return [place, *(one for one in order if one not in (place, best))]
    return order


def _below_first(judged: Judged, order: list[int]) -> list[int]:
    """Return the other places that tell something, first those under the heading of the first one."""
    head, points = judged.candidates[order[0]].head, judged.features.of("points")
    telling = [place for place in order[1:] if not points[place] and not _only_announces(judged, place)]
    return sorted(telling, key=lambda place: not judged.candidates[place].head.startswith(head))


def _only_announces(judged: Judged, place: int) -> bool:
    """Return whether a block ends its passage with a colon, so that what it announces stands elsewhere."""
    candidate = judged.candidates[place]
    return candidate.place == candidate.of - 1 and bool(LEADS.search(candidate.text))


def _adds(text: str, others: Sequence[str]) -> bool:
    words = set(_WORD.findall(text.lower()))
    return all(len(words & set(_WORD.findall(other.lower()))) <= _SAME * len(words) for other in others)


def compose(judged: Judged, shares: Matrix, hits: Sequence[Hit], language: str, length: Length) -> list[Piece]:
    """Return the pieces to show, ordered by passage, best first, and within a passage by position."""
    pieces: list[Piece] = []
    for place in choose_places(judged, shares, length):
        candidate = judged.candidates[place]
        hit = hits[candidate.hit]
        deciding = _deciding(candidate.text, judged, judged.spans[place], language)
        if length == "short":
            start, end = whole(_deciding_sentences(candidate, deciding), hit)
        else:
            blocks = blocks_of(hit, candidate.hit, language)
            start, end = in_context(candidate, blocks, hit)
            if not pieces and length == "normal" and _certainty(judged, place, shares) < _CERTAIN:
                start, end = widened((start, end), candidate, blocks, block_size(language))
        span = candidate.start + deciding[0], candidate.start + deciding[1]
        pieces.append(Piece(candidate.hit, start, end, float(shares[place]), span))
    rank = {place: n for n, place in enumerate(dict.fromkeys(piece.hit for piece in pieces))}
    return _joined(sorted(pieces, key=lambda piece: (rank[piece.hit], piece.start)))


def _deciding(text: str, judged: Judged, read: Span | None, language: str) -> Span:
    """Return the span that answers: the reader's, if its sentence covers nearly as much of the question as any.

    Else it is the sentence that covers most of the question's words; the first of equals.
    """
    sentences = list(sentence_spans(text)) or [(0, len(text))]

    def value(sentence: Span) -> float:
        share = judged.weights.share(frozenset(terms(text[sentence[0] : sentence[1]], language)))
        return share + (_READ if read and sentence[0] <= read[0] < sentence[1] else 0.0)

    best = max(sentences, key=value)
    if not (read and best[0] <= read[0] < best[1] and _SAID.search(text, *read)):
        return best
    start = max(best[0], *(text.rfind(blank, 0, read[0]) + 1 for blank in " \n"))  # "uv.lock" is one word
    return start, min(read[1], best[1])


def _deciding_sentences(candidate: Candidate, span: Span) -> Span:
    """Return the sentences that contain the deciding words."""
    inside = [one for one in sentence_spans(candidate.text) if one[0] < span[1] and span[0] < one[1]] or [span]
    return candidate.start + inside[0][0], candidate.start + inside[-1][1]


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Merge pieces that overlap."""
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last and last.hit == piece.hit and piece.start < last.end:
            found[-1] = last._replace(end=max(last.end, piece.end), share=min(1.0, last.share + piece.share))
        else:
            found.append(piece)
    return found
