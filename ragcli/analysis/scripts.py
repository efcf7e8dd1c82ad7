"""Scripts without blanks between words: their text is split into overlapping pairs of characters."""

import re

from ragcli.analysis.languages import HAN, HANGUL, KANA

_CJK = f"{HAN}{KANA}{HANGUL}"
# Thai, Lao, Burmese, Khmer: a letter and the vowels and tones around it are one character.
_SOUTH_EAST = "\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u17dc-\u17dd"
_AROUND = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u17b4-\u17d3\u17dd"
)
_RUN = re.compile(f"[{_CJK}]+|[{_SOUTH_EAST}]+")
_CLUSTER = re.compile(f".[{_AROUND}]*")
_CHARACTER = re.compile(f"[{_CJK}]")
_LEAD_BYTES = b"\xe0\xe1" + bytes(
    range(0xE3, 0xF5)
)  # of these scripts in UTF-8: checking for them is faster than searching for a run


def with_bigrams(text: str) -> str:
    """Replace each run of such characters by bigrams between blanks; single ones and other text stay."""
    if text.isascii():
        return text
    encoded = text.encode(errors="replace")
    if len(encoded.translate(None, _LEAD_BYTES)) == len(encoded):
        return text
    return _RUN.sub(_bigrams, text)


def _bigrams(match: re.Match[str]) -> str:
    return f" {' '.join(bigrams(match[0]))} "


def bigrams(run: str) -> list[str]:
    """Return the bigrams of a run of characters, or a single character itself."""
    characters: list[str] | str = run if run[0] >= "\u2e80" or "\u1100" <= run[0] <= "\u11ff" else _CLUSTER.findall(run)
    return ["".join(characters[i : i + 2]) for i in range(len(characters) - 1)] or [run]


def single_characters(text: str) -> list[str]:
    """Return the Chinese, Japanese and Korean characters of a text in order."""
    return [] if text.isascii() else _CHARACTER.findall(text)


def is_single(term: str) -> bool:
    """Return whether a term is a single Chinese, Japanese or Korean character."""
    return len(term) == 1 and _CHARACTER.match(term) is not None
