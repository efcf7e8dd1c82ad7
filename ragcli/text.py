"""Pure functions on text: sentence boundaries, CJK bigrams, words and what they match."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Protocol

from ragcli.languages import BIGRAMMED, FUNCTION_WORDS, HAN, HANGUL, KANA, STEMMED

_CJK_RUN = re.compile(f"[{HAN}{KANA}{HANGUL}]+")
_CJK_BYTES = b"\xe1" + bytes(range(0xE3, 0xF5))  # lead bytes of CJK text in UTF-8: their lack shows sooner than a run's

# A sentence ends after its mark and closing quotes where a new one may begin, at a blank line, and at a line end
# unless the next line goes on in small letters or the line ends with a comma (hard-wrapped text).
_BOUNDARY = re.compile(
    r"""[.!?]+["'”’)\]]*(?=\s+["'“‘(\[]*[^\sa-z]|\s*$)   # Latin: the next word does not begin small
      | [。！？｡]+["'”’」』）)]*                             # CJK: no blank needed
      | \n(?=\s*\n)                                      # a paragraph
      | (?<![,，、])\n(?=[^a-z]) | (?<=[:：])\n            # a line that stands for itself
    """,
    re.VERBOSE,
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘])(?:[A-Z]|(?:[A-Za-z]\.)+[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Gen|Col|Lt|Sen|Rep|Gov|vs|cf|al|ca|approx"
    r"|Fig|fig|Eq|eq|No|Nos|no|Vol|vol|Ch|Sec|pp|p|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)$"
)


# English function words, of Snowball's and NLTK's lists; the stores leave out fewer (Lucene's list), all of them here.
STOP_WORDS = frozenset(
    """
    a about above after again against all am an and any are as at be because been before being below between both
    but by can could did do does doing down during each few for from further had has have having he her here hers
    herself him himself his how i if in into is it its itself just me more most my myself no nor not now of off on
    once only or other ought our ours ourselves out over own same she should so some such than that the their
    theirs them themselves then there these they this those through to too under until up very was we were what
    when where which while who whom whose why will with would you your yours yourself yourselves
    """.split()  # noqa: SIM905 (130 lines otherwise)
)
_LONG = 8  # letters, from which on a word may have two slips
_WORD = re.compile(r"[^\W_]+")
_WITH_APOSTROPHES = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class Stemmer(Protocol):
    """Reduce words to stems."""

    def stemWord(self, word: str) -> str:  # noqa: N802 (the library's name)
        """Return the stem of a word in small letters."""


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence in order, without the white space around it."""
    start = 0
    for match in _BOUNDARY.finditer(text):
        if match[0][0] == "." and _ABBREVIATION.search(text, max(start, match.start() - 12), match.start()):
            continue
        yield from _stripped(text, start, match.end())
        start = match.end()
    yield from _stripped(text, start, len(text))


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


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


def match_spans(query: str, text: str, language: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the words in a text that the query's words match: by stem, CJK by bigrams."""
    wanted = {_key(query[start:end], language) for start, end in _words(query)} - _function_words(language)
    for start, end in _words(text):
        if _key(text[start:end], language) in wanted:
            yield start, end


def words_in(text: str) -> Iterator[str]:
    """Yield the words of a text in small letters, of a CJK run its bigrams; no English function words."""
    folded = (unicodedata.normalize("NFKC", text[start:end]).lower() for start, end in _words(text))
    return (word for word in folded if word not in STOP_WORDS)


def word_stems(text: str, language: str) -> frozenset[str]:
    """Return the stems of a text's words, by which two texts can be compared; no English function words."""
    return frozenset(_key(word, language) for word in words_in(text))


def _words(text: str) -> Iterator[tuple[int, int]]:
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


def _key(word: str, language: str) -> str:
    folded = unicodedata.normalize("NFKC", word).lower()
    if language not in STEMMED or folded in _function_words(language):
        return folded
    return _stemmer(STEMMED[language]).stemWord(folded)


def _function_words(language: str) -> frozenset[str]:
    return STOP_WORDS if language in ("en", *BIGRAMMED) else FUNCTION_WORDS.get(language, frozenset())


@cache
def _stemmer(name: str) -> Stemmer:
    import snowballstemmer  # only a terminal shows matches, so nothing else waits for this

    stemmer: Stemmer = snowballstemmer.stemmer(name)
    return stemmer


def edit_distance(one: str, other: str, most: int) -> int:
    """Count the letters to add, drop, replace or swap with their neighbour to make one word of another.

    Returns more than `most` for words that are further apart. The optimal string alignment distance.
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                least = min(least, last[j - 2] + 1)
            row.append(least)
        if min(row) > most:
            return most + 1
    return row[-1]


def nearest_words(word: str, known: Mapping[str, int]) -> list[str]:
    """Return the known words nearest to another in spelling, by distance, then by how often they come.

    They share its first letter and are one edit away, of a word of 8 letters or more two.
    """
    most = 2 if len(word) >= _LONG else 1
    near = ((edit_distance(word, other, most), -count, other) for other, count in known.items() if other[0] == word[0])
    return [other for distance, _, other in sorted(near) if 0 < distance <= most]
