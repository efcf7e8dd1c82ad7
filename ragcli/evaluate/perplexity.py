"""Measure a language model on texts: bits per byte, and perplexity per token, with a sliding window."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ragcli.callbacks import Callbacks
from ragcli.counts import counted
from ragcli.documents import Document
from ragcli.errors import RagcliError
from ragcli.evaluate.report import Report, Values, describe_file, new_report, printable
from ragcli.generate import LanguageModel, damaged_weights
from ragcli.readers import FieldNames, find_inputs, is_json_lines, read_documents, read_text

MEASURES = ("bits_per_byte", "perplexity")
_MOST_NATS = 700.0  # whose exponential is still finite


class Text(NamedTuple):
    """Hold a text and its name."""

    id: str
    text: str


class Loss(NamedTuple):
    """Hold the negative log-likelihood of a text in nats, its predicted tokens, and its bytes."""

    nats: float
    tokens: int
    bytes: int


class _Texts:
    """Yield the documents of a JSON Lines file (gzip too), or any other file as one text.

    Counts rejected lines. Raises RagcliError for a file that cannot be read or is not UTF-8.
    """

    def __init__(self, path: Path) -> None:
        self.rejected = 0
        self._path = path
        self._inputs = find_inputs([path])

    def __iter__(self) -> Iterator[Text]:
        if not is_json_lines(self._path):
            yield Text(printable(self._path.name), read_text(self._path))
            return
        for item in read_documents(self._inputs, FieldNames()):
            if isinstance(item, Document):
                yield Text(item.id, item.text)
            else:
                self.rejected += 1


def windows(n: int, size: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Yield (begin, first, end) for `n` tokens: the tokens first to end are predicted from those since begin.

    Each token except the first is predicted once; windows have at most `size` tokens and advance by `stride`.
    """
    first = 1
    for begin in range(0, n, stride):
        end = min(begin + size, n)
        if first < end:
            yield begin, first, end
        first = end
        if end == n:
            return


def loss(engine: LanguageModel, text: str, size: int, stride: int) -> Loss:
    """Measure a model on a text; its first token is not predicted.

    Raises RagcliError for a model whose weights are damaged.
    """
    ids = engine.encode(text)
    nats = [
        -float(engine.log_probabilities(ids[begin:end], first - begin).sum(dtype="float64"))
        for begin, first, end in windows(len(ids), size, stride)
    ]
    if not all(map(math.isfinite, nats)):
        raise damaged_weights(engine)
    return Loss(math.fsum(nats), max(0, len(ids) - 1), len(text.encode()))


def evaluate_perplexity(
    path: Path,
    engine: LanguageModel,
    size: int | None = None,
    stride: int | None = None,
    limit: int | None = None,
    callbacks: Callbacks[int] = Callbacks(),
) -> Report:
    """Measure a model on each text of a file, and on all together by their total tokens and bytes.

    `size` is the window in tokens, by default the model's context, `stride` half of it. Raises RagcliError for an
    invalid window, and if no text has two tokens.
    """
    started = time.perf_counter()
    size, stride = _window(engine, size, stride)
    losses: dict[str, Loss] = {}
    texts = _Texts(path)
    for text in islice(texts, limit):
        name = text.id if text.id not in losses else f"{text.id} #{len(losses)}"
        losses[name] = loss(engine, text.text, size, stride)
        callbacks.progress(len(losses))
    total = _sum(losses.values())
    if texts.rejected:
        rejected = counted(texts.rejected, "line was rejected", "lines were rejected")
        callbacks.note(f"{path.name}: {rejected}")
    if not total.tokens:
        raise RagcliError(f"{path} contains no text of two tokens or more", "Give a longer text.")
    return new_report(
        "eval perplexity",
        data={"text": describe_file(path), "limit": limit},
        settings={"model": engine.name, "window": size, "stride": stride},
        queries=len(losses),
        metrics=measures(total),
        per_query={name: measures(one) for name, one in losses.items()},
        skipped={"rejected_documents": texts.rejected} if texts.rejected else {},
        details={"tokens": total.tokens, "bytes": total.bytes},
        seconds=round(time.perf_counter() - started, 3),
    )


def _window(engine: LanguageModel, size: int | None, stride: int | None) -> tuple[int, int]:
    size = engine.context if size is None else size
    stride = max(1, size // 2) if stride is None else stride
    if not 2 <= size <= engine.context or not 1 <= stride < size:
        raise RagcliError(
            f"a window of {size} tokens with stride {stride} does not fit {engine.name}",
            f"The window has 2 to {engine.context} tokens, and the stride is at least 1 and less than the window.",
        )
    return size, stride


def _sum(losses: Iterable[Loss]) -> Loss:
    parts: Sequence[Loss] = list(losses)
    return Loss(math.fsum(p.nats for p in parts), sum(p.tokens for p in parts), sum(p.bytes for p in parts))


def measures(found: Loss) -> Values:
    """Return bits per byte, nats / (ln 2 · bytes), and token perplexity, exp(nats / tokens); None without tokens."""
    if not found.tokens:
        return {"bits_per_byte": None, "perplexity": None}
    return {
        "bits_per_byte": found.nats / (math.log(2) * found.bytes),
        "perplexity": math.exp(min(found.nats / found.tokens, _MOST_NATS)),
    }
