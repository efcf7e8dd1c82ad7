"""Draft the next tokens by looking up the last ones in the text so far, and verify the draft in one pass.

Answers quote their passages, so what followed the same words before often follows again. A draft changes no result: the
loop chooses each token from the model's logits as ever, and uses those after a drafted token only where it chose it.
Source: Saxena 2023, Prompt Lookup Decoding; Leviathan et al. 2023, Fast Inference from Transformers via Speculative
Decoding: with drafts that are certain, to choose and compare is to accept with the model's own probability.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]

_NGRAM = 3  # tokens that have to be the same for a draft
_FIRST = 4  # drafted tokens at first
_MOST = 12
_REST = 64  # tokens without a draft at most, after drafts that failed


@runtime_checkable
class Verifying(Protocol):
    """Do what an engine does to verify a draft; it has one row."""

    context: int

    def verify(self, token_ids: Sequence[int]) -> Logits:
        """Add tokens to the row; return the logits (tokens, vocab) that follow each."""

    def rewind(self, tokens: int) -> None:
        """Forget the last tokens of the row."""


class Lookahead:
    """Step through one row as an engine does, and run ahead of the caller where that pays."""

    def __init__(self, engine: Verifying, prompt_ids: Sequence[int]) -> None:
        self.passes = 0
        self._engine = engine
        self._drafter = Drafter(prompt_ids)
        self._ahead: list[tuple[int, Logits]] = []  # what was drafted, and the logits after it

    def step(self, token_ids: Sequence[int]) -> Logits:
        """Add a token to the only row; return the logits (1, vocab) that follow."""
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
    """Remember where each n-gram was last, draft what followed it, and draft less where that fails."""

    def __init__(self, prompt_ids: Sequence[int]) -> None:
        self.tokens: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}
        self._source: int | None = None  # where in the tokens the last n-gram was followed by something
        self._size = _FIRST
        self._drafted = self._rest = self._pause = 0
        for token in prompt_ids:
            self.add(token)

    def add(self, token: int) -> None:
        """Take the next token of the text."""
        self.tokens.append(token)
        ngram = tuple(self.tokens[-_NGRAM:])
        self._source = self._ends.get(ngram)
        self._ends[ngram] = len(self.tokens)

    def draft(self) -> list[int]:
        """Return tokens that may follow, none where the last n-gram is new or drafts keep failing."""
        self._drafted = 0
        if self._rest:
            self._rest -= 1
        elif self._source is not None and len(self.tokens) > _NGRAM:
            draft = self.tokens[self._source : self._source + self._size]
            self._drafted = len(draft)
            return draft
        return []

    def learn(self, missed: int) -> None:
        """Take how many of the drafted tokens were wrong: draft more after success, and rest after failure."""
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
