"""Spelling: for a query's word that no passage has, the nearest one that passages have."""

import re
from collections.abc import Callable, Sequence

from ragcli.analysis.words import cjk_bigrams
from ragcli.store import Hit, QueryClause, Store

_LEAST = 5  # letters: shorter words have too many neighbours
_WORD = re.compile(r"[^\W_]+")
_SPELLED = re.compile(r"[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff\u1f00-\u1fff]+")  # Latin, Greek, Cyrillic


def nearest_spellings(
    store: Store, words: Sequence[QueryClause], hits: Sequence[Hit], note: Callable[[str], None]
) -> list[QueryClause]:
    """Return what passages have that is nearest to those words of a query that no passage has; the note names both.

    What stands in the hits of the query as it is spares the question, which takes a store on a server some time.
    """
    seen = "\n".join(f"{hit.title}\n{hit.text}" for hit in hits).lower()
    asked = {
        word: group.weight
        for group in words
        if group.required
        for word in _WORD.findall(cjk_bigrams(group.text))
        if _may_be_misspelled(word) and not _stands_in(word.lower(), seen)
    }
    if not asked:
        return []
    missing = [word for word, count in zip(asked, store.frequencies(list(asked)), strict=True) if not count]
    found: list[QueryClause] = []
    for word, near in zip(missing, store.near_words(missing) if missing else [], strict=True):
        if near:
            note(f"no passage has {word!r}: searching for {near[0]!r}")
            found.append(QueryClause(near[0], asked[word]))
    return found


def _may_be_misspelled(word: str) -> bool:
    """Tell whether a word is neither short nor, with digits or capitals inside, a name."""
    return len(word) >= _LEAST and word[1:].islower() and _SPELLED.fullmatch(word) is not None


def _stands_in(word: str, text: str) -> bool:
    """Tell whether a text has a word as a whole; a regular expression of each word would take longer to make."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
            return True
        at = text.find(word, at + 1)
    return False
