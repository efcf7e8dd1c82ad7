"""Diversity of hits: fewer that say the same, and one for each document."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ragcli.analysis.sentences import sentence_spans
from ragcli.search.fusion import min_max
from ragcli.store import Hit, Part

_BEGIN = 80  # characters
_GAP = 8  # characters of white space between two passages that touch

Similarity = Callable[[int, int], float]  # of two hits or sentences by their places; at most 1


def diversified(hits: Sequence[Hit], similarity: Similarity, strength: float, k: int) -> list[Hit]:
    """Choose k hits one by one, each relevant and dissimilar to those before.

    The score of a hit is (1 - strength) * relevance, scaled to [0, 1], - strength * its largest similarity to a hit
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
    """Yield the places of k items, each with the best value less `strength` times its largest similarity to one before.

    Each comes with that similarity. Ties go to the first. Source: Carbonell and Goldstein 1998, maximal
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
    """Keep the first of the passages with the same title and text up to case and white space, and count the documents.

    Repetitions within a document are kept.
    """
    begins = [_folded(hit.text[:_BEGIN])[: _BEGIN // 2] for hit in hits]
    if len(set(begins)) == len(hits):
        return list(hits)
    alike = Counter(begins)  # few texts begin alike: only these are compared as a whole
    keys = [
        (_folded(hit.title), _folded(hit.text)) if alike[begin] > 1 else ("", begin)
        for hit, begin in zip(hits, begins, strict=True)
    ]
    documents: dict[tuple[str, str], dict[str, None]] = {}
    for key, hit in zip(keys, hits, strict=True):
        documents.setdefault(key, {})[hit.id] = None
    first = {key: next(iter(ids)) for key, ids in documents.items()}
    kept = [(key, hit) for key, hit in zip(keys, hits, strict=True) if first[key] == hit.id]
    return [hit._replace(rank=rank, copies=len(documents[key])) for rank, (key, hit) in enumerate(kept, 1)]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def one_a_document(hits: Sequence[Hit]) -> list[Hit]:
    """Keep the best hit of each document."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.id, hit)
    return [hit._replace(rank=rank) for rank, hit in enumerate(best.values(), 1)]


def joined(hits: Sequence[Hit]) -> list[Hit]:
    """Keep one hit for each document: its best passage, joined with adjacent passages in their order.

    They are joined by as much white space as there was, so that offsets stay right. Its kind is unknown, so passages
    are not joined within a sentence: each sentence stays verbatim.
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
