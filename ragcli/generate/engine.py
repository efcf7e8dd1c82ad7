"""The interface of engines: token ids in, logits out; used directly by copying, likelihood reranking, perplexity."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ragcli.errors import RagcliError

Logits = NDArray[np.float32]


class LanguageModel(Protocol):
    """Run a language model: encode and decode text, and compute the logits that follow the tokens so far.

    It holds the key/value state of the current rows, which `prefill` resets. `context` is the maximal number of tokens,
    prompt and new ones together; `end_ids` are the tokens that end a text.
    """

    name: str
    context: int
    end_ids: frozenset[int]

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids; an incomplete character becomes U+FFFD."""

    def prefill(self, prompt_ids: Sequence[int], rows: int) -> Logits:
        """Read a prompt of one token or more; return the logits (rows, vocab) that follow it, all rows equal."""

    def step(self, token_ids: Sequence[int]) -> Logits:
        """Add one token to each row; return the logits (rows, vocab) that follow."""

    def log_probabilities(self, ids: Sequence[int], start: int) -> NDArray[np.float32]:
        """Return the natural log-probabilities of ids[start:], each given all tokens before it.

        `start` is at least 1, and `ids` fit into the context. The state of the rows is lost.
        """


@runtime_checkable
class Batching(Protocol):
    """An engine that can process rows with different prompts."""

    def prefill_all(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Logits:
        """Read prompts of one token or more, a row each; return the logits (rows, vocab) that follow them.

        `new_tokens` is the expected number of tokens to add to each.
        """

    def step_all(self, token_ids: Sequence[int | None]) -> Logits:
        """Add one token to each row; rows with None have ended, and their logits are meaningless."""


def damaged_weights(engine: LanguageModel) -> RagcliError:
    """Return the error for a model whose logits or probabilities are not finite."""
    return RagcliError(f"the output of {engine.name} is not finite: its weights are damaged", "Download it again.")
