"""A language model on ONNX Runtime, on the CPU, without torch."""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ragcli.decoder.families import open_checkpoint
from ragcli.decoder.family import FamilyCheckpoint, Precision, ids_of
from ragcli.decoder.runner import Runner
from ragcli.models import ModelFolder
from ragcli.ort import open_graphs
from ragcli.ort.quantization import Matrix
from ragcli.tokenizer import check_vocabulary

Logits = NDArray[np.float32]
Note = Callable[[str], None]

AUTO: Precision = "int8"
_PREFILL = 256  # tokens read at once, so that activations stay in the processor's cache
_CHUNK = 128  # tokens whose logits are in memory at once when all are wanted


class OnnxModel:
    """A model, its tokenizer, and the key/value state of the current rows."""

    def __init__(
        self, folder: ModelFolder, config: dict[str, Any], precision: Precision | Literal["auto"], note: Note
    ) -> None:
        """Load the model, after preparing its graphs the first time.

        Raises RagcliError for a model that is damaged or does not match its config.json.
        """
        self.name = folder.name
        self._checkpoint = open_checkpoint(folder, config)
        sizes = self._checkpoint.sizes
        self._tokenizer = self._checkpoint.read_tokenizer()
        check_vocabulary(folder, self._tokenizer, sizes.vocab_size)
        self.context = sizes.context
        self.end_ids = _end_ids(folder, config, self._checkpoint)
        self._tokens: list[int] = []  # the tokens of a single row; not tracked for several rows
        self._runner = _open_runner(self._checkpoint, AUTO if precision == "auto" else precision, note)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a prompt, with the model's leading special tokens."""
        return list(self._tokenizer.encode(text).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids without special tokens; an incomplete character becomes U+FFFD."""
        return str(self._tokenizer.decode(list(ids)))

    def prefill(self, prompt_ids: Sequence[int], rows: int) -> Logits:
        """Read the prompt once, and return the logits (rows, vocab) that follow it; the old state is lost.

        Tokens that a single row shares with the beginning of the prompt are not read again.
        """
        shared = _shared(self._tokens, prompt_ids[:-1])
        if shared:
            self.rewind(len(self._tokens) - shared)
        else:
            self._reset(1, len(prompt_ids) + 1)
        logits = self._read(0, prompt_ids)
        if rows > 1:
            self._tokens = []
            self._runner.repeat(rows)
        return np.repeat(logits, rows, axis=0)

    def step(self, token_ids: Sequence[int]) -> Logits:
        """Add one token to each row and return the logits (rows, vocab) that follow."""
        return self.step_all(token_ids)

    def prefill_all(self, prompts: Sequence[Sequence[int]], new_tokens: int = 1) -> Logits:
        """Read a prompt into each row, after a reset; return the logits (rows, vocab) that follow.

        The prompts are read one by one: a padded batch would be no faster. The tokens that a prompt shares with the one
        before are copied. If more than `new_tokens` are added, the buffers have to grow.
        """
        self._reset(len(prompts), max(map(len, prompts)) + new_tokens)
        logits = [self._read(0, prompts[0])]
        for row, (before, prompt_ids) in enumerate(pairwise(prompts), 1):
            self._runner.copy(row - 1, row, _shared(before, prompt_ids[:-1]))
            logits.append(self._read(row, prompt_ids))
        return np.concatenate(logits)

    def step_all(self, token_ids: Sequence[int | None]) -> Logits:
        """Add one token to each row; rows with None have ended, and their logits are meaningless."""
        begins = self._runner.lengths
        ids = np.array([[token or 0] for token in token_ids], dtype=np.int64)
        added = np.array([token is not None for token in token_ids], dtype=np.int32)
        logits = self._runner.run(self._embed(ids, begins), added, np.arange(len(ids)))
        if len(ids) == 1:
            self._tokens += [token for token in token_ids if token is not None]
        return logits

    def verify(self, token_ids: Sequence[int]) -> Logits:
        """Add tokens to the single row; return the logits (tokens, vocab) that follow each."""
        return self._add(0, token_ids, range(len(token_ids)))

    def rewind(self, tokens: int) -> None:
        """Remove the last tokens of the single row."""
        del self._tokens[len(self._tokens) - tokens :]
        self._runner.lengths[0] = len(self._tokens)

    def log_probabilities(self, ids: Sequence[int], start: int) -> NDArray[np.float32]:
        """Return the natural log-probabilities of ids[start:], each given all tokens before it.

        `start` is at least 1, and `ids` fit into the context. The state of the rows is lost.
        """
        self._reset(1, len(ids))
        found = [np.zeros(0, dtype=np.float32)]
        for begin in range(0, len(ids) - 1, _CHUNK):
            chunk = ids[begin : min(begin + _CHUNK, len(ids) - 1)]
            wanted = range(max(start - 1 - begin, 0), len(chunk))
            logits = self._add(0, chunk, wanted)
            found.append(_chosen(logits, ids[begin + wanted.start + 1 : begin + len(chunk) + 1]))
        return np.concatenate(found)

    def _reset(self, rows: int, positions: int) -> None:
        """Begin empty rows with an initial capacity."""
        self._tokens = []
        self._runner.reset(rows, min(positions, self.context))

    def _read(self, row: int, prompt_ids: Sequence[int]) -> Logits:
        """Read the part of a prompt that a row does not have yet; return the logits (1, vocab) that follow."""
        for begin in range(self._runner.lengths[row], len(prompt_ids), _PREFILL):
            chunk = prompt_ids[begin : begin + _PREFILL]
            is_last = begin + len(chunk) == len(prompt_ids)
            logits = self._add(row, chunk, [len(chunk) - 1] if is_last else [])
        return logits

    def _add(self, row: int, ids: Sequence[int], wanted: Sequence[int]) -> Logits:
        """Add tokens to a row; return the logits at the wanted positions."""
        lengths = self._runner.lengths
        embeddings = self._embed(np.array([ids], dtype=np.int64), lengths[row : row + 1])
        logits = self._runner.run_row(row, embeddings, np.array(wanted, dtype=np.int64))
        if len(lengths) == 1:
            self._tokens += ids
        return logits

    def _embed(self, ids: NDArray[np.int64], begins: NDArray[np.int32]) -> Matrix:
        """Return the embeddings (rows, tokens, hidden size) of ids (rows, tokens) from these positions on."""
        positions = begins[:, np.newaxis] + np.arange(ids.shape[1])
        positions = np.minimum(positions, self.context - 1)  # a row that has ended may be full
        return self._checkpoint.embed(ids, positions)


def _shared(a: Sequence[int], b: Sequence[int]) -> int:
    """Return the length of the common prefix."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))


def _chosen(logits: Logits, ids: Sequence[int]) -> Logits:
    """Return the log-probability of one token a row."""
    largest = logits.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(logits, np.array(ids, dtype=np.int64).reshape(-1, 1), axis=1) - largest
    logits -= largest
    total = np.exp(logits, out=logits).sum(axis=1, dtype=np.float64)
    return np.asarray(chosen[:, 0] - np.log(total), dtype=np.float32)


def _open_runner(checkpoint: FamilyCheckpoint, precision: Precision, note: Note) -> Runner:
    """Load the graphs, after preparing them the first time."""
    return open_graphs(
        checkpoint.files,
        checkpoint.identity,
        precision,
        write=lambda folder: checkpoint.write_graph(precision, folder),
        load=lambda folder: Runner(folder, checkpoint.sizes),
        note=note,
    )


def _end_ids(folder: ModelFolder, config: dict[str, Any], checkpoint: FamilyCheckpoint) -> frozenset[int]:
    """Return the end tokens of generation_config.json, else of config.json, else of the family."""
    try:
        chosen = json.loads((folder.path / "generation_config.json").read_bytes()).get("eos_token_id")
    except (OSError, ValueError, AttributeError):
        return ids_of(config["eos_token_id"]) if "eos_token_id" in config else checkpoint.end_ids
    return ids_of(chosen)
