"""Find the title in the index that a person means by the name of a film."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from ragcli.analysis.languages import HAN
from ragcli.errors import NothingFoundError, RagcliError
from ragcli.filters import fold
from ragcli.store import LOCAL, IndexLocation, QueryClause, Store, local_indexes, open_store

_YEAR = re.compile(r"\s*[(（]((?:18|19|20)\d\d)[)）]$")
_ARTICLE = re.compile(r"^(?:the|a|an)\s+|,\s*(?:the|a|an)$")
_APOSTROPHE = re.compile(r"['’]")
_WORD = re.compile(r"\d+|[^\W\d_]+")
# Boundaries of the parts of a title: a subtitle, another name, or its name in another script.
_PARTS = re.compile(
    rf"\s*[:：;,，/|·]\s*|\s+[-–—]\s+|\s+(?:or|aka):?\s+|(?<=[{HAN}])\s+(?=[a-z])|(?<=[a-z])\s+(?=[{HAN}])"
)
_ROMAN = {"ii": 2, "iii": 3, "iv": 4, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "xi": 11, "xii": 12, "xiii": 13}
_ONE_LETTER = {"i": 1, "v": 5, "x": 10}  # numerals at the end of a title, or after a word such as "part"
_COUNTED = frozenset({"part", "episode", "chapter", "volume", "vol"})
_SPELT = {
    word: n
    for n, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen".split(),
        1,
    )
}
_CHINESE = re.compile(r"(?<=第)([一二三四五六七八九十])|([二三四五六七八九十])$")
_DIGITS = {digit: n for n, digit in enumerate("一二三四五六七八九十", 1)}
_SHORT, _LONG = 5, 9  # letters from which on a title may have one typo, or two
_YEARS_APART = 1  # between a film's first showing and its release elsewhere
_WORTH_NAMING = 50  # similarity (of 100) from which on a title is suggested
_CANDIDATES = 1_000


class _Name(NamedTuple):
    """Hold the parts of a title that are compared: its letters without article, accents and marks; numbers; year."""

    letters: str
    numbers: tuple[int, ...]
    year: int | None


def find_title(store: Store, title: str) -> str:
    """Return the title in the index (case folded) that a person means by `title`.

    The equal title comes first; then one that is equal without year, article, accents and marks; then the only one
    that contains it as a part (before or after a colon, in another script); then the only one that differs by a typo
    or two. Numbers must agree, as digits, Roman numerals or words: "Rocky II" is not "Rocky III". Raises
    NothingFoundError, naming the nearest titles, if there is none.
    """
    folded = fold(title.strip())
    if folded in store.values("title", folded, _CANDIDATES):
        return folded
    asked, known = _read(folded), {value: _read(value) for value in sorted(_candidates(store, title, folded))}
    for choose in (_equal, _of_which_it_is_a_part, _misspelt):
        if asked.letters and (found := choose(asked, known)):
            return found
    near = _suggestions(asked, known)
    hint = f"Did you mean {' or '.join(near)}?" if near else "Index reviews with the film's title first."
    raise NothingFoundError(f"no reviews of {title!r} in the index", hint)


@contextmanager
def other_indexes_named(location: IndexLocation, title: str) -> Iterator[None]:
    """Name, in the error for a film that is not in this index, the other indexes of the data folder that have it."""
    try:
        yield
    except NothingFoundError as error:
        if location.url != LOCAL:
            raise
        others = (location._replace(name=name) for name in local_indexes(location.folder) if name != location.name)
        names = [other.name for other in others if _holds(other, title)]
        if not names:
            raise
        raise NothingFoundError(error.message, f"It is in another index: --index {' or '.join(names)}.") from error


def _holds(location: IndexLocation, title: str) -> bool:
    try:
        with open_store(location) as store:
            find_title(store, title)
    except RagcliError:  # that index is damaged, or has no such film
        return False
    return True


def _candidates(store: Store, title: str, folded: str) -> set[str]:
    found = {fold(hit.title) for hit in store.search([QueryClause(title)], 100) if hit.title} if folded else set()
    bare = _ARTICLE.sub("", folded)
    for start in {folded[:3], bare[:2], bare[:1], "the " + bare[:2]} - {""}:
        found.update(store.values("title", start, _CANDIDATES))
    return found


def _equal(asked: _Name, known: dict[str, _Name]) -> str | None:
    """Return the latest of the equal titles."""
    equal = [value for value, name in known.items() if _same(asked, name)]
    return max(equal, key=lambda value: (known[value].year or 0, value), default=None)


def _same(asked: _Name, name: _Name) -> bool:
    if asked.letters == f"{name.letters}{name.year}":  # a year without brackets
        return True
    return asked.letters == name.letters and _near_years(asked, name)


def _near_years(asked: _Name, name: _Name) -> bool:
    return asked.year is None or name.year is None or abs(asked.year - name.year) <= _YEARS_APART


def _of_which_it_is_a_part(asked: _Name, known: dict[str, _Name]) -> str | None:
    fitting = [value for value, name in known.items() if _near_years(asked, name) and _has_part(asked, value)]
    return fitting[0] if len(fitting) == 1 else None


def _has_part(asked: _Name, value: str) -> bool:
    """Return whether a part of a title is asked for; its beginning only if no number follows, as in a sequel."""
    parts = [_read(part) for part in _PARTS.split(_YEAR.sub("", value))]
    places = [place for place, part in enumerate(parts) if part.letters == asked.letters]
    return any(place or not any(part.numbers for part in parts[1:]) for place in places)


def _misspelt(asked: _Name, known: dict[str, _Name]) -> str | None:
    """Return the nearest title with the same numbers; None if two different ones are equally near."""
    most = (len(asked.letters) >= _SHORT) + (len(asked.letters) >= _LONG)
    near = [
        (OSA.distance(asked.letters, name.letters), value)
        for value, name in known.items()
        if name.numbers == asked.numbers and _near_years(asked, name) and not _plural(asked.letters, name.letters)
    ]
    near = sorted((distance, value) for distance, value in near if distance <= most)
    nearest = [value for distance, value in near if distance == near[0][0]]
    if len({known[value].letters for value in nearest}) != 1:
        return None
    return max(nearest, key=lambda value: (known[value].year or 0, value))


def _plural(one: str, other: str) -> bool:
    """Return whether two titles differ only in a final "s", such as Alien and Aliens."""
    return one + "s" == other or other + "s" == one


def _suggestions(asked: _Name, known: dict[str, _Name]) -> list[str]:
    if not asked.letters:
        return []
    scored = [
        (fuzz.ratio(asked.letters, name.letters), name.letters.startswith(asked.letters), value)
        for value, name in known.items()
    ]
    longer = [value for _, begins, value in sorted(scored, key=lambda one: (-one[0], one[2])) if begins]
    near = [value for score, _, value in sorted(scored, key=lambda one: (-one[0], one[2])) if score >= _WORTH_NAMING]
    return sorted(longer[:3]) or near[:3]


def _read(title: str) -> _Name:
    year = _YEAR.search(title)
    bare = _APOSTROPHE.sub("", _ARTICLE.sub("", _YEAR.sub("", title)))
    plain = unicodedata.normalize("NFC", "".join(c for c in unicodedata.normalize("NFKD", bare) if not _is_accent(c)))
    words = _WORD.findall(plain)
    counted = [_number(words, place) for place in range(len(words))]
    numbers = [number for number in counted if number is not None]
    numbers += [_DIGITS[match[1] or match[2]] for match in _CHINESE.finditer(plain)]
    letters = "".join(word if n is None else str(n) for word, n in zip(words, counted, strict=True))
    return _Name(letters, tuple(numbers), int(year[1]) if year else None)


def _is_accent(character: str) -> bool:
    return unicodedata.combining(character) != 0


def _number(words: Sequence[str], place: int) -> int | None:
    """Return the number that a word of a title stands for, if any."""
    word = words[place]
    if word.isdecimal():
        return int(word)
    if word in _ONE_LETTER:
        is_numeral = place > 0 and (place == len(words) - 1 or words[place - 1] in _COUNTED)
        return _ONE_LETTER[word] if is_numeral else None
    return (_ROMAN.get(word) if place else None) or _SPELT.get(word)
