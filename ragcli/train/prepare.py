"""Prepare a training: model, tokenizer, rows for training and validation, and the metadata that describes them."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ragcli import __version__
from ragcli.counts import counted
from ragcli.errors import RagcliError, UsageError
from ragcli.evaluate.report import describe_file, machine
from ragcli.models import ModelFolder, weight_files
from ragcli.search import Searcher
from ragcli.store import IndexLocation
from ragcli.train.config import TrainConfig, check
from ragcli.train.data import Split, Text, read_texts, split_texts
from ragcli.train.model import ModelBundle, bits_per_byte, device, extend_embeddings, new_model, open_model
from ragcli.train.packing import Packed, pack, token_bytes
from ragcli.train.questions import open_passages, prompt_for
from ragcli.train.vocabulary import extend, new_tokenizer

# Peak learning rates at a width of 768; narrower models take more in proportion (Yang et al. 2022).
_TUNING_RATE = 2e-4
_SCRATCH_RATE = 8e-4
_MAX_RATE = 3e-3
_NO_QUESTION = "Is it the index of these questions? A row holds the prompt and 100 tokens more: see --context."


class Passages(NamedTuple):
    """Hold the index with the passages for questions, and whether it was named."""

    place: IndexLocation
    named: bool = False


class Gain(NamedTuple):
    """Hold the untrained model's bits a byte and tokens a character on the validation texts."""

    bits_per_byte: float | None
    tokens_per_character: float | None


class TrainingData(NamedTuple):
    """Hold everything that the loop needs; `sizes` is the number of bytes of each token."""

    bundle: ModelBundle
    training: Packed
    validation: Packed
    split: Split
    rejected: int
    sizes: NDArray[np.int64]
    rate: float
    unextended: Gain | None


def prepare(
    config: TrainConfig, folder: ModelFolder | None, passages: Passages, note: Callable[[str], None]
) -> TrainingData:
    """Read the texts, open or create the model, and pack the texts into rows; without a folder the model is new.

    Raises UsageError for options that contradict each other or the data, RagcliError for unusable data or models.
    """
    check(config)
    texts, rejected = read_texts(config.files, config.filters)
    if rejected:
        note(f"{counted(rejected, 'line without text is', 'lines without text are')} left out")
    split = split_texts(texts, config.val_split, config.seed)
    bundle = _open_bundle(config, folder, split)
    context = _context(config, bundle)
    with _passages(config, passages, texts) as searcher:

        def packed(chosen: Sequence[Text]) -> Packed:
            return _pack(chosen, bundle, context, searcher)

        unextended = None
        if config.extend:
            before = packed(split.validation)
            unextended = _gain(bundle, before, split, config.batch)
            bundle = _extended(bundle, split, config.extend)
        training, validation = packed(split.training), packed(split.validation)
    if not len(training.rows.tokens):
        raise RagcliError("no question has its answer in a passage that fits into a prompt", _NO_QUESTION)
    rate = config.rate or _peak_rate(bundle, from_scratch=folder is None)
    sizes = token_bytes(bundle.tokenizer, bundle.end, bundle.model.config.vocab_size)
    return TrainingData(bundle, training, validation, split, rejected, sizes, rate, unextended)


def _peak_rate(bundle: ModelBundle, from_scratch: bool) -> float:
    rate = _SCRATCH_RATE if from_scratch else _TUNING_RATE
    return min(_MAX_RATE, rate * 768 / float(bundle.model.config.n_embd))


def _open_bundle(config: TrainConfig, folder: ModelFolder | None, split: Split) -> ModelBundle:
    if folder:
        return open_model(folder, config.dropout)
    size = config.scratch
    if size is None:
        raise UsageError("there is no model to train", "Name one with --model, or create one with --from-scratch.")
    tokenizer = new_tokenizer((text.content for text in split.training), size.vocabulary)
    return new_model(tokenizer, size, config.context, config.seed, config.dropout)


def _context(config: TrainConfig, bundle: ModelBundle) -> int:
    most = int(bundle.model.config.n_positions)
    if config.context and config.context > most:
        raise UsageError(f"--context {config.context} is longer than the model's, {most}", f"Give at most {most}.")
    return config.context or most


@contextmanager
def _passages(config: TrainConfig, passages: Passages, texts: Sequence[Text]) -> Iterator[Searcher | None]:
    if all(text.question is None for text in texts):
        yield None
        return
    with open_passages(config.files, passages.place, passages.named) as searcher:
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
    extend_embeddings(bundle.model, extension.pieces, bundle.tokenizer.get_vocab_size())
    return bundle._replace(tokenizer=extension.tokenizer)


def _gain(bundle: ModelBundle, validation: Packed, split: Split, batch: int) -> Gain:
    sizes = token_bytes(bundle.tokenizer, bundle.end, bundle.model.config.vocab_size)
    return Gain(
        bits_per_byte(bundle.model.to(device()), validation.rows, sizes, batch), tokens_per_character(validation, split)
    )


def tokens_per_character(validation: Packed, split: Split) -> float | None:
    """Return the tokens per character of the validation texts."""
    characters = sum(len(text.text) for text in split.validation if text.question is None)
    return validation.counts.tokens / characters if characters else None


def describe(data: TrainingData, config: TrainConfig, folder: ModelFolder | None, command: str) -> dict[str, Any]:
    """Return the metadata of a training: the contents of `training.json`, and what must be unchanged to resume."""
    rows = data.training.rows, data.validation.rows
    digest = hashlib.sha256(b"".join(part.tobytes() for pair in rows for part in pair)).hexdigest()
    files = {described["file"]: described["sha256"] for described in map(describe_file, config.files)}
    weights = {file.name: describe_file(file)["sha256"] for file in weight_files(folder.path)} if folder else {}
    return {
        "command": command,
        "version": __version__,
        "model": {"name": folder.name if folder else None, **weights},
        "data": {**files, "rows": digest},
        "settings": config.settings(),
        "learning_rate": data.rate,
        "texts": survey(data),
        "unextended": data.unextended._asdict() if data.unextended else None,
        "parameters": data.bundle.model.num_parameters(),
        "machine": machine() | {"torch": torch.__version__, "device": str(device())},
    }


def survey(data: TrainingData) -> dict[str, Any]:
    """Return the counts of the data."""
    counts = data.training.counts
    texts = len(data.split.training)
    return {
        "documents": texts,
        "held_out": len(data.split.validation),
        "rejected": data.rejected,
        "duplicates": data.split.duplicates,
        "near_duplicates": data.split.near_duplicates,
        "left_out": counts.left_out + data.validation.counts.left_out,
        "tokens": counts.tokens,
        "rows": len(data.training.rows.tokens),
        "longest": counts.longest,
        "cut": counts.cut / texts,
        "tokens_per_word": counts.tokens / counts.words if counts.words else None,
        "badly_split": counts.split_words / counts.words if counts.words else None,
        "tokens_per_character": tokens_per_character(data.validation, data.split),
    }
