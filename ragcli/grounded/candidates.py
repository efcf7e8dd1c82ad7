"""The sentences that an answer may be made of: those of the retrieved passages, each once."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ragcli.store import Hit
from ragcli.text import sentence_spans

_SPOKEN = re.compile(r"\w")


class Candidate(NamedTuple):
    """Hold a sentence of a hit.

    `hit` counts from 0, `place` is its number in the passage, `of` how many there are; start and end are character
    offsets in the document's text. `lead` is the passage's first sentence, `before` and `after` are the neighbours.
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


def find_candidates(hits: Sequence[Hit]) -> list[Candidate]:
    """Return the sentences of the hits in order; what differs in case and white space only counts as the same."""
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
