"""Choose the next token from logits: penalty, n-gram ban, temperature, top-k, top-p, min-p, seeded draw.

Tokens and probabilities are the same as with the logits processors of transformers, in the order of the first line.
Two things differ on purpose: penalty and ban consider only generated tokens, not the prompt, because they would keep an
answer from quoting its passages; and the ban is lifted if it leaves no token.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]  # -inf marks a token that cannot be chosen
Tokens = NDArray[np.int64]

_HEAD = 1024  # tokens that top-p sorts at first; most nuclei are smaller
_BLOCK = 256  # tokens per block of the draw


class Sampling(NamedTuple):
    """Configure the choice of the next token; temperature 0 takes the likeliest.

    Off are: 0 for top-k, min-p and the n-gram size, 1 for top-p and the penalty.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    no_repeat_ngram_size: int = 2
    min_p: float = 0.0
    repetition_penalty: float = 1.0


def next_tokens(
    logits: Logits,
    generated: Sequence[Sequence[int]],
    sampling: Sampling,
    rngs: Sequence[np.random.Generator],
) -> list[int]:
    """Choose one token for each row.

    `logits` (rows, vocab) is not changed; `generated` holds each row's tokens so far, without the prompt. Each choice
    takes one number from its row's generator (none at temperature 0).
    """
    rows = zip(logits, generated, rngs, strict=True)
    return [_next_token(row, tokens, sampling, rng) for row, tokens, rng in rows]


def _next_token(logits: Logits, generated: Sequence[int], sampling: Sampling, rng: np.random.Generator) -> int:
    scores = penalise(logits, generated, sampling.repetition_penalty)
    scores = ban(scores, repeating_tokens(generated, sampling.no_repeat_ngram_size))
    if sampling.temperature == 0:
        return int(scores.argmax())
    scores = temper(scores, sampling.temperature)
    if sampling.top_k <= 0 and sampling.top_p >= 1 and sampling.min_p <= 0:
        return draw(scores, rng)
    kept = top_k(scores, sampling.top_k)
    kept = kept[top_p(scores[kept], sampling.top_p)]
    kept = kept[min_p(scores[kept], sampling.min_p)]
    return int(kept[draw(scores[kept], rng)])


def row_generator(seed: int, row: int) -> np.random.Generator:
    """Return the generator of one row, independent of the number of rows."""
    return np.random.default_rng([seed, row])


def penalise(logits: Logits, generated: Sequence[int], penalty: float) -> Logits:
    """Make generated tokens less likely: divide positive logits by the penalty, multiply negative ones.

    Source: Keskar et al. 2019, CTRL, section 4.1.
    """
    if penalty == 1 or not generated:
        return logits
    scores, seen = logits.copy(), np.asarray(generated, dtype=np.int64)
    chosen, by = scores[seen], np.float32(penalty)
    scores[seen] = np.where(chosen < 0, chosen * by, chosen / by)
    return scores


def repeating_tokens(generated: Sequence[int], size: int) -> Tokens:
    """Return the tokens that would repeat an n-gram: those that followed the same `size` - 1 tokens before.

    Source: Paulus et al. 2017, A Deep Reinforced Model for Abstractive Summarization, section 2.5. 0 is off.
    """
    if not 0 < size <= len(generated):
        return np.empty(0, dtype=np.int64)
    history = np.asarray(generated, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(history, size)
    repeating = (windows[:, :-1] == history[history.size + 1 - size :]).all(axis=1)
    return np.asarray(history[size - 1 :][repeating])


def ban(logits: Logits, banned: Tokens) -> Logits:
    """Set the banned tokens to -inf, unless no token would be left."""
    if not banned.size:
        return logits
    scores = logits.copy()
    scores[banned] = -np.inf
    return scores if scores.max() > -np.inf else logits


def only(logits: Logits, allowed: Sequence[int]) -> Logits:
    """Set all but the allowed tokens to -inf."""
    kept = np.asarray(allowed, dtype=np.int64)
    scores = np.full_like(logits, -np.inf)
    scores[kept] = logits[kept]
    return scores


def temper(logits: Logits, temperature: float) -> Logits:
    """Divide by the temperature, at least 1e-30 to avoid overflow."""
    return np.asarray(logits / np.float32(max(temperature, 1e-30)))


def top_k(logits: Logits, k: int) -> Tokens:
    """Return the k highest tokens and those that tie with the k-th, in order of their ids; 0 keeps all.

    Source: Fan et al. 2018, Hierarchical Neural Story Generation.
    """
    if not 0 < k < logits.size:
        return np.arange(logits.size)
    return np.flatnonzero(logits >= np.partition(logits, -k)[-k])


def top_p(logits: Logits, p: float) -> Tokens:
    """Return the fewest highest tokens that together have probability p, in order of their ids; 1.0 keeps all.

    The highest always stays, and so do those that tie with the last one kept.
    Source: Holtzman et al. 2019, The Curious Case of Neural Text Degeneration.
    """
    if p >= 1:
        return np.arange(logits.size)
    shares = np.exp(logits - logits.max())
    needed = p * shares.sum(dtype=np.float64)
    head = np.sort(_head(shares))[::-1]
    if head.sum(dtype=np.float64) < needed:
        head = np.sort(shares)[::-1]
    last = np.searchsorted(head.cumsum(dtype=np.float64), needed)
    return np.flatnonzero(shares >= head[min(last, head.size - 1)])


def _head(shares: Logits) -> Logits:
    return np.partition(shares, -_HEAD)[-_HEAD:] if shares.size > _HEAD else shares


def min_p(logits: Logits, p: float) -> Tokens:
    """Return the tokens of at least p times the probability of the highest, in order of their ids; 0 keeps all.

    Source: Nguyen et al. 2024, Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs.
    """
    return np.flatnonzero(np.exp(logits - logits.max()) >= p)


def draw(logits: Logits, rng: np.random.Generator) -> int:
    """Draw an index of (n,) from the softmax of the logits, with one uniform number.

    The cumulative sum is over blocks, then within one block, because a sum over 50,257 tokens is slow.
    """
    shares = np.exp(logits - logits.max())
    ends = np.add.reduceat(shares, np.arange(0, shares.size, _BLOCK), dtype=np.float64).cumsum()
    target = rng.random() * ends[-1]
    block = int(np.searchsorted(ends[:-1], target, side="right"))
    inside = shares[block * _BLOCK : (block + 1) * _BLOCK].cumsum(dtype=np.float64)
    rest = target - ends[block - 1] if block else target
    below_end = np.nextafter(inside[-1], 0)  # the two sums may differ by rounding
    return block * _BLOCK + int(np.searchsorted(inside, min(rest, below_end), side="right"))
