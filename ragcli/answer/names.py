"""Find names in a question that the texts never mention: such a question cannot be answered from them."""

import re
from collections.abc import Iterator

from ragcli.answer.schema import MissingName
from ragcli.search import Searcher
from ragcli.store import Hit

_CAPITALISED = re.compile(r"(?<![.?!—] )(?<![\w'’.])[A-Z][A-Za-z\u00c0-\u024f]{2,}(?:['’]s)?(?![\w])")
_IDENTIFIER = re.compile(
    r"(?<![\w-])(?:--[a-z][\w-]+|_*[A-Za-z0-9]+(?:_+[A-Za-z0-9]+)+_*|[a-z]+[a-z0-9]*[A-Z]\w*)(?![\w])"
)
# An article, a preposition with one, or an adjective, in German: a noun follows, which has a capital anyway.
_BEFORE_NOUN = re.compile(
    r"\b(?:de[rmns]|das|die|(?:k?ein|welche|jede|diese)e?[rmns]?|im|am|ins|zum|zur|vom|beim|viele?|[a-zäöüß]{3,}e[nsm]?)\s+$",
    re.IGNORECASE,
)
_FIRST = re.compile(r"\w+")
_TITLE_CASE = 0.6  # share of capitalised words from which on capitals do not mark names
_MOST = 20  # names and identifiers of a question that are looked up; each may need a search
_LONGEST = 40  # letters of a word, with blanks, before a noun
_SLIP = 5  # letters from which on one wrong letter is a typo, not another name


def missing_names(question: str, searcher: Searcher, hits: list[Hit]) -> tuple[MissingName, ...]:
    """Return the names in a question that no passage has. An identifier is not found by its parts."""
    identifiers = list(dict.fromkeys(_IDENTIFIER.findall(question)))[:_MOST]
    found = [MissingName(one) for one in identifiers if not _stands(one, searcher, hits)]
    names = [name for name in capitalised(question, searcher.language) if name not in identifiers][:_MOST]
    counts = searcher.store.frequencies(names) if names else []
    unseen = [name for name, count in zip(names, counts, strict=True) if not count]
    near = searcher.store.near_words([name.lower() for name in unseen]) if unseen else []
    for name, words in zip(unseen, near, strict=True):
        if len(name) < _SLIP or not any(_one_slip(name.lower(), word) for word in words):
            found.append(MissingName(name, _as_written(words[0], searcher) if words else ""))
    return tuple(found)


def capitalised(text: str, language: str) -> Iterator[str]:
    """Yield the capitalised words except the first of a sentence, without a final 's; none if most are capitalised."""
    words = _FIRST.findall(text)
    names = [match for match in _CAPITALISED.finditer(text) if match.start() > text.find(words[0])]
    if language == "de":
        names = [
            match for match in names if not _BEFORE_NOUN.search(text, max(0, match.start() - _LONGEST), match.start())
        ]
    if len(names) <= _TITLE_CASE * len(words):
        yield from dict.fromkeys(re.sub(r"['’]s$", "", match[0]) for match in names)


def _stands(identifier: str, searcher: Searcher, hits: list[Hit]) -> bool:
    singular = identifier[:-1] if identifier.lower().endswith("s") else identifier
    pattern = re.compile(rf"(?<![\w]){re.escape(singular)}s?(?![\w])", re.IGNORECASE)
    return any(pattern.search(f"{hit.title}\n{hit.text}") for hit in [*hits, *searcher.search(identifier, 5)])


def _one_slip(word: str, other: str) -> bool:
    """Return whether two words differ by one letter added, removed or replaced, or by two swapped."""
    if abs(len(word) - len(other)) > 1 or word[0] != other[0]:
        return False
    at = next((n for n, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    rest, others = word[at:], other[at:]
    return rest[1:] == others[1:] or rest[1:] == others or rest == others[1:] or rest[1::-1] + rest[2:] == others


def _as_written(stem: str, searcher: Searcher) -> str:
    """Return a word with a known stem as the texts write it."""
    for hit in searcher.search(stem, 3):
        if match := re.search(rf"\b{re.escape(stem[:-1])}\w*", f"{hit.title}\n{hit.text}", re.IGNORECASE):
            return match[0]
    return stem
