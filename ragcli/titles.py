"""From what a person calls a film to the title that the index has for it."""

import re
import unicodedata
from difflib import SequenceMatcher

from ragcli.errors import NothingFoundError
from ragcli.filters import fold
from ragcli.store import QueryClause, Store

_YEAR = re.compile(r"\s*\(\d{4}\)$")
_ARTICLE = re.compile(r"^(?:the|a|an)\s+|,\s*(?:the|a|an)$")
_NEAR = 0.8
_WORTH_NAMING = 0.5
_CANDIDATES = 1_000


def find_title(store: Store, title: str) -> str:
    """Return the index's title (case folded) that equals `title`, else without year and article, else the nearest.

    What only one title begins with, before a subtitle or the name in another language, is near too. Raises
    NothingFoundError, naming the nearest titles, where none is near.
    """
    folded = fold(title.strip())
    same_start = store.values("title", folded, _CANDIDATES)
    if folded in same_start:
        return folded
    plain = _plain(folded)
    equal = [value for value in same_start if _plain(value) == plain]
    if equal:
        return equal[-1]  # of two films of one name the later year
    ranked = _ranked(plain, _candidates(store, title, folded))
    if ranked and ranked[0][0] >= _NEAR:
        return ranked[0][1]
    longer = [value for _, value in ranked if plain and _plain(value).startswith(f"{plain} ")]
    if len(longer) == 1:
        return longer[0]
    near = sorted(longer[:3]) or [value for ratio, value in ranked[:3] if ratio >= _WORTH_NAMING]
    hint = f"Did you mean {' or '.join(near)}?" if near else "Index reviews whose title is the film's, then ask again."
    raise NothingFoundError(f"no reviews of {title!r} in the index", hint)


def _candidates(store: Store, title: str, folded: str) -> set[str]:
    found = {fold(hit.title) for hit in store.search([QueryClause(title)], 100) if hit.title} if folded else set()
    for start in {folded[:3], _plain(folded)[:2], "the " + folded[:2]}:
        if start:
            found.update(store.values("title", start, _CANDIDATES))
    return found


def _ranked(plain: str, candidates: set[str]) -> list[tuple[float, str]]:
    scored = [(SequenceMatcher(None, plain, _plain(value)).ratio(), value) for value in candidates]
    return sorted(scored, key=lambda pair: (-pair[0], pair[1]))


def _plain(title: str) -> str:
    """Drop year, article, accents and marks: `the matrix (1999)` and `Matrix` become the same."""
    bare = _ARTICLE.sub("", _YEAR.sub("", fold(title)))
    letters = (c for c in unicodedata.normalize("NFKD", bare) if c.isalnum() or c == " ")
    return " ".join("".join(letters).split())
