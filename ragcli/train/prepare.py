"""From files to what the loop takes: model, tokenizer, rows to train on, rows held out; and what to say of them."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ragcli import __version__
from ragcli.errors import RagcliError, UsageError
from ragcli.evaluate.report import describe_file, machine
from ragcli.models import ModelFolder, weight_files
from ragcli.search import Searcher
from ragcli.store import IndexLocation
from ragcli.train.config import TrainConfig, check, differences
from ragcli.train.data import Split, Text, read_texts, split_texts
from ragcli.train.model import ModelBundle, bits_per_byte, device, grow, new_model, open_model
from ragcli.train.packing import Packed, pack, token_bytes
from ragcli.train.questions import open_passages, prompt_for
from ragcli.train.vocabulary import extend, new_tokenizer

# Peak learning rates at a width of 768; narrower models take more in proportion (Yang et al. 2022).
_TUNING_RATE = 2e-4
_SCRATCH_RATE = 8e-4
_MOST_RATE = 3e-3
_NO_QUESTION = "Is it the index of these questions? A row holds the prompt and 100 tokens more: see --context."


class Passages(NamedTuple):
    """Say which index holds the passages for questions, and whether it was named."""

    place: IndexLocation
    named: bool = False


class Gain(NamedTuple):
    """Hold what the untrained model makes of the held-out texts: bits a byte, tokens a character."""

    bits_per_byte: float | None
    tokens_per_character: float | None


class TrainingData(NamedTuple):
    """Hold all that the loop takes; `sizes` is how many bytes each token stands for."""

    bundle: ModelBundle
    training: Packed
    held: Packed
    split: Split
    rejected: int
    sizes: NDArray[np.int64]
    rate: float
    unextended: Gain | None


def prepare(
    plan: TrainConfig, folder: ModelFolder | None, passages: Passages, note: Callable[[str], None]
) -> TrainingData:
    """Read the texts, open or make the model, and pack the texts into rows; without a folder the model is new.

    Raises UsageError for options that do not fit together or the data, RagcliError for data or a model of no use.
    """
    check(plan)
    texts, rejected = read_texts(plan.files, plan.filters)
    if rejected:
        note(f"{rejected:,} lines hold no text; left out")
    split = split_texts(texts, plan.val_split, plan.seed)
    bundle = _trainee(plan, folder, split)
    context = _context(plan, bundle)
    with _passages(plan, passages, texts) as searcher:

        def packed(chosen: Sequence[Text]) -> Packed:
            return _pack(chosen, bundle, context, searcher)

        unextended = None
        if plan.extend:
            before = packed(split.held)
            unextended = _gain(bundle, before, split, plan.batch)
            bundle = _extended(bundle, split, plan.extend)
        training, held = packed(split.training), packed(split.held)
    if not len(training.rows.tokens):
        raise RagcliError("no question has its answer in a passage that fits into a prompt", _NO_QUESTION)
    rate = plan.rate or min(_MOST_RATE, (_TUNING_RATE if folder else _SCRATCH_RATE) * 768 / bundle.model.config.n_embd)
    sizes = token_bytes(bundle.tokenizer, bundle.end, bundle.model.config.vocab_size)
    return TrainingData(bundle, training, held, split, rejected, sizes, rate, unextended)


def _trainee(plan: TrainConfig, folder: ModelFolder | None, split: Split) -> ModelBundle:
    if folder:
        return open_model(folder, plan.dropout)
    size = plan.scratch
    if size is None:
        raise UsageError("there is no model to train", "Name one by --model, or make one: --from-scratch.")
    tokenizer = new_tokenizer((text.content for text in split.training), size.vocabulary)
    return new_model(tokenizer, size, plan.context, plan.seed, plan.dropout)


def _context(plan: TrainConfig, bundle: ModelBundle) -> int:
    most = int(bundle.model.config.n_positions)
    if plan.context and plan.context > most:
        raise UsageError(f"--context {plan.context} is longer than the model's, {most}", f"Give at most {most}.")
    return plan.context or most


@contextmanager
def _passages(plan: TrainConfig, passages: Passages, texts: Sequence[Text]) -> Iterator[Searcher | None]:
    if all(text.question is None for text in texts):
        yield None
        return
    with open_passages(plan.files, passages.place, passages.named) as searcher:
        yield searcher


def _pack(texts: Sequence[Text], bundle: ModelBundle, context: int, searcher: Searcher | None) -> Packed:
    def count(text: str) -> int:
        return len(bundle.tokenizer.encode(text).ids)

    return pack(
        texts,
        bundle.tokenizer,
        bundle.end,
        context,
        lambda text: prompt_for(searcher, text, context, count) if searcher else None,
    )


def _extended(bundle: ModelBundle, split: Split, count: int) -> ModelBundle:
    extension = extend(bundle.tokenizer, (text.text for text in split.training), count)
    grow(bundle.model, extension.pieces, bundle.tokenizer.get_vocab_size())
    return bundle._replace(tokenizer=extension.tokenizer)


def _gain(bundle: ModelBundle, held: Packed, split: Split, batch: int) -> Gain:
    sizes = token_bytes(bundle.tokenizer, bundle.end, bundle.model.config.vocab_size)
    return Gain(bits_per_byte(bundle.model.to(device()), held.rows, sizes, batch), tokens_per_character(held, split))


def tokens_per_character(held: Packed, split: Split) -> float | None:
    """Return how many tokens the held-out texts have for each of their characters."""
    characters = sum(len(text.text) for text in split.held if text.question is None)
    return held.counts.tokens / characters if characters else None


def facts(work: TrainingData, plan: TrainConfig, folder: ModelFolder | None, command: str) -> dict[str, Any]:
    """Say what a training is made of: what `training.json` tells, and what must be the same to resume it."""
    rows = work.training.rows, work.held.rows
    digest = hashlib.sha256(b"".join(part.tobytes() for pair in rows for part in pair)).hexdigest()
    files = {described["file"]: described["sha256"] for described in map(describe_file, plan.files)}
    weights = {file.name: describe_file(file)["sha256"] for file in weight_files(folder.path)} if folder else {}
    return {
        "command": command,
        "version": __version__,
        "model": {"name": folder.name if folder else None, **weights},
        "data": {**files, "rows": digest},
        "settings": plan.settings(),
        "learning_rate": work.rate,
        "texts": survey(work),
        "unextended": work.unextended._asdict() if work.unextended else None,
        "parameters": work.bundle.model.num_parameters(),
        "machine": machine() | {"torch": torch.__version__, "device": str(device())},
    }


def survey(work: TrainingData) -> dict[str, Any]:
    """Say what the data are."""
    counts = work.training.counts
    texts = len(work.split.training)
    return {
        "documents": texts,
        "held_out": len(work.split.held),
        "rejected": work.rejected,
        "duplicates": work.split.duplicates,
        "near_duplicates": work.split.near_duplicates,
        "left_out": counts.left_out + work.held.counts.left_out,
        "tokens": counts.tokens,
        "rows": len(work.training.rows.tokens),
        "longest": counts.longest,
        "cut": counts.cut / texts,
        "tokens_per_word": counts.tokens / counts.words if counts.words else None,
        "badly_split": counts.split_words / counts.words if counts.words else None,
        "tokens_per_character": tokens_per_character(work.held, work.split),
    }


def check_same(saved: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise UsageError where a training would be resumed with other data, another model or other settings."""
    found = [line for part in ("model", "data", "settings") for line in differences(saved[part], now[part])]
    if found:
        message = "this training began with other data or settings: " + "; ".join(found)
        raise UsageError(message, "Resume it as it began, or start a new one with another --output.")
