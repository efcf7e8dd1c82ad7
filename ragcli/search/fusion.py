"""Fusion of ranked lists into one: pure functions on hits, the same for both stores."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import pstdev
from typing import Literal

from ragcli.store import Hit, Part

Fusion = Literal["max", "min-max", "rrf", "z-score"]

_RRF_CONSTANT = 60


def fuse(lists: Mapping[str, Sequence[Hit]], weights: Mapping[str, float], kind: Fusion, depth: int) -> list[Hit]:
    """Rank the hits of several lists, each best first, by the weighted sum of their scaled scores.

    What a list lacks counts as its last hit where the list was cut at `depth`, else as nothing. Each hit says what it
    got from which list. Ties are ordered by id and start.
    """
    places = {name: {(hit.id, hit.start): place for place, hit in enumerate(hits)} for name, hits in lists.items()}
    shares = {name: _SCALES[kind]([hit.score for hit in hits]) for name, hits in lists.items()}
    lacking = {name: shares[name][-1] if 0 < depth <= len(hits) else 0.0 for name, hits in lists.items()}

    def parts(hit: Hit) -> Iterator[tuple[str, Part]]:
        for name, hits in lists.items():
            place = places[name].get((hit.id, hit.start))
            if place is not None:
                yield name, Part(place + 1, hits[place].score, weights[name] * shares[name][place])
            elif lacking[name]:
                yield name, Part(None, None, weights[name] * lacking[name])

    every = {(hit.id, hit.start): hit for hits in lists.values() for hit in hits}
    made = [(hit, dict(parts(hit))) for hit in every.values()]
    return ranked(
        hit._replace(score=sum(part.share for part in new.values()), parts={**hit.parts, **new}) for hit, new in made
    )


def ranked(hits: Iterable[Hit]) -> list[Hit]:
    """Order hits by score, ties by id and start, and number them."""
    in_order = sorted(hits, key=lambda hit: (-hit.score, hit.id, hit.start))
    return [hit._replace(rank=rank) for rank, hit in enumerate(in_order, 1)]


def by_maximum(scores: Sequence[float]) -> list[float]:
    """Divide scores by the highest, or where none is above 0 by the size of the lowest.

    The least that BM25, and in practice a cosine, can be stays 0, however deep a list goes. Source: Bruch et al. 2023,
    An Analysis of Fusion Functions for Hybrid Retrieval, there "theoretical min-max".
    """
    high, low = max(scores, default=0.0), min(scores, default=0.0)
    size = high if high > 0 else -low or 1.0
    return [score / size for score in scores]


def min_max(scores: Sequence[float]) -> list[float]:
    """Scale scores linearly to 0 for the lowest, 1 for the highest; equal ones are all 1."""
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [(score - low) / (high - low) if high > low else 1.0 for score in scores]


def z_score(scores: Sequence[float]) -> list[float]:
    """Scale scores to how many standard deviations they lie above the lowest; equal ones are all 1.

    Above the lowest and not the mean, so that what a list lacks can count as 0: the order is the same.
    """
    spread = pstdev(scores) if scores else 0.0
    low = min(scores, default=0.0)
    return [(score - low) / spread if spread else 1.0 for score in scores]


def reciprocal_rank(scores: Sequence[float]) -> list[float]:
    """Return 1 / (60 + rank) for each place. Source: Cormack et al. 2009, Reciprocal Rank Fusion."""
    return [1 / (_RRF_CONSTANT + rank) for rank in range(1, len(scores) + 1)]


_SCALES: Mapping[Fusion, Callable[[Sequence[float]], list[float]]] = {
    "max": by_maximum,
    "min-max": min_max,
    "rrf": reciprocal_rank,
    "z-score": z_score,
}
