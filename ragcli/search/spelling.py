"""Spelling: for a query's word that no passage has, the nearest one that passages have."""

import re
from collections.abc import Callable, Sequence

from ragcli.store import Store, Words
from ragcli.text import cjk_bigrams

_LEAST = 5  # letters: shorter words have too many neighbours
_WORD = re.compile(r"[^\W_]+")
_SPELLED = re.compile(r"[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff\u1f00-\u1fff]+")  # Latin, Greek, Cyrillic


def with_nearest(store: Store, words: Sequence[Words], note: Callable[[str], None]) -> list[Words]:
    """Return the words of a query, and what is nearest to those that no passage has; the note names both.

    The word itself stays: a store counts it as nothing.
    """
    asked = {
        word: group.weight
        for group in words
        if group.required
        for word in _WORD.findall(cjk_bigrams(group.text))
        if _may_be_misspelled(word)
    }
    if not asked:
        return list(words)
    missing = [word for word, count in zip(asked, store.frequencies(list(asked)), strict=True) if not count]
    found = list(words)
    for word, near in zip(missing, store.near_words(missing) if missing else [], strict=True):
        if near:
            note(f"no passage has {word!r}: searching for {near[0]!r}")
            found.append(Words(near[0], asked[word]))
    return found


def _may_be_misspelled(word: str) -> bool:
    """Tell whether a word is neither short nor, with digits or capitals inside, a name."""
    return len(word) >= _LEAST and word[1:].islower() and _SPELLED.fullmatch(word) is not None
