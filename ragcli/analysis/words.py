"""Words: function words, the bigrams of Chinese, Japanese and Korean, and where words stand in a text."""

import re
import unicodedata
from collections.abc import Iterator

from ragcli.analysis.functions import function_words
from ragcli.analysis.languages import HAN, HANGUL, KANA

_CJK_RUN = re.compile(f"[{HAN}{KANA}{HANGUL}]+")
_CJK_BYTES = b"\xe1" + bytes(range(0xE3, 0xF5))  # lead bytes of CJK text in UTF-8: their lack shows sooner than a run's

_WORD = re.compile(r"[^\W_]+")
_OPERATORS = frozenset({"AND", "OR", "NOT"})  # as people write them who know other search engines
_WITH_APOSTROPHES = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def cjk_bigrams(text: str) -> str:
    """Write each run of Chinese, Japanese or Korean characters as bigrams between blanks; a single one stays.

    Full-width forms become plain ones first (NFKC), as Lucene's CJK analyzer does. All other text is left as it is.
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


def split_words(query: str, language: str = "en") -> tuple[str, str]:
    """Split a query into what it is about and its function words: "how", "what", "do" say little.

    A function word that is written as a name is what it is about: in capitals (WHO, IT) unless all are, of English also
    with one inside a sentence (It, Vitamin A). A query of function words only is about these.
    """
    light: list[str] = []
    functions = function_words(language)
    names = _capitalised(query) if language == "en" else frozenset()

    def kept(word: re.Match[str]) -> str:
        if word.start() in names or _means_something(word[0], query, functions):
            return word[0]
        light.append(word[0])
        return ""

    about = _WITH_APOSTROPHES.sub(kept, query)
    return (about, " ".join(light)) if _WORD.search(about) else (query, "")


def _capitalised(query: str) -> frozenset[int]:
    """Return where words with a capital stand inside a query, if that tells them from others."""
    words = [word for word in _WITH_APOSTROPHES.finditer(query) if word[0][0].isalpha()][1:]
    plain = _OPERATORS | {"I"}
    names = [word.start() for word in words if word[0][0].isupper() and word[0].partition("'")[0] not in plain]
    return frozenset(names if 2 * len(names) <= len(words) + 1 else ())


def _means_something(word: str, query: str, functions: frozenset[str]) -> bool:
    if len(word) > 1 and word.isupper() and not query.isupper() and word not in _OPERATORS:
        return True
    stem, apostrophe, _ = word.lower().replace("’", "'").partition("'")
    return stem not in functions and not (apostrophe and stem.removesuffix("n") in functions)  # what's, don't


def word_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of words; of a CJK run, those of its bigrams."""
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
