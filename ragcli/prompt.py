"""The prompt: a question and passages within a budget of tokens. Pure functions."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ragcli.analysis.sentences import sentence_spans
from ragcli.errors import UsageError
from ragcli.store import Hit

_BLANK_LINES = re.compile(r"\n\s*\n")


class Span(NamedTuple):
    """Name a piece of a document by character offsets in its text."""

    id: str
    title: str
    start: int
    end: int


class Prompt(NamedTuple):
    """Hold a prompt, its length in tokens, the passages in it (trimmed) in order, and what did not fit."""

    text: str
    tokens: int
    used: tuple[Hit, ...]
    dropped: tuple[Span, ...]


def question_ending(question: str) -> str:
    """Return how a prompt asks a question."""
    return f"Question: {question}\nAnswer:"


def review_ending(title: str) -> str:
    """Return how a prompt asks for a film review."""
    return f"A new review of {title}:"


def build_prompt(hits: Sequence[Hit], ending: str, budget: int, count: Callable[[str], int]) -> Prompt:
    """Write as much of the passages as fits into `budget` tokens, numbered, best first, and then the ending.

    What does not fit is cut at sentence ends, from the last passage on. The ending is never cut: UsageError where it
    alone is over the budget.
    """
    if count(ending) > budget:
        raise UsageError(
            f"the question has {count(ending)} tokens, the model has room for {budget}",
            "Ask a shorter question, lower --max-new-tokens, or take a model with a longer context.",
        )
    cuts = [(i, end) for i, hit in enumerate(hits) for _, end in sentence_spans(hit.text)]
    fits, too_long = 0, len(cuts) + 1
    while too_long - fits > 1:
        centroid = (fits + too_long) // 2
        if count(_render(_trimmed(hits, cuts[:centroid]), ending)) <= budget:
            fits = centroid
        else:
            too_long = centroid
    used = _trimmed(hits, cuts[:fits])
    text = _render(used, ending)
    return Prompt(text, count(text), tuple(used), tuple(_rest(hits, used)))


def _trimmed(hits: Sequence[Hit], cuts: Sequence[tuple[int, int]]) -> list[Hit]:
    ends = dict(cuts)
    return [hit._replace(text=hit.text[: ends[i]], end=hit.start + ends[i]) for i, hit in enumerate(hits) if i in ends]


def _rest(hits: Sequence[Hit], used: Sequence[Hit]) -> list[Span]:
    kept = [hit.end for hit in used] + [hit.start for hit in hits[len(used) :]]
    return [
        Span(hit.id, hit.title, start, hit.end)
        for hit, start in zip(hits, kept, strict=True)
        if hit.text[start - hit.start :].strip()
    ]


def _render(used: Sequence[Hit], ending: str) -> str:
    # Blank lines separate passages and nothing else.
    passages = [
        _BLANK_LINES.sub("\n", f"[{n}] {hit.title}\n{hit.text}" if hit.title else f"[{n}] {hit.text}")
        for n, hit in enumerate(used, 1)
    ]
    return "\n\n".join([*passages, ending])
