"""Find near duplicates by hashed runs of words (shingles) that two texts share."""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_RUN = 5  # words, or Chinese characters
_NEAR = 0.7  # of the shorter text's shingles


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; each Chinese or Japanese character and Korean syllable is a word."""
    return _WORD.findall(text.lower())


class Overlap:
    """Index texts by their shingles, to find texts that share most of them (Broder 1997, containment)."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._sizes: list[int] = []
        self._where: defaultdict[int, list[int]] = defaultdict(list)
        for number, text in enumerate(texts):
            shingles = _shingles(text)
            self._sizes.append(len(shingles))
            for shingle in shingles:
                self._where[shingle].append(number)

    def holds(self, text: str) -> bool:
        """Return whether a text and an indexed one share 70 % of the shingles of the shorter."""
        if not self._where:
            return False
        shingles = _shingles(text)
        shared = Counter(number for shingle in shingles for number in self._where.get(shingle, ()))
        return any(count >= _NEAR * min(len(shingles), self._sizes[number]) for number, count in shared.items())


def _shingles(text: str) -> set[int]:
    return set(_runs(words(text)))


def _runs(found: list[str]) -> Iterator[int]:
    for start in range(max(1, len(found) - _RUN + 1)):
        yield zlib.crc32(" ".join(found[start : start + _RUN]).encode())
