"""Edit distance between words, and likely typos."""

from collections.abc import Mapping

from ragcli.analysis.normal import without_accents

_LONG = 8  # letters from which on a word may have two typos


def edit_distance(one: str, other: str, most: int) -> int:
    """Return the optimal string alignment distance: letters to add, drop, replace or swap with their neighbour.

    Returns more than `most` for words that are further apart.
    """
    from rapidfuzz.distance import OSA  # which searches without typos need not load

    return OSA.distance(one, other, score_cutoff=most)


def most_edits(word: str) -> int:
    """Return the maximal number of edits between a misspelled word and the one that is meant."""
    return 2 if len(word) >= _LONG else 1


def nearest_words(word: str, known: Mapping[str, int]) -> list[str]:
    """Return the known words nearest to another in spelling, by distance, then by frequency.

    They share its first letter and are one edit away, or two for words of 8 letters or more. Accents do not count.
    """
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    most = most_edits(word)
    plain = {other: without_accents(other) for other in known if other[0] == word[0]}
    near = process.extract_iter(without_accents(word), plain, scorer=OSA.distance, processor=None, score_cutoff=most)
    found = sorted((distance, -known[other], other) for _, distance, other in near)
    return [other for distance, _, other in found if other != word]


def is_slip(word: str, other: str) -> bool:
    """Return whether a word is more likely a typo of another than a word of its own.

    Two adjacent letters that differ make another word (Slovenia, Slovakia; prednisolone, prednisone). A typo changes
    one letter, or two in different places.
    """
    if edit_distance(word, other, 1) <= 1:
        return True
    start = next((i for i, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
    tail = 0
    while tail < min(len(word), len(other)) - start and word[-1 - tail] == other[-1 - tail]:
        tail += 1
    return max(len(word), len(other)) - start - tail > 2
