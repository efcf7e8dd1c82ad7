"""Measure tokens a second of `ragcli train` beside transformers' Trainer: same model, batch, precision and data.

python -m tests.benchmarks.training [--layers 6 --heads 6 --width 384 --steps 8 --runs 3]; needs accelerate.
"""

import argparse
import statistics
import tempfile
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

from ragcli.train.config import TrainConfig
from ragcli.train.loop import batch, compiled, new_optimizer, take_step
from ragcli.train.model import has_bfloat16
from ragcli.train.packing import Rows

CONTEXT, VOCABULARY, BATCH, RATE = 512, 8192, 8, 1e-3


def new_model(options: argparse.Namespace, activation: str) -> Any:
    """Make the model that both train. `train` turns `gelu_new` into `gelu_pytorch_tanh`, the same in one kernel."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=options.width, n_layer=options.layers, n_head=options.heads,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, activation_function=activation,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def ours(rows: Rows, options: argparse.Namespace) -> list[float]:
    """Return the seconds of each step of the loop, compiled beforehand."""
    model, plan = new_model(options, "gelu_pytorch_tanh"), TrainConfig((), batch=BATCH)
    optimizer = new_optimizer(model, RATE)
    step = partial(take_step, model, optimizer, compiled(model, rows, plan))
    return [timed(step, [batch(rows, plan, number)]) for number in range(options.steps)]


def timed(step: Any, batches: Any) -> float:
    """Return the seconds of one step."""
    started = time.perf_counter()
    step(batches, RATE)
    return time.perf_counter() - started


class Clock(TrainerCallback):
    """Note when Trainer ends a step."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())


def theirs(rows: Rows, options: argparse.Namespace) -> list[float]:
    """Return the seconds of each step of Trainer but the first."""
    examples = [{"input_ids": row[:-1].tolist(), "labels": row[:-1].tolist()} for row in rows.tokens]
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, per_device_train_batch_size=BATCH, max_steps=options.steps + 1, learning_rate=RATE,
            bf16=has_bfloat16(), use_cpu=True, report_to=[], save_strategy="no", logging_strategy="no",
            disable_tqdm=True,
        )  # fmt: skip
        Trainer(
            model=new_model(options, options.activation), args=arguments, train_dataset=examples, callbacks=[clock]
        ).train()
    return [end - start for start, end in pairwise(clock.ends)]


def main() -> None:
    """Run both in turn, and print tokens a second and their ratio."""
    parser = argparse.ArgumentParser()
    for name, value in (("layers", 6), ("heads", 6), ("width", 384), ("steps", 8), ("runs", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--activation", default="gelu_new", help="of Trainer's model; gelu_new is GPT-2's own")
    options = parser.parse_args()
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (64, CONTEXT + 1)).astype(np.int32)
    rows = Rows(tokens, tokens)
    size, ratios = BATCH * CONTEXT, []
    print("| ragcli, tok/s | Trainer, tok/s | ratio |\n|---|---|---|")
    for _ in range(options.runs):
        our_rate, their_rate = (size / statistics.median(run(rows, options)) for run in (ours, theirs))
        ratios.append(our_rate / their_rate)
        print(f"| {our_rate:,.0f} | {their_rate:,.0f} | {ratios[-1]:.2f} |", flush=True)
    print(f"\nmedian ratio {statistics.median(ratios):.2f}; model in {Path(__file__).name}: {options}")


if __name__ == "__main__":
    main()
