"""Run a reader's graph on ONNX Runtime, without torch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ragcli.encoder.checkpoint import Checkpoint, read_config
from ragcli.encoder.engine import Precision, open_encoder_graph
from ragcli.encoder.texts import groups
from ragcli.errors import RagcliError
from ragcli.models import ModelFolder, find_model, read_json
from ragcli.ort.parallel import in_parallel
from ragcli.ort.quantization import Matrix
from ragcli.reader.inputs import LONGEST_HEADING, LONGEST_QUESTION, LONGEST_TEXT, Block, Input, build_inputs
from ragcli.tokenizer import check_vocabulary, read_wordpiece
from ragcli.warm import opened

Note = Callable[[str], None]

# The folders of the packaged readers by the language that they read.
PACKAGED = {language: Path(__file__).parent / "weights" / language for language in ("en", "zh")}

_OUTPUTS = 3  # begin and end of the answer, and at the first token, whether the text answers
_LONGEST = LONGEST_QUESTION + LONGEST_HEADING + LONGEST_TEXT + 4
_LONGEST_ANSWER = 60  # tokens
_NAME_ONE = "Name a reader made by `ragcli train --reader`, or for training a BERT encoder to start from."
_CHOOSE = "Choose a reader made by `ragcli train --reader`, or leave the option out."


class Reading(NamedTuple):
    """Hold a reader's result for a block.

    `score` is the log odds that this block answers rather than none; text[start:end] are the words that answer, with
    their `probability` if the block answers.
    """

    score: float
    start: int
    end: int
    probability: float


class Reader:
    """A reader: its checkpoint, its tokenizer, and the session of its graph."""

    def __init__(self, folder: ModelFolder, precision: Precision, note: Note) -> None:
        """Load the model, after preparing its graph the first time. Raises RagcliError."""
        config = read_json(folder.path / "config.json")
        labels = config.get("id2label")
        if config.get("architectures") != ["BertForTokenClassification"] or not _has_outputs(labels):
            raise RagcliError(f"{folder.name} is not a reader", _CHOOSE)
        self.name = folder.name
        width = read_config(folder, config).hidden_size
        head = {"classifier.weight": (_OUTPUTS, width), "classifier.bias": (_OUTPUTS,)}
        self._checkpoint = checkpoint = Checkpoint(folder, config, head)
        if checkpoint.config.longest < _LONGEST:
            message = f"{folder.name} reads {checkpoint.config.longest} tokens, a reader must read {_LONGEST}"
            raise RagcliError(message, _CHOOSE)
        self._weight, self._bias = checkpoint["classifier.weight"].T, checkpoint["classifier.bias"]
        self._tokenizer = read_wordpiece(folder)
        check_vocabulary(folder, self._tokenizer, checkpoint.config.vocab_size)
        self._session = open_encoder_graph(checkpoint, "none", precision, note)

    def read(self, question: str, blocks: Sequence[Block]) -> list[Reading]:
        """Return a reading of each block, a pair of heading path and text. Raises RagcliError.

        Blocks with the same number of tokens are batched, so that there is no padding.
        """
        inputs = build_inputs(self._tokenizer, question, blocks)
        readings: list[Reading] = [Reading(-np.inf, 0, 0, 0.0)] * len(inputs)

        def read(places: list[int]) -> None:
            logits = self._logits([inputs[place] for place in places])
            for place, rows in zip(places, logits, strict=True):
                readings[place] = _reading(rows, inputs[place])

        in_parallel(read, groups([len(entry.ids) for entry in inputs]))
        return readings

    def _logits(self, inputs: Sequence[Input]) -> Matrix:
        """Return the outputs (rows, tokens, 3) of inputs of the same length."""
        ids = np.array([entry.ids for entry in inputs], dtype=np.int64)
        types = np.array([entry.types for entry in inputs], dtype=np.int64)
        [states] = self._session.run(None, {"embeddings": self._checkpoint.embed(ids, types)})
        logits = states @ self._weight + self._bias
        if not np.isfinite(logits).all():
            raise RagcliError(f"{self.name} gives scores that are not finite", "Copy or download the model again.")
        return np.asarray(logits, dtype=np.float32)


def _has_outputs(labels: object) -> bool:
    return isinstance(labels, dict) and len(labels) == _OUTPUTS


def _reading(logits: Matrix, entry: Input) -> Reading:
    """Return the reading of a block from its logits (tokens, 3)."""
    count = len(entry.offsets)
    if not count:
        return Reading(-np.inf, 0, 0, 0.0)
    begins, ends = logits[entry.begin : entry.begin + count, :2].T
    all_begins, all_ends = _log_sum(begins), _log_sum(ends)
    first, last = _best_span(begins, ends)
    sure = float(np.exp(begins[first] - all_begins + ends[last] - all_ends))
    score = float(logits[0, 2]) + all_begins + all_ends
    return Reading(score, entry.offsets[first][0], entry.offsets[last][1], sure)


def _log_sum(values: Matrix) -> float:
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))


def _best_span(begins: Matrix, ends: Matrix) -> tuple[int, int]:
    """Return the first and last token of the best span that is not too long; of equals, the first."""
    both = begins[:, np.newaxis] + ends[np.newaxis, :]
    places = np.arange(len(begins))
    length = places[np.newaxis, :] - places[:, np.newaxis]
    both[(length < 0) | (length >= _LONGEST_ANSWER)] = -np.inf
    first, last = np.unravel_index(int(np.argmax(both)), both.shape)
    return int(first), int(last)


def find_reader(name: str | None, language: str) -> ModelFolder:
    """Find the folder of a reader by its name or path, by default the language's packaged one. Raises RagcliError."""
    if name is not None:
        return find_model(name, allow_fallback=False)
    if language not in PACKAGED:
        known = " and ".join(PACKAGED)
        raise RagcliError(f"there is no packaged reader for the language {language}, only for {known}", _NAME_ONE)
    return ModelFolder(f"the packaged reader for {language}", PACKAGED[language])


def open_reader(
    name: str | None = None, language: str = "en", precision: Precision = "auto", note: Note = lambda _: None
) -> Reader:
    """Open a reader by its name or path, by default the language's packaged one. Raises RagcliError."""
    folder = find_reader(name, language)
    return opened(folder, f"reader {precision}", lambda: Reader(folder, precision, note))
