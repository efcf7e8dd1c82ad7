"""Diversity: fewer hits that say the same, and one hit a document."""

from collections.abc import Callable, Iterator, Sequence

from ragcli.analysis.sentences import sentence_spans
from ragcli.search.fusion import min_max
from ragcli.store import Hit, Part

_GAP = 8  # characters of white space between two passages that touch

Similarity = Callable[[int, int], float]  # of two hits, or sentences, by their places, at most 1


def diversified(hits: Sequence[Hit], similarity: Similarity, strength: float, k: int) -> list[Hit]:
    """Choose k hits one by one, each the most relevant and the least like those before.

    The score of a hit is (1 - strength) * its relevance, scaled to 0..1, - strength * its largest similarity to those
    before.
    """
    relevance = [(1 - strength) * scaled for scaled in min_max([hit.score for hit in hits])]
    chosen: list[Hit] = []
    for rank, (place, likeness) in enumerate(choose_diverse(relevance, similarity, strength, k), 1):
        hit = hits[place]
        parts = {
            **hit.parts,
            "relevance": Part(hit.rank, hit.score, relevance[place]),
            "likeness": Part(rank, likeness, -strength * likeness),
        }
        chosen.append(hit._replace(rank=rank, score=relevance[place] - strength * likeness, parts=parts))
    return chosen


def choose_diverse(
    values: Sequence[float], similarity: Similarity, strength: float, k: int
) -> Iterator[tuple[int, float]]:
    """Yield k places one by one, each with its largest similarity to those before: the best by value less that.

    Ties go to the first. `strength` is what a similarity of 1 costs. Source: Carbonell and Goldstein 1998, maximal
    marginal relevance.
    """
    likeness = [0.0] * len(values)
    left = list(range(len(values)))
    for _ in range(min(k, len(values))):
        best = max(left, key=lambda i: (values[i] - strength * likeness[i], -i))
        left.remove(best)
        yield best, likeness[best]
        for other in left:
            likeness[other] = max(likeness[other], similarity(best, other))


def without_copies(hits: Sequence[Hit]) -> list[Hit]:
    """Keep of documents with the same title and text, whatever their case and white space, the first, and count them.

    A document may repeat itself: its own passages are all kept.
    """
    keys = [(_folded(hit.title), _folded(hit.text)) for hit in hits]
    documents: dict[tuple[str, str], dict[str, None]] = {}
    for key, hit in zip(keys, hits, strict=True):
        documents.setdefault(key, {})[hit.id] = None
    first = {key: next(iter(ids)) for key, ids in documents.items()}
    kept = [(key, hit) for key, hit in zip(keys, hits, strict=True) if first[key] == hit.id]
    return [hit._replace(rank=rank, copies=len(documents[key])) for rank, (key, hit) in enumerate(kept, 1)]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def one_a_document(hits: Sequence[Hit]) -> list[Hit]:
    """Keep each document's best hit."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.id, hit)
    return [hit._replace(rank=rank) for rank, hit in enumerate(best.values(), 1)]


def joined(hits: Sequence[Hit]) -> list[Hit]:
    """Keep a hit for each document: its best passage, with those of its passages that touch it, joined in their order.

    Between passages stood white space; as much of it stands between them again, so that offsets stay right. Which kind
    is not known, so passages that a sentence goes across are not joined: each sentence stays as it is in its document.
    """
    found: dict[str, Hit] = {}
    for hit in hits:
        found[hit.id] = _with_neighbour(found[hit.id], hit) if hit.id in found else hit
    return [hit._replace(rank=rank) for rank, hit in enumerate(found.values(), 1)]


def _with_neighbour(hit: Hit, other: Hit) -> Hit:
    first, second = sorted((hit, other), key=lambda one: one.start)
    gap = second.start - first.end
    if not 0 <= gap <= _GAP:
        return hit
    between = " " if gap == 1 else "\n" * gap
    text = f"{first.text}{between}{second.text}"
    if all(end != len(first.text) for _, end in sentence_spans(text)):
        return hit
    return hit._replace(start=first.start, end=second.end, text=text)
