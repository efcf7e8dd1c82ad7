"""Guess the next tokens by looking up the last ones in the text so far, and check several guesses in one pass.

Answers quote their passages, so what followed the same words before often follows again. A guess changes no result: the
loop chooses each token from the model's logits as ever, and those of a guess are used only where it chose just that.
Source: Saxena 2023, Prompt Lookup Decoding; Leviathan et al. 2023, Fast Inference from Transformers via Speculative
Decoding: with guesses that are certain, to choose and compare is to accept with the model's own probability.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]

_NGRAM = 3  # tokens that have to be the same for a guess
_FIRST = 4  # guesses at once at first
_MOST = 12
_REST = 64  # tokens without a guess at most, after guesses that failed


@runtime_checkable
class Checking(Protocol):
    """Do what an engine does to check guesses; it has one row."""

    context: int

    def check(self, token_ids: Sequence[int]) -> Logits:
        """Add tokens to the row; return the logits (tokens, vocab) that follow each."""

    def rewind(self, tokens: int) -> None:
        """Forget the last tokens of the row."""


class Lookahead:
    """Step through one row as an engine does, and run ahead of the caller where that pays."""

    def __init__(self, engine: Checking, prompt_ids: Sequence[int]) -> None:
        self.passes = 0
        self._engine = engine
        self._guesser = Guesser(prompt_ids)
        self._ahead: list[tuple[int, Logits]] = []  # what was guessed, and the logits after it

    def step(self, token_ids: Sequence[int]) -> Logits:
        """Add a token to the only row; return the logits (1, vocab) that follow."""
        [token] = token_ids
        self._guesser.add(token)
        if self._ahead and self._ahead[0][0] == token:
            return self._ahead.pop(0)[1]
        self._guesser.learn(missed=len(self._ahead))
        self._engine.rewind(len(self._ahead))
        room = self._engine.context - len(self._guesser.tokens)
        guesses = self._guesser.guess()[: max(room, 0)]
        logits = self._engine.check([token, *guesses])
        self.passes += 1
        self._ahead = [(guess, logits[i : i + 1]) for i, guess in enumerate(guesses, 1)]
        return logits[:1]


class Guesser:
    """Remember where each n-gram was last, guess what followed it, and guess less where that fails."""

    def __init__(self, prompt_ids: Sequence[int]) -> None:
        self.tokens: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}
        self._source: int | None = None  # where in the tokens the last n-gram was followed by something
        self._size = _FIRST
        self._guessed = self._rest = self._pause = 0
        for token in prompt_ids:
            self.add(token)

    def add(self, token: int) -> None:
        """Take the next token of the text."""
        self.tokens.append(token)
        ngram = tuple(self.tokens[-_NGRAM:])
        self._source = self._ends.get(ngram)
        self._ends[ngram] = len(self.tokens)

    def guess(self) -> list[int]:
        """Return tokens that may follow, none where the last n-gram is new or guesses keep failing."""
        self._guessed = 0
        if self._rest:
            self._rest -= 1
        elif self._source is not None and len(self.tokens) > _NGRAM:
            guesses = self.tokens[self._source : self._source + self._size]
            self._guessed = len(guesses)
            return guesses
        return []

    def learn(self, missed: int) -> None:
        """Take how many of the last guesses were wrong: guess more after success, and rest after failure."""
        if not self._guessed:
            return
        right = self._guessed - missed
        if not missed:
            self._size = min(2 * self._size, _MOST)
        else:
            self._size = max(right, 2)
        self._pause = 0 if right else min(2 * self._pause + 1, _REST)
        self._rest = self._pause
        self._guessed = 0
