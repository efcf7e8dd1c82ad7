"""Words: function words, the bigrams of Chinese, Japanese and Korean, and where words stand in a text."""

import re
import unicodedata
from collections.abc import Iterator

from ragcli.analysis.languages import BIGRAMMED, FUNCTION_WORDS, HAN, HANGUL, KANA

_CJK_RUN = re.compile(f"[{HAN}{KANA}{HANGUL}]+")
_CJK_BYTES = b"\xe1" + bytes(range(0xE3, 0xF5))  # lead bytes of CJK text in UTF-8: their lack shows sooner than a run's

# English function words, of Snowball's and NLTK's lists; the stores leave out fewer (Lucene's list), all of them here.
STOP_WORDS = frozenset(
    """
    a about above after again against all am an and any are as at be because been before being below between both
    but by can could did do does doing down during each few for from further had has have having he her here hers
    herself him himself his how i if in into is it its itself just me more most my myself no nor not now of off on
    once only or other ought our ours ourselves out over own same she should so some such than that the their
    theirs them themselves then there these they this those through to too under until up very was we were what
    when where which while who whom whose why will with would you your yours yourself yourselves
    """.split()
)
_WORD = re.compile(r"[^\W_]+")
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


def split_words(query: str) -> tuple[str, str]:
    """Split an English query into what it is about and its function words: "how", "what", "do" say little.

    Words in capitals are what it is about (WHO, IT), unless all are; a query of function words only is about these.
    """
    light: list[str] = []

    def kept(word: re.Match[str]) -> str:
        if _means_something(word[0], query):
            return word[0]
        light.append(word[0])
        return ""

    about = _WITH_APOSTROPHES.sub(kept, query)
    return (about, " ".join(light)) if _WORD.search(about) else (query, "")


def _means_something(word: str, query: str) -> bool:
    if len(word) > 1 and word.isupper() and not query.isupper():
        return True
    stem, apostrophe, _ = word.lower().replace("’", "'").partition("'")
    return stem not in STOP_WORDS and not (apostrophe and stem.removesuffix("n") in STOP_WORDS)  # what's, don't


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


def function_words(language: str) -> frozenset[str]:
    """Return the function words of a language; of one that is cut into bigrams, the English ones."""
    return STOP_WORDS if language in ("en", *BIGRAMMED) else FUNCTION_WORDS.get(language, frozenset())
