"""Find the context that a block needs to be understood: what it refers to or announces, and the end of what it cuts."""

import re
from collections.abc import Sequence

from ragcli.analysis.sentences import sentence_spans
from ragcli.analysis.units import SESSION, read_units
from ragcli.answer.candidates import ENDED, LEADS, Candidate
from ragcli.answer.judge import Span
from ragcli.store import Hit

_LONGEST = 800  # characters of a block with its context
_EXPLETIVE = (  # "it is often expected that" refers to nothing
    r"it(?= (?:is|was|can be|may be) (?:\w+ly )?(?:\w+ed|common|usual|possible|impossible|easy|hard|good|best|"
    r"important|necessary|often)\b[^.,;]{0,30}\b(?:that|to)\b)"
)
_LEANS = re.compile(
    rf"(?!{_EXPLETIVE})(?:"
    r"also|it|its|this|these|that|those|they|their|he|she|his|her|so|but|and|however|therefore|thus|then|such|"
    r"otherwise|instead|moreover|furthermore|similarly|likewise|in addition|in this case|for this reason|as a result|"
    r"the (?:former|latter|above|following|same))\b|[它他她这這那其此]|但|因此|所以|然而|此外|另外|同样|同樣",
    re.IGNORECASE,
)
_LEAD_IN = re.compile(r"[:：]\s*\n")
_CODE_GOES_ON = re.compile(r"\s*\n(?:[ \t]+(?![-*+•>]\s|\d+[.)]\s)|(?=[)\]}]))\S[^\n]*(?:\n\S[^\n]*)*")


def is_partial(text: str) -> bool:
    """Return whether a block refers back to another or introduces what is in it."""
    return bool(_LEANS.match(text) or _LEAD_IN.search(text))


def refers_back(candidate: Candidate) -> bool:
    """Return whether a block begins with a reference to text that is not in the passage."""
    return candidate.place == 0 < candidate.start and bool(_LEANS.match(candidate.text))


def in_context(candidate: Candidate, blocks: Sequence[Candidate], hit: Hit) -> Span:
    """Return the span of a block with what it refers back to and leads in, and all of a sentence or of code.

    `blocks` are all of the hit.
    """
    return whole(_with_neighbours(candidate, blocks), hit)


def whole(span: Span, hit: Hit) -> Span:
    """Extend a span to the end of a sentence and to the code that it cuts."""
    start, end = span
    return _with_code(hit, start, _to_sentence_end(hit, start, end))


def _with_neighbours(candidate: Candidate, blocks: Sequence[Candidate]) -> Span:
    start, end = candidate.start, candidate.end
    before = blocks[candidate.place - 1] if candidate.place > 0 else None
    leans = bool(_LEANS.match(candidate.text))
    if before and (leans or _goes_on(before.text, candidate.text)):
        if end - before.start <= _LONGEST:
            start = before.start
        elif leans:
            *_, (sentence, _) = sentence_spans(before.text)
            start = before.start + sentence
    following = candidate.place + 1
    if LEADS.search(candidate.text) and following < len(blocks) and blocks[following].end - start <= _LONGEST:
        end = blocks[following].end
    return start, end


def _goes_on(before: str, text: str) -> bool:
    """Return whether a text is typed at a prompt, as something before it was."""
    return bool(SESSION.match(text)) and any(map(SESSION.match, before.splitlines()))


def widened(span: Span, candidate: Candidate, blocks: Sequence[Candidate], most: int) -> Span:
    """Add the block below, or else the one above, under the same heading, if both have at most `most` characters.

    The one above is not added if it needs context itself or introduces something else.
    """
    for beside in (candidate.place + 1, candidate.place - 1):
        if 0 <= beside < len(blocks) and blocks[beside].head == candidate.head:
            text, above = blocks[beside].text, beside < candidate.place
            start, end = min(span[0], blocks[beside].start), max(span[1], blocks[beside].end)
            if end - start <= most and not (above and is_partial(text)):
                return start, end
    return span


def _to_sentence_end(hit: Hit, start: int, end: int) -> int:
    """Extend a piece to the end of a sentence that the block cuts."""
    text = hit.text[start - hit.start : end - hit.start]
    if ENDED.search(text) or hit.text[end - hit.start : end - hit.start + 1] in ("", "\n"):
        return end
    for sentence_start, sentence_end in sentence_spans(hit.text):
        if hit.start + sentence_start < end < hit.start + sentence_end <= start + _LONGEST:
            return hit.start + sentence_end
    return end


def _with_code(hit: Hit, start: int, end: int) -> Span:
    """Extend a piece to the code that it cuts: to its unit, and to lines below that are indented or close it.

    Of code that would be too long, only the end is added, or nothing.
    """
    begin, stop = start - hit.start, end - hit.start
    codes = [unit for unit in read_units(hit.text) if unit.code]
    top = next((code.start for code in codes if code.start < begin < code.end), begin)
    bottom = next((code.end for code in codes if code.start < stop < code.end), stop)
    while more := _CODE_GOES_ON.match(hit.text, bottom):
        bottom = more.end()
    for place in (top, begin):
        if bottom - place <= _LONGEST:
            return hit.start + place, hit.start + bottom
    return start, end
