"""Compare the sampling functions with transformers' logits processors, and try their edges."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from ragcli.decoder.sampling import (
    Logits,
    Sampling,
    ban,
    draw,
    min_p,
    next_tokens,
    penalise,
    repeating_tokens,
    row_generator,
    temper,
    top_k,
    top_p,
)


def survivors(logits: Logits, generated: list[int], sampling: Sampling) -> Logits:
    """Return the probabilities (vocab,) that our functions give to each token."""
    scores = penalise(logits, generated, sampling.repetition_penalty)
    scores = ban(scores, repeating_tokens(generated, sampling.no_repeat_ngram_size))
    scores = temper(scores, sampling.temperature)
    kept = top_k(scores, sampling.top_k)
    kept = kept[top_p(scores[kept], sampling.top_p)]
    kept = kept[min_p(scores[kept], sampling.min_p)]
    probabilities = np.zeros_like(logits)
    shares = np.exp(scores[kept] - scores[kept].max())
    probabilities[kept] = shares / shares.sum()
    return probabilities


def reference(logits: Logits, generated: list[int], sampling: Sampling) -> Logits:
    """Return the probabilities (vocab,) that transformers' processors give, in the order of its generate()."""
    processors = LogitsProcessorList()
    processors.append(RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty))
    if sampling.no_repeat_ngram_size:
        processors.append(NoRepeatNGramLogitsProcessor(sampling.no_repeat_ngram_size))
    processors.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        processors.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        processors.append(TopPLogitsWarper(sampling.top_p))
    processors.append(MinPLogitsWarper(sampling.min_p))
    ids: Any = torch.tensor([generated], dtype=torch.long)
    scores: Any = processors(ids, torch.tensor(logits[np.newaxis]))
    return np.asarray(scores.softmax(dim=-1).numpy()[0], dtype=np.float32)


@st.composite
def distinct_logits(draw: st.DrawFn) -> Logits:
    """Draw logits (vocab,) without ties, which each side may break as it likes; now and then more than top-p sorts."""
    vocab = draw(st.sampled_from([2, 3, 7, 40, 1500]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = (rng.standard_normal(vocab) * draw(st.sampled_from([0.01, 1.0, 8.0]))).astype(np.float32)
    assume(np.unique(logits).size == vocab)
    return logits


samplings = st.builds(
    Sampling,
    temperature=st.floats(0.1, 5),
    top_k=st.integers(0, 60),
    top_p=st.one_of(st.just(1.0), st.floats(0, 0.999)),
    no_repeat_ngram_size=st.integers(0, 4),
    min_p=st.one_of(st.just(0.0), st.floats(0, 1)),
    repetition_penalty=st.one_of(st.just(1.0), st.floats(1, 3)),
)


@settings(deadline=None, max_examples=300)
@given(distinct_logits(), st.lists(st.integers(0, 6), min_size=0, max_size=30), samplings)
def test_same_probabilities_as_transformers(logits: Logits, generated: list[int], sampling: Sampling) -> None:
    generated = [token % logits.size for token in generated]
    unfiltered = survivors(logits, generated, sampling._replace(top_p=1.0, min_p=0.0))
    assume(np.unique(unfiltered[unfiltered > 0]).size == (unfiltered > 0).sum())  # dividing may make ties
    shares = np.sort(unfiltered)[::-1].cumsum(dtype=np.float64)
    assume(np.abs(shares - sampling.top_p).min() > 1e-5 or sampling.top_p == 1)  # rounding may decide there
    assume(np.abs(unfiltered / unfiltered.max() - sampling.min_p).min() > 1e-5 or sampling.min_p in (0, 1))
    expected = reference(logits, generated, sampling)
    assume(not np.isnan(expected).any())  # transformers' answer where all is banned
    ours = survivors(logits, generated, sampling)
    assert ((ours > 0) == (expected > 0)).all()
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-7)


def slow_repeating(generated: list[int], size: int) -> set[int]:
    seen = {tuple(generated[i : i + size]) for i in range(len(generated) - size + 1)}
    tail = tuple(generated[len(generated) - size + 1 :])
    return {gram[-1] for gram in seen if gram[:-1] == tail}


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 5))
def test_repeating_tokens_are_those_of_a_slow_search(generated: list[int], size: int) -> None:
    assert set(repeating_tokens(generated, size).tolist()) == slow_repeating(generated, size)


def test_top_k_keeps_ties_and_does_not_mind_a_large_k() -> None:
    logits = np.array([1, 3, 2, 2, 0], dtype=np.float32)
    assert top_k(logits, 2).tolist() == [1, 2, 3]
    assert top_k(logits, 0).tolist() == top_k(logits, 5).tolist() == top_k(logits, 99).tolist() == [0, 1, 2, 3, 4]


def test_top_p_keeps_the_nucleus_its_ties_and_at_least_one() -> None:
    logits = np.log(np.array([0.1, 0.5, 0.15, 0.15, 0.1], dtype=np.float32))
    assert top_p(logits, 0.0).tolist() == top_p(logits, 0.49).tolist() == [1]
    assert top_p(logits, 0.6).tolist() == [1, 2, 3]
    assert top_p(logits, 0.999).tolist() == top_p(logits, 1.0).tolist() == [0, 1, 2, 3, 4]


def test_min_p_is_a_share_of_the_highest() -> None:
    logits = np.log(np.array([0.1, 0.5, 0.15, 0.15, 0.1], dtype=np.float32))
    assert min_p(logits, 1.0).tolist() == [1]
    assert min_p(logits, 0.299).tolist() == [1, 2, 3]
    assert min_p(logits, 0.0).tolist() == [0, 1, 2, 3, 4]


def test_the_penalty_takes_generated_tokens_once_each() -> None:
    logits = np.array([2, -2, 3, 0], dtype=np.float32)
    assert penalise(logits, [0, 1, 1, 0, 3], 2).tolist() == [1, -4, 3, 0]
    assert penalise(logits, [], 2).tolist() == penalise(logits, [0, 1], 1).tolist() == logits.tolist() == [2, -2, 3, 0]


def test_all_of_a_sampling_counts_in_the_choice() -> None:
    """What the tests of its parts do not see: that the choice makes use of each."""
    logits = np.array([[4, 3, -1]], dtype=np.float32)

    def chosen(generated: list[int], **options: Any) -> set[int]:
        sampling = Sampling(no_repeat_ngram_size=0)._replace(**options)
        return {next_tokens(logits, [generated], sampling, [row_generator(seed, 0)])[0] for seed in range(300)}

    assert chosen([]) == {0, 1, 2}
    assert chosen([], min_p=0.3) == {0, 1} and chosen([], min_p=0.5) == {0}
    assert chosen([0], repetition_penalty=2, temperature=0) == {1}
    assert chosen([0], repetition_penalty=4, min_p=0.9) == {1}


def test_top_p_of_a_flat_distribution_wider_than_its_first_look() -> None:
    logits = np.linspace(0, 1e-3, 5000, dtype=np.float32)
    assert top_p(logits, 0.5).size == pytest.approx(2500, abs=3)


def test_draw_follows_the_softmax() -> None:
    logits = np.full(5, -np.inf, dtype=np.float32)
    logits[[0, 2, 3]] = np.log([0.2, 0.5, 0.3])
    rng = np.random.default_rng(1)
    counts = np.bincount([draw(logits, rng) for _ in range(20_000)], minlength=5)
    assert counts[[1, 4]].sum() == 0
    for count, share in zip(counts[[0, 2, 3]], (0.2, 0.5, 0.3), strict=True):
        assert abs(count - share * 20_000) < 4 * math.sqrt(20_000 * share * (1 - share))


class Fixed(np.random.Generator):
    """Give the same uniform number for ever."""

    def __init__(self, number: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.number = number

    def random(self, *_: object, **__: object) -> float:  # type: ignore[override]
        return self.number


@settings(deadline=None)
@given(distinct_logits(), st.floats(0, 1, exclude_max=True))
def test_draw_by_blocks_is_draw_by_one_sum(logits: Logits, number: float) -> None:
    logits[::3] = -np.inf
    assume(np.isfinite(logits).any())
    shares = np.exp(logits - logits.max()).cumsum(dtype=np.float64)
    assume(np.abs(shares - number * shares[-1]).min() > 1e-9)
    assert draw(logits, Fixed(number)) == np.searchsorted(shares, number * shares[-1], side="right")


@pytest.mark.parametrize("number", [0.0, 0.5, 1 - 2**-53])
def test_draw_never_takes_a_banned_token(number: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        logits = (8 * rng.standard_normal(1500)).astype(np.float32)
        logits[:10] = logits[1000:] = logits[rng.random(1500) < 0.3] = -np.inf
        assert logits[draw(logits, Fixed(number))] > -np.inf


def test_temperature_zero_takes_the_likeliest_and_no_random_number() -> None:
    logits = np.array([[0, 2, 1], [5, 4, 5]], dtype=np.float32)
    rngs = [row_generator(0, 0), row_generator(0, 1)]
    assert next_tokens(logits, [[], []], Sampling(temperature=0), rngs) == [1, 0]
    assert rngs[0].random() == row_generator(0, 0).random()


@pytest.mark.parametrize("temperature", [1e-45, 1e-30, 1e-3])
def test_a_tiny_temperature_is_greedy(temperature: float) -> None:
    logits = np.array([[1e4, 0, 1.1e4]], dtype=np.float32)
    assert next_tokens(logits, [[]], Sampling(temperature=temperature), [row_generator(0, 0)]) == [2]


@pytest.mark.parametrize("temperature", [0, 1])
def test_the_ban_is_lifted_where_all_is_banned(temperature: float) -> None:
    logits = np.array([[1, 9]], dtype=np.float32)
    sampling = Sampling(temperature=temperature, top_k=1, no_repeat_ngram_size=1)
    assert next_tokens(logits, [[0, 1]], sampling, [row_generator(0, 0)]) == [1]


def test_rows_are_independent_and_the_logits_stay_as_they_are() -> None:
    logits = np.random.default_rng(0).standard_normal((4, 50)).astype(np.float32)
    before = logits.copy()
    generated = [[1, 2, 1], [], [3], [4, 4]]
    sampling = Sampling(temperature=0.7, top_k=20, top_p=0.9)
    together = next_tokens(logits, generated, sampling, [row_generator(7, row) for row in range(4)])
    alone = [
        next_tokens(logits[row : row + 1], generated[row : row + 1], sampling, [row_generator(7, row)])
        for row in range(4)
    ]
    assert together == list(itertools.chain.from_iterable(alone))
    assert (logits == before).all()
