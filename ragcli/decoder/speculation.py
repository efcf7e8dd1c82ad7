"""Draft the next tokens by looking up the last ones in the text so far, and verify the draft in one pass.

Answers quote their passages, so the continuation of the same words before is often right. Drafts do not change results:
the loop chooses each token from the model's logits as usual, and uses those after a drafted token only if it chose it.
Source: Saxena 2023, Prompt Lookup Decoding; Leviathan et al. 2023, Fast Inference from Transformers via Speculative
Decoding: with deterministic drafts, choosing and comparing accepts with the model's own probability.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]

_NGRAM = 3  # matching tokens needed for a draft
_FIRST = 4  # initial length of drafts
_MOST = 12
_REST = 64  # maximal tokens without a draft after failures


@runtime_checkable
class Verifying(Protocol):
    """An engine that can verify a draft, with a single row."""

    context: int

    def verify(self, token_ids: Sequence[int]) -> Logits:
        """Add tokens to the row; return the logits (tokens, vocab) that follow each."""

    def rewind(self, tokens: int) -> None:
        """Remove the last tokens of the row."""


class Lookahead:
    """Step through one row like an engine, running ahead of the caller with drafts."""

    def __init__(self, engine: Verifying, prompt_ids: Sequence[int]) -> None:
        self.passes = 0
        self._engine = engine
        self._drafter = Drafter(prompt_ids)
        self._ahead: list[tuple[int, Logits]] = []  # drafted tokens, and the logits after them

    def step(self, token_ids: Sequence[int]) -> Logits:
        """Add a token to the single row; return the logits (1, vocab) that follow."""
        [token] = token_ids
        self._drafter.add(token)
        if self._ahead and self._ahead[0][0] == token:
            return self._ahead.pop(0)[1]
        self._drafter.learn(missed=len(self._ahead))
        self._engine.rewind(len(self._ahead))
        room = self._engine.context - len(self._drafter.tokens)
        draft = self._drafter.draft()[: max(room, 0)]
        logits = self._engine.verify([token, *draft])
        self.passes += 1
        self._ahead = [(drafted, logits[i : i + 1]) for i, drafted in enumerate(draft, 1)]
        return logits[:1]


class Drafter:
    """Draft what followed the last n-gram before, with shorter and rarer drafts after failures."""

    def __init__(self, prompt_ids: Sequence[int]) -> None:
        self.tokens: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}
        self._source: int | None = None  # where the continuation of the last n-gram begins
        self._size = _FIRST
        self._drafted = self._rest = self._pause = 0
        for token in prompt_ids:
            self.add(token)

    def add(self, token: int) -> None:
        """Add the next token of the text."""
        self.tokens.append(token)
        ngram = tuple(self.tokens[-_NGRAM:])
        self._source = self._ends.get(ngram)
        self._ends[ngram] = len(self.tokens)

    def draft(self) -> list[int]:
        """Return tokens that may follow; none if the last n-gram is new or drafts keep failing."""
        self._drafted = 0
        if self._rest:
            self._rest -= 1
        elif self._source is not None and len(self.tokens) > _NGRAM:
            draft = self.tokens[self._source : self._source + self._size]
            self._drafted = len(draft)
            return draft
        return []

    def learn(self, missed: int) -> None:
        """Adapt to the number of wrong drafted tokens: longer drafts after success, a pause after failure."""
        if not self._drafted:
            return
        right = self._drafted - missed
        if not missed:
            self._size = min(2 * self._size, _MOST)
        else:
            self._size = max(right, 2)
        self._pause = 0 if right else min(2 * self._pause + 1, _REST)
        self._rest = self._pause
        self._drafted = 0
