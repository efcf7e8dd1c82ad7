"""Fusion of ranked lists into one: pure functions on hits, the same for both stores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import pstdev
from typing import Literal, NamedTuple

from ragcli.store import Hit, Part, ranked

Fusion = Literal["scaled", "min-max", "rrf", "z-score"]

_RRF_CONSTANT = 60


class Ranked(NamedTuple):
    """Hold a ranked list, best first, its weight, and the score of an unrelated passage."""

    hits: Sequence[Hit]
    weight: float
    floor: float = 0.0


def fuse(lists: Mapping[str, Ranked], kind: Fusion, depth: int) -> list[Hit]:
    """Rank the hits of several lists by the weighted sum of their scaled scores.

    A hit that is missing in a list gets its lowest score if the list was cut at `depth`, else 0. Each hit has the
    contributions of the lists in `parts`. Ties are ordered by id and start.
    """
    places = {name: {(hit.id, hit.start): at for at, hit in enumerate(one.hits)} for name, one in lists.items()}
    contributions = {
        name: [one.weight * scaled for scaled in _SCALES[kind]([hit.score for hit in one.hits], one.floor)]
        for name, one in lists.items()
    }
    missing = {name: found[-1] if 0 < depth <= len(found) else 0.0 for name, found in contributions.items()}

    def parts(hit: Hit) -> Iterator[tuple[str, Part]]:
        for name, one in lists.items():
            at = places[name].get((hit.id, hit.start))
            if at is not None:
                yield name, Part(at + 1, one.hits[at].score, contributions[name][at])
            elif missing[name]:
                yield name, Part(None, None, missing[name])

    every = {(hit.id, hit.start): hit for one in lists.values() for hit in one.hits}

    def fused(hit: Hit) -> Hit:
        new = dict(parts(hit))
        return hit._replace(score=sum(part.contribution for part in new.values()), parts={**hit.parts, **new})

    return ranked(map(fused, every.values()))


def scaled(scores: Sequence[float], floor: float) -> list[float]:
    """Scale scores linearly: 0 at the floor, 1 for the highest; if none is above the floor, -1 for the lowest.

    A single score below the floor tells nothing, and is 0.

    Unlike min-max, it does not depend on the depth of the list. Source: Bruch et al. 2023, An Analysis of Fusion
    Functions for Hybrid Retrieval, there "theoretical min-max".
    """
    if len(scores) == 1:
        return [float(scores[0] > floor)]
    above = [score - floor for score in scores]
    high, low = max(above, default=0.0), min(above, default=0.0)
    size = high if high > 0 else -low or 1.0
    return [score / size for score in above]


def min_max(scores: Sequence[float], _: float = 0.0) -> list[float]:
    """Scale scores linearly: 0 for the lowest, 1 for the highest; all 1 if they are equal."""
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [(score - low) / (high - low) if high > low else 1.0 for score in scores]


def z_score(scores: Sequence[float], _: float = 0.0) -> list[float]:
    """Scale scores to standard deviations above the lowest; all 1 if they are equal.

    The reference is the lowest score, not the mean, so that a missing hit can count as 0; the order is the same.
    """
    spread = pstdev(scores) if scores else 0.0
    low = min(scores, default=0.0)
    return [(score - low) / spread if spread else 1.0 for score in scores]


def reciprocal_rank(scores: Sequence[float], _: float = 0.0) -> list[float]:
    """Return 1 / (60 + rank) for each place. Source: Cormack et al. 2009, Reciprocal Rank Fusion."""
    return [1 / (_RRF_CONSTANT + rank) for rank in range(1, len(scores) + 1)]


_SCALES: Mapping[Fusion, Callable[[Sequence[float], float], list[float]]] = {
    "scaled": scaled,
    "min-max": min_max,
    "rrf": reciprocal_rank,
    "z-score": z_score,
}
