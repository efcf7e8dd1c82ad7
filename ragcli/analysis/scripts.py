"""Scripts without blanks between words: their text is split into overlapping pairs of characters."""

import re
from collections.abc import Iterator
from operator import add

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


def has_runs(text: str) -> bool:
    """Return whether a text may hold characters of these scripts."""
    if text.isascii():
        return False
    encoded = text.encode(errors="replace")
    return len(encoded.translate(None, _LEAD_BYTES)) < len(encoded)


def with_bigrams(text: str) -> str:
    """Replace each run of such characters by bigrams between blanks; single ones and other text stay."""
    return _RUN.sub(lambda run: f" {' '.join(bigrams(run[0]))} ", text) if has_runs(text) else text


def runs(text: str) -> Iterator[tuple[str, str]]:
    """Yield each run of such characters with the text before it, and at last the rest with an empty run."""
    at = 0
    for run in _RUN.finditer(text):
        yield text[at : run.start()], run[0]
        at = run.end()
    yield text[at:], ""


def bigrams(run: str) -> list[str]:
    """Return the bigrams of a run of characters, or a single character itself."""
    characters = run if is_cjk(run) else _CLUSTER.findall(run)
    return list(map(add, characters, characters[1:])) or [run]


def is_cjk(run: str) -> bool:
    """Return whether a run is Chinese, Japanese or Korean."""
    return run[0] >= "\u2e80" or "\u1100" <= run[0] <= "\u11ff"


def is_single(term: str) -> bool:
    """Return whether a term is a single Chinese, Japanese or Korean character."""
    return len(term) == 1 and _CHARACTER.match(term) is not None
