"""Measure many prompts together, an answer that quotes, and prompts that begin alike. Prints Markdown.

python -m tests.benchmarks.engine_batch [--runs 3] [--prompts 32] [--precision int8] [--folder MODEL]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ragcli.decoder.onnx_model import OnnxModel
from ragcli.decoder.speculation import Lookahead
from ragcli.generate import open_language_model
from ragcli.models import ModelFolder

NEW = 50
QUOTE = 100
Ids = list[int]


def together(engine: OnnxModel, prompts: Sequence[Ids]) -> None:
    """Write greedily after all prompts at once."""
    logits = engine.prefill_all(prompts, NEW)
    for _ in range(NEW - 1):
        logits = engine.step_all(logits.argmax(axis=1).tolist())


def one_by_one(engine: OnnxModel, prompts: Sequence[Ids]) -> None:
    """Write greedily after one prompt after another."""
    for prompt in prompts:
        together(engine, [prompt])


def quote(engine: OnnxModel, prompt: Ids, ahead: bool) -> None:
    """Write what stands in the middle of the prompt; random weights would not, so the tokens are given."""
    engine.prefill_all([prompt], QUOTE)
    step = Lookahead(engine, prompt).step if ahead else engine.step
    for token in prompt[100 : 100 + QUOTE]:
        step([token])


def invent(engine: OnnxModel, prompt: Ids, ahead: bool) -> None:
    """Write what mostly stands nowhere, though its beginnings do."""
    rng = np.random.default_rng(1)
    engine.prefill_all([prompt], QUOTE)
    step = Lookahead(engine, prompt).step if ahead else engine.step
    for i, token in enumerate(prompt[:QUOTE]):
        step([token if i % 5 else int(rng.integers(50000))])


def read(engine: OnnxModel, prompts: Sequence[Ids]) -> None:
    """Read one prompt after another, as questions come that are answered by a token."""
    for prompt in prompts:
        engine.prefill(prompt, 1)


def ratio(ours: Callable[[], None], peer: Callable[[], None], runs: int) -> str:
    """Return how many times as fast ours is, run in turn: the median and the range."""
    ratios = []
    for _ in range(runs):
        times = []
        for run in (peer, ours):
            started = time.perf_counter()
            run()
            times.append(time.perf_counter() - started)
        ratios.append(times[0] / times[1])
    ratios.sort()
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        from tests.benchmarks.gpt2_124m import write_gpt2

        folder = write_gpt2(given.folder or Path(temporary))
        os.environ["RAGCLI_CACHE"] = str(folder / "cache")
        engine = open_language_model(ModelFolder("gpt2", folder), given.precision)
        assert isinstance(engine, OnnxModel)
        rng = np.random.default_rng(0)
        prompts = [rng.integers(0, 50000, rng.integers(200, 501)).tolist() for _ in range(given.prompts)]
        prompt = rng.integers(0, 50000, 400).tolist()
        print("| what | times as fast |\n|---|---|")
        some = ratio(lambda: together(engine, prompts), lambda: one_by_one(engine, prompts), given.runs)
        print(f"| {given.prompts} prompts together, one by one | {some} |", flush=True)
        alike = [prompt + rng.integers(0, 50000, 100).tolist() for _ in range(5)]
        unlike = [rng.integers(0, 50000, 500).tolist() for _ in range(5)]
        some = ratio(lambda: read(engine, alike), lambda: read(engine, unlike), given.runs)
        print(f"| 5 prompts of 500 tokens, of which all share 400 or none | {some} |", flush=True)
        for name, write in (("quoting", quote), ("inventing", invent)):
            found = ratio(partial(write, engine, prompt, True), partial(write, engine, prompt, False), given.runs)
            print(f"| {QUOTE} tokens {name}, with guesses and without, prefill of 400 included | {found} |", flush=True)


if __name__ == "__main__":
    main()
