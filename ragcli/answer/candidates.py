"""Find the candidate sentences of an answer: those of the retrieved passages, without duplicates."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ragcli.analysis.sentences import sentence_spans
from ragcli.analysis.words import cjk_bigrams
from ragcli.answer.schema import CitedSentence
from ragcli.store import Hit

_SPOKEN = re.compile(r"\w")
ENDED = re.compile(r"""[.!?…。！？｡]["'”’」』）)\]*_`]*$""")
LEADS = re.compile(r"[?？:：][*_`]*$")  # a question, or a lead-in of the lines after it
_CODE = re.compile(r"[={}\\]|\w\(|;$|(?:^|\s)(?:#|//|>>>)")
_SHELL = re.compile(r"^\s*[$>]\s|\s(?:&&|\|\|)\s")
_FEWEST_WORDS = 4  # of a line without a final mark or a number; shorter ones are headings


class Candidate(NamedTuple):
    """Hold a sentence or a block of a hit.

    It is number `place` of `of` in hit number `hit`, counted from 0; start and end are character offsets in the
    document's text. `lead` is the passage's first sentence or block, `before` and `after` are its neighbours, `head` is
    the heading path.
    """

    text: str
    hit: int
    start: int
    end: int
    place: int
    of: int
    lead: str = ""
    before: str = ""
    after: str = ""
    head: str = ""


def find_candidates(hits: Sequence[Hit]) -> list[Candidate]:
    """Return the sentences of the hits in order, without duplicates up to case and white space.

    Headings, code, questions and lead-ins are returned only if there is nothing else.
    """
    found = all_sentences(hits)
    return [candidate for candidate in found if _says_something(candidate.text)] or found


def whole_sentences(hits: Sequence[Hit], wanted: int) -> list[Candidate]:
    """Return the candidates with a final mark if there are as many as wanted, else all."""
    found = find_candidates(hits)
    whole = [candidate for candidate in found if ENDED.search(candidate.text)]
    return whole if len(whole) >= wanted else found


def all_sentences(hits: Sequence[Hit]) -> list[Candidate]:
    """Return all sentences of the hits that have a letter or digit, in order."""
    found: dict[str, Candidate] = {}
    for number, hit in enumerate(hits):
        spans = list(sentence_spans(hit.text))
        texts = ["", *(hit.text[start:end] for start, end in spans), ""]
        for place, (start, end) in enumerate(spans):
            before, text, after = texts[place : place + 3]
            if _SPOKEN.search(text):
                key = " ".join(text.casefold().split())
                offsets = hit.start + start, hit.start + end
                found.setdefault(key, Candidate(text, number, *offsets, place, len(spans), texts[1], before, after))
    return list(found.values())


def _says_something(text: str) -> bool:
    if LEADS.search(text) or _SHELL.search(text):
        return False
    if ENDED.search(text):
        return True
    long = len(cjk_bigrams(text).split()) >= _FEWEST_WORDS or any(c.isdigit() for c in text)
    return long and not _CODE.search(text)


def in_reading_order(candidates: Sequence[Candidate], places: Sequence[int]) -> list[int]:
    """Order sentences by their passage, best first, and within a passage by position."""
    rank = {hit: n for n, hit in enumerate(dict.fromkeys(candidates[place].hit for place in places))}
    return sorted(places, key=lambda place: (rank[candidates[place].hit], candidates[place].start))


def cite(candidate: Candidate, support: float = 1.0) -> CitedSentence:
    """Return a candidate as a cited sentence."""
    return CitedSentence(candidate.text, candidate.hit + 1, candidate.start, candidate.end, support)
