"""Run ahead of the loop with a scripted engine and a real one: nothing but the number of passes may change."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ragcli.decoder.sampling import Sampling
from ragcli.decoder.speculation import Drafter, Lookahead
from ragcli.generate import Options, complete, open_language_model
from ragcli.models import PACKAGED, ModelFolder

VOCAB = 4
tokens = st.lists(st.integers(0, VOCAB - 1), max_size=60)


class Oracle:
    """Follow a text with logits that depend on all of it."""

    def __init__(self, prompt: Sequence[int], context: int = 1000) -> None:
        self.context = context
        self.text = list(prompt)
        self.verified: list[int] = []

    def after(self, length: int) -> NDArray[np.float32]:
        seed = hash(tuple(self.text[:length][-2:])) % 1000  # what repeats is followed by the same
        return np.random.default_rng([seed, length // 40]).standard_normal((1, VOCAB)).astype(np.float32)

    def verify(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        begin = len(self.text)
        self.text += token_ids
        assert len(self.text) <= self.context
        self.verified.append(len(token_ids))
        return np.concatenate([self.after(begin + n) for n in range(1, len(token_ids) + 1)])

    def rewind(self, count: int) -> None:
        assert 0 <= count < len(self.text)
        del self.text[len(self.text) - count :]


@given(tokens.filter(len), st.lists(st.booleans(), min_size=60, max_size=60))
def test_the_logits_are_those_after_the_text_so_far(prompt: list[int], follows: list[bool]) -> None:
    oracle = Oracle(prompt)
    ahead, plain = Lookahead(oracle, prompt), Oracle(prompt)
    logits = plain.after(len(prompt))
    for follow in follows:
        token = int(logits.argmax()) if follow else int(logits.argmin())
        expected = plain.verify([token])
        logits = ahead.step([token])
        np.testing.assert_array_equal(logits, expected)


def test_a_quote_takes_few_passes() -> None:
    quote = list(range(50))
    oracle = Oracle(quote, context=100)
    ahead = Lookahead(oracle, quote)
    for token in quote:
        ahead.step([token])
    assert ahead.passes < 15 and oracle.text == [*quote, *quote][: len(oracle.text)]


def test_drafts_stay_within_the_context() -> None:
    quote = list(range(30))
    oracle = Oracle(quote, context=40)
    ahead = Lookahead(oracle, quote)
    for token in quote[:10]:
        ahead.step([token])
    assert len(oracle.text) == 40


def test_drafts_that_fail_cost_little() -> None:
    """The text goes on differently each time: after each failure the drafter rests longer."""
    rng = np.random.default_rng(0)
    oracle = Oracle([1, 2, 3] * 20)
    ahead = Lookahead(oracle, oracle.text)
    for i in range(300):
        ahead.step([[1, 2, 3, 4 + int(rng.integers(10**6))][i % 4]])
    assert sum(oracle.verified) < 1.3 * 300


def test_a_draft_follows_the_last_occurrence() -> None:
    drafter = Drafter([1, 2, 3, 4, 1, 2, 3, 5, 6, 7, 8, 9, 1, 2, 3])
    assert drafter.draft() == [5, 6, 7, 8]
    assert Drafter([1, 2, 3]).draft() == Drafter([]).draft() == Drafter([7, 7]).draft() == []


def test_success_makes_drafts_longer_and_failure_makes_a_pause() -> None:
    drafter = Drafter([*range(30), *range(3)])
    assert len(drafter.draft()) == 4
    drafter.learn(missed=0)
    assert len(drafter.draft()) == 8
    drafter.learn(missed=8)
    assert (drafter.draft(), len(drafter.draft())) == ([], 2)


class Plain:
    """Be an engine that cannot verify a draft."""

    def __init__(self, engine: Any) -> None:
        for name in ("name", "context", "end_ids", "encode", "decode", "prefill", "step", "log_probabilities"):
            setattr(self, name, getattr(engine, name))


PASSAGE = (
    "A function is a series of statements which returns some value to a caller. It can also be passed zero or more "
    "arguments which may be used in the execution of the body.\n\nQuestion: What is a function?\nAnswer:"
)


@pytest.mark.parametrize("temperature", [0, 0.7, 1.5])
def test_a_completion_is_that_of_the_plain_loop(temperature: float) -> None:
    engine = open_language_model(ModelFolder("small", PACKAGED), "float32")
    for seed in range(3):
        options = Options(60, Sampling(temperature, no_repeat_ngram_size=0), seed)
        plain: Any = Plain(engine)
        assert complete(engine, PASSAGE, options) == complete(plain, PASSAGE, options)


def test_the_context_is_filled_as_by_the_plain_loop(tmp_path: Path) -> None:
    engine = open_language_model(ModelFolder("small", PACKAGED), "float32")
    engine.end_ids = frozenset()
    prompt = PASSAGE * 6
    options = Options(1000, Sampling(0, no_repeat_ngram_size=0))
    plain: Any = Plain(engine)
    ours = complete(engine, prompt, options)
    assert ours == complete(plain, prompt, options) and ours[0].ended == "context"
