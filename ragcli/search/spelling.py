"""Correct the spelling of query words that no passage has."""

import json
import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from ragcli.analysis.analyzer import analyzer
from ragcli.analysis.functions import function_words
from ragcli.analysis.spelling import edit_distance, is_slip
from ragcli.analysis.words import split_words
from ragcli.store import Hit, QueryClause, Store

_MOST = 20  # words of a query that are looked up; each needs a search in the store
_LEAST = 5  # letters; shorter words have too many neighbours
_LEAST_BASE = 6  # letters of a word without its ending
_LEAST_PART = 3  # letters of each half of a word that is written apart
_COMPARED = 20  # equally near words, or passages, that are compared
_VOCABULARY = Path(__file__).parents[1] / "encoder/minilm/tokenizer.json"
_WORD = re.compile(r"[^\W_]+")
_BRITISH = {"our": "or", "is(?=e|ing|ation)": "iz", "re$": "er", "ogue": "og", "ll(?=ed|ing|er)": "l", "s$": ""}
_SPELLED = re.compile(r"[A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff\u1f00-\u1fff]+")  # Latin, Greek, Cyrillic


class Correction(NamedTuple):
    """Hold a word of a query that no passage has, and its replacement."""

    written: str
    meant: str


def correct_spelling(
    store: Store, query: str, language: str, hits: Sequence[Hit], note: Callable[[str], None]
) -> list[Correction]:
    """Return corrections of the query words that no passage has, and note them.

    A word that may be a name, is a frequent one, or differs by more than a typo, is not replaced; the note only asks
    whether the other was meant. Words that occur in the hits are not looked up, because a server needs time for that.
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
    found: list[Correction] = []
    for word, near in _near(store, missing, language).items():
        low = word.lower()
        meant = _commonest(store, low, near) if near else _apart(store, low, language)
        if not meant:
            continue
        is_typo = is_slip(low, meant) and not _is_another_word(low, meant, language)
        if _may_be_name(word, query, language) or not (" " in meant or is_typo):
            note(f"no passage has {word!r}: did you mean {meant!r}?")
        else:
            note(f"no passage has {word!r}: searching for {meant!r}")
            found.append(Correction(word, meant))
    return found


def _near(store: Store, words: Sequence[str], language: str) -> dict[str, list[str]]:
    """Return the words spelled nearly like each word or, if there are none, like it without its ending."""
    if not words:
        return {}
    near = dict(zip(words, store.near_words([word.lower() for word in words]), strict=True))
    bare = [(word, base) for word in words if not near[word] for base in _bases(word.lower(), language)]
    others = store.near_words([base for _, base in bare]) if bare else []
    for (word, _), found in zip(bare, others, strict=True):
        near[word] = near[word] or found
    return near


def _bases(word: str, language: str) -> tuple[str, ...]:
    """Return what a word may be without its ending: recieve, of recieving."""
    stem = next((terms[0] for terms in analyzer(language).variants(word)), word)
    if len(stem) < _LEAST_BASE or stem == word or not word.startswith(stem):
        return ()
    return (f"{stem}e", stem) if language == "en" else (stem,)


def _apart(store: Store, word: str, language: str) -> str:
    """Return a word as the two words that a passage has beside each other: web site, for website; "" if none has."""
    cuts = [(word[:i], word[i:]) for i in range(_LEAST_PART, len(word) - _LEAST_PART + 1)]
    pairs = [pair for pair in cuts if function_words(language).isdisjoint(pair)]
    counts = iter(store.frequencies(list(chain.from_iterable(pairs))) if pairs else ())
    both = [" ".join(pair) for pair, one, other in zip(pairs, counts, counts, strict=True) if one and other]
    for meant in both:
        first, second = meant.split()
        stem = analyzer(language).variants(second)[0][0]
        apart = re.compile(rf"(?<!\w){first}[\s-]+{stem}", re.IGNORECASE)
        if any(apart.search(hit.text) for hit in store.search([QueryClause(meant)], _COMPARED)):
            return meant
    return ""


def _commonest(store: Store, word: str, near: Sequence[str]) -> str:
    """Return the most frequent of the nearest words."""
    least = edit_distance(word, near[0], len(word))
    nearest = [other for other in near if edit_distance(word, other, least) == least][:_COMPARED]
    counts = store.frequencies(nearest) if len(nearest) > 1 else [0]
    return max(zip(counts, nearest, strict=True), key=lambda pair: pair[0])[1]


def corrected(query: str, corrections: Sequence[Correction]) -> str:
    """Return a query with its words corrected."""
    for written, meant in corrections:
        query = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", meant, query)
    return query


def clauses(corrections: Sequence[Correction]) -> list[QueryClause]:
    """Return the clauses to search for in addition."""
    return [QueryClause(correction.meant) for correction in corrections]


def _may_be_misspelled(word: str) -> bool:
    """Return whether a word may be a typo: long enough, without digits or capitals inside."""
    return len(word) >= _LEAST and word[1:].islower() and _SPELLED.fullmatch(word) is not None


def _may_be_name(word: str, query: str, language: str) -> bool:
    """Return whether a word is capitalised inside the query, except in German, where all nouns are."""
    return word[0].isupper() and language != "de" and not query.lstrip("\"'“‘¿¡( ").startswith(word)


def _stands_in(word: str, text: str) -> bool:
    """Return whether a text contains a whole word; faster than compiling a regular expression for each."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (text[at - 1 : at].isalnum() or text[end : end + 1].isalnum()):
            return True
        at = text.find(word, at + 1)
    return False


def _is_another_word(word: str, other: str, language: str) -> bool:
    """Return whether a word is too frequent to be a typo of another: bread, of break. But colour is color."""
    return language == "en" and word in _frequent_words() and _american(word) != _american(other)


def _american(word: str) -> str:
    for british, american in _BRITISH.items():
        word = re.sub(british, american, word)
    return word


@cache
def _frequent_words() -> frozenset[str]:
    """Return the some 20,000 most frequent words of English: the whole words of the packaged encoder's vocabulary."""
    return frozenset(json.loads(_VOCABULARY.read_bytes())["model"]["vocab"])
