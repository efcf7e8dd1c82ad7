"""Fusion of ranked lists into one: pure functions on hits, the same for both stores."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import pstdev
from typing import Literal

from ragcli.store import Hit, Part

Fusion = Literal["min-max", "rrf", "z-score"]

_RRF_CONSTANT = 60


def fuse(lists: Mapping[str, Sequence[Hit]], weights: Mapping[str, float], kind: Fusion) -> list[Hit]:
    """Rank the hits of several lists, each best first, by the weighted sum of their scaled scores.

    What a list lacks gets nothing from it. Each hit says what it got from which list. Ties are ordered by id and start.
    """
    shares: dict[tuple[str, int], tuple[Hit, dict[str, Part]]] = {}
    for name, hits in lists.items():
        scaled = _SCALES[kind]([hit.score for hit in hits])
        for rank, (hit, share) in enumerate(zip(hits, scaled, strict=True), 1):
            _, parts = shares.setdefault((hit.id, hit.start), (hit, {}))
            parts[name] = Part(rank, hit.score, weights[name] * share)
    return ranked(
        hit._replace(score=sum(part.share for part in parts.values()), parts=parts | hit.parts)
        for hit, parts in shares.values()
    )


def ranked(hits: Iterable[Hit]) -> list[Hit]:
    """Order hits by score, ties by id and start, and number them."""
    in_order = sorted(hits, key=lambda hit: (-hit.score, hit.id, hit.start))
    return [hit._replace(rank=rank) for rank, hit in enumerate(in_order, 1)]


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
    "min-max": min_max,
    "rrf": reciprocal_rank,
    "z-score": z_score,
}
