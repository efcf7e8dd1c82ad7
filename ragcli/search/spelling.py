"""Spelling: for a query's word that no passage has, the nearest one that passages have."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ragcli.analysis.spelling import edit_distance, is_slip
from ragcli.analysis.words import split_words
from ragcli.store import Hit, QueryClause, Store

_MOST = 20  # words of a query that are looked up: each costs the store a search of its own
_LEAST = 5  # letters: shorter words have too many neighbours
_COMPARED = 20  # words that are equally near
_WORD = re.compile(r"[^\W_]+")
_SPELLED = re.compile(r"[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff\u1f00-\u1fff]+")  # Latin, Greek, Cyrillic


class Correction(NamedTuple):
    """Hold a word of a query that no passage has, and the one that is searched for in its place."""

    written: str
    meant: str


def correct_spelling(
    store: Store, query: str, language: str, hits: Sequence[Hit], note: Callable[[str], None]
) -> list[Correction]:
    """Return what passages have that is nearest to those words of a query that no passage has; the note names both.

    A word that may be a name, or that differs by more than a slip, is not replaced: the note asks whether the other
    was meant. What stands in the hits of the query as it is spares the question, which takes a store on a server some
    time.
    """
    seen = "\n".join(f"{hit.title}\n{hit.text}" for hit in hits).lower()
    asked = [
        word
        for word in dict.fromkeys(_WORD.findall(split_words(query, language)[0]))
        if _may_be_misspelled(word) and not _stands_in(word.lower(), seen)
    ]
    if not asked:
        return []
    missing = [word for word, count in zip(asked, store.frequencies(asked), strict=True) if not count][:_MOST]
    lowered = [word.lower() for word in missing]
    found: list[Correction] = []
    for word, near in zip(missing, store.near_words(lowered) if missing else [], strict=True):
        if not near:
            continue
        meant = _commonest(store, word.lower(), near)
        if _may_be_name(word, query, language) or not is_slip(word.lower(), meant):
            note(f"no passage has {word!r}: did you mean {meant!r}?")
        else:
            note(f"no passage has {word!r}: searching for {meant!r}")
            found.append(Correction(word, meant))
    return found


def _commonest(store: Store, word: str, near: Sequence[str]) -> str:
    """Return which of the nearest words most passages have."""
    least = edit_distance(word, near[0], len(word))
    nearest = [other for other in near if edit_distance(word, other, least) == least][:_COMPARED]
    counts = store.frequencies(nearest) if len(nearest) > 1 else [0]
    return max(zip(counts, nearest, strict=True), key=lambda pair: pair[0])[1]


def corrected(query: str, corrections: Sequence[Correction]) -> str:
    """Return a query with its words as they were meant."""
    for written, meant in corrections:
        query = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", meant, query)
    return query


def clauses(corrections: Sequence[Correction]) -> list[QueryClause]:
    """Return what is searched for in addition."""
    return [QueryClause(correction.meant) for correction in corrections]


def _may_be_misspelled(word: str) -> bool:
    """Tell whether a word is neither short nor, with digits or capitals inside, a name."""
    return len(word) >= _LEAST and word[1:].islower() and _SPELLED.fullmatch(word) is not None


def _may_be_name(word: str, query: str, language: str) -> bool:
    """Tell whether a word has a capital that its place in the query does not ask for; German nouns have one anyway."""
    return word[0].isupper() and language != "de" and not query.lstrip("\"'“‘¿¡( ").startswith(word)


def _stands_in(word: str, text: str) -> bool:
    """Tell whether a text has a word as a whole; a regular expression of each word would take longer to make."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
            return True
        at = text.find(word, at + 1)
    return False
