"""Fusion of ranked lists into one: pure functions on hits, the same for both stores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import pstdev
from typing import Literal, NamedTuple

from ragcli.store import Hit, Part, ranked

Fusion = Literal["scaled", "min-max", "rrf", "z-score"]

_RRF_CONSTANT = 60


class Ranked(NamedTuple):
    """Hold a ranked list, best first, what it weighs, and the score that a passage gets which says nothing of it."""

    hits: Sequence[Hit]
    weight: float
    floor: float = 0.0


def fuse(lists: Mapping[str, Ranked], kind: Fusion, depth: int) -> list[Hit]:
    """Rank the hits of several lists by the weighted sum of their scaled scores.

    A missing hit gets the list's lowest score where the list was cut at `depth`, else nothing. Each hit says
    what it got from which list. Ties are ordered by id and start.
    """
    places = {name: {(hit.id, hit.start): at for at, hit in enumerate(one.hits)} for name, one in lists.items()}
    contributions = {
        name: [one.weight * scaled for scaled in _SCALES[kind]([hit.score for hit in one.hits], one.floor)]
        for name, one in lists.items()
    }
    lacking = {name: found[-1] if 0 < depth <= len(found) else 0.0 for name, found in contributions.items()}

    def parts(hit: Hit) -> Iterator[tuple[str, Part]]:
        for name, one in lists.items():
            at = places[name].get((hit.id, hit.start))
            if at is not None:
                yield name, Part(at + 1, one.hits[at].score, contributions[name][at])
            elif lacking[name]:
                yield name, Part(None, None, lacking[name])

    every = {(hit.id, hit.start): hit for one in lists.values() for hit in one.hits}

    def fused(hit: Hit) -> Hit:
        new = dict(parts(hit))
        return hit._replace(score=sum(part.contribution for part in new.values()), parts={**hit.parts, **new})

    return ranked(map(fused, every.values()))


def scaled(scores: Sequence[float], floor: float) -> list[float]:
    """Scale scores linearly to 0 at the floor, 1 for the highest; where none is above the floor, the lowest is -1.

    Unlike min-max it does not depend on how deep a list goes. Source: Bruch et al. 2023, An Analysis of Fusion
    Functions for Hybrid Retrieval, there "theoretical min-max".
    """
    above = [score - floor for score in scores]
    high, low = max(above, default=0.0), min(above, default=0.0)
    size = high if high > 0 else -low or 1.0
    return [score / size for score in above]


def min_max(scores: Sequence[float], _: float = 0.0) -> list[float]:
    """Scale scores linearly to 0 for the lowest, 1 for the highest; equal ones are all 1."""
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [(score - low) / (high - low) if high > low else 1.0 for score in scores]


def z_score(scores: Sequence[float], _: float = 0.0) -> list[float]:
    """Scale scores to how many standard deviations they lie above the lowest; equal ones are all 1.

    Above the lowest and not the mean, so that what a list lacks can count as 0: the order is the same.
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
