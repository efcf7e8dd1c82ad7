"""Split queries into content and function words, CJK text into bigrams, and find the spans of words."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from ragcli.analysis.functions import function_words
from ragcli.analysis.languages import HAN, HANGUL, KANA

_CJK_RUN = re.compile(f"[{HAN}{KANA}{HANGUL}]+")
_CJK_BYTES = b"\xe1" + bytes(
    range(0xE3, 0xF5)
)  # lead bytes of CJK text in UTF-8: checking for them is faster than searching for a run

_LONGEST_ENDING = 2  # letters after an apostrophe, as in they're
_WORD = re.compile(r"[^\W_]+")
_OPERATORS = frozenset({"AND", "OR", "NOT"})  # operators of other search engines
_COMPOUND = re.compile(r"[^\W_]+(?:(?:['’&./@+:-]|_+)[^\W_]+)*")


def cjk_bigrams(text: str) -> str:
    """Replace each run of Chinese, Japanese or Korean characters by bigrams between blanks; single ones stay.

    Full-width forms are normalized first (NFKC), as in Lucene's CJK analyzer. Other text stays.
    """
    if text.isascii():
        return text
    encoded = text.encode(errors="replace")
    if len(encoded.translate(None, _CJK_BYTES)) == len(encoded):
        return text
    return _CJK_RUN.sub(_bigrams, unicodedata.normalize("NFKC", text))


def _bigrams(match: re.Match[str]) -> str:
    run = match[0]
    pairs = [run[i : i + 2] for i in range(len(run) - 1)] or [run]
    return f" {' '.join(pairs)} "


@lru_cache(64)  # a search asks several times
def split_words(query: str, language: str = "en") -> tuple[str, str]:
    """Split a query into its content words and its function words.

    A function word written as a name is a content word: in capitals (WHO, IT) unless the whole query is; in English
    also capitalised inside a sentence (It, Vitamin A). If there are only function words, they are the content.
    """
    light: list[str] = []
    functions = function_words(language)
    names = _capitalised(query) if language == "en" else frozenset()

    def kept(word: re.Match[str]) -> str:
        if word[0].isalpha() and word[0].lower() not in functions:  # most are so
            return word[0]
        if word.start() in names or _means_something(word[0], query, functions):
            return word[0]
        elided, _, rest = word[0].replace("’", "'").rpartition("'")
        if len(rest) > _LONGEST_ENDING and rest.lower() not in functions:  # l'école
            light.append(elided)
            return rest
        light.append(word[0])
        return ""

    about = _COMPOUND.sub(kept, query)
    return (about, " ".join(light)) if _WORD.search(about) else (query, "")


def _capitalised(query: str) -> frozenset[int]:
    """Return the positions of capitalised words inside a query, if capitals are rare in it."""
    words = [word for word in _COMPOUND.finditer(query) if word[0][0].isalpha()][1:]
    plain = _OPERATORS | {"I"}
    names = [word.start() for word in words if word[0][0].isupper() and word[0].partition("'")[0] not in plain]
    return frozenset(names if 2 * len(names) <= len(words) + 1 else ())


def _means_something(word: str, query: str, functions: frozenset[str]) -> bool:
    if len(word) > 1 and word.isupper() and not query.isupper() and word not in _OPERATORS:
        return True
    stem, apostrophe, _ = word.lower().replace("’", "'").partition("'")
    return stem not in functions and not (apostrophe and stem.removesuffix("n") in functions)  # what's, don't


def word_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of words; for CJK text, those of bigrams."""
    for word in _WORD.finditer(text):
        at = word.start()
        for run in _CJK_RUN.finditer(text, *word.span()):
            if run.start() > at:
                yield at, run.start()
            last = max(run.start() + 1, run.end() - 1)
            yield from ((i, min(i + 2, run.end())) for i in range(run.start(), last))
            at = run.end()
        if at < word.end():
            yield at, word.end()
