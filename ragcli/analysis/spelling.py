"""How far apart words are in spelling."""

from collections.abc import Mapping

_LONG = 8  # letters, from which on a word may have two slips


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
