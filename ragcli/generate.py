"""Turn a prompt into text with any engine: the one loop, stop conditions, and streaming by whole characters."""

import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ragcli.decoder.sampling import Sampling, next_tokens, only, row_generator
from ragcli.decoder.speculation import Lookahead, Verifying
from ragcli.errors import RagcliError
from ragcli.models import ModelFolder

Logits = NDArray[np.float32]
Allowed = Callable[[Sequence[int]], Sequence[int]]

Ended = Literal["end", "stop", "length", "context"]
Precision = Literal["auto", "float32", "int8", "int4"]

_BATCH = 32  # prompts that are continued together at most: each holds keys and values
_PROMPT_TAIL = 6  # tokens of the prompt that the first new ones are decoded with


def _ignore(_: str) -> None:
    pass


class LanguageModel(Protocol):
    """Run a language model: text to token ids and back, and the logits that follow the tokens so far.

    It holds the key/value state of the rows that are being written; `prefill` begins anew. `context` is how many
    tokens fit, prompt and new ones together; `end_ids` are the tokens that end a text.
    """

    name: str
    context: int
    end_ids: frozenset[int]

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids; an unfinished character becomes U+FFFD."""

    def prefill(self, prompt_ids: Sequence[int], rows: int) -> Logits:
        """Read a prompt of one token or more; return the logits (rows, vocab) that follow it, all rows equal."""

    def step(self, token_ids: Sequence[int]) -> Logits:
        """Add one token to each row; return the logits (rows, vocab) that follow."""

    def log_probabilities(self, ids: Sequence[int], start: int) -> NDArray[np.float32]:
        """Return the natural log-probabilities of ids[start:], each given all tokens before it.

        `start` is at least 1, and `ids` fit into the context. The state of the rows is forgotten.
        """


@runtime_checkable
class Batching(Protocol):
    """Do what an engine does for rows of different prompts."""

    def prefill_all(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Logits:
        """Read prompts of one token or more, a row each; return the logits (rows, vocab) that follow them.

        `new_tokens` is how many will probably be added to each.
        """

    def step_all(self, token_ids: Sequence[int | None]) -> Logits:
        """Add one token to each row but those with None, which have ended and whose logits mean nothing."""


class Options(NamedTuple):
    """Say how much to generate and how; row i depends on `seed` and i, not on the number of `rows`."""

    max_new_tokens: int = 100
    sampling: Sampling = Sampling()
    seed: int = 0
    rows: int = 1
    stop: tuple[str, ...] = ()


class Completion(NamedTuple):
    """Hold a generated text, its number of tokens without the end token, and what ended it."""

    text: str
    tokens: int
    ended: Ended


def open_language_model(
    folder: ModelFolder, precision: Precision = "auto", note: Callable[[str], None] = _ignore
) -> LanguageModel:
    """Open the engine that runs a model: GPT-2 on ONNX Runtime, all else, and what that cannot run, by transformers.

    `note` gets what the user should know. Raises RagcliError for a model that cannot be loaded, or not so precisely.
    """
    from ragcli.decoder.families import runs_here
    from ragcli.decoder.onnx_model import OnnxModel

    config = _read_config(folder)
    if runs_here(config):
        return OnnxModel(folder, config, precision, note)
    if precision not in ("auto", "float32"):
        raise RagcliError(f"{folder.name} runs at float32 only: it is no GPT-2", "Leave out --precision.")
    try:
        from ragcli.decoder.transformers_model import TransformersModel
    except ModuleNotFoundError as error:
        message = f"{folder.name} is no GPT-2 and needs the package {error.name}, which is not installed"
        raise RagcliError(message, "Install it: pip install 'ragcli[torch]'.") from error
    return TransformersModel(folder)


def _read_config(folder: ModelFolder) -> dict[str, Any]:
    """Return config.json, or nothing where it cannot be read: transformers says why."""
    try:
        config = json.loads((folder.path / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def new_seed() -> int:
    """Return a random seed of at most nine digits."""
    return secrets.randbelow(10**9)


def count_tokens(engine: LanguageModel, text: str) -> int:
    """Return how many tokens a prompt takes."""
    return len(_encode(engine, text))


def complete(
    engine: LanguageModel,
    prompt: str,
    options: Options,
    emit: Callable[[str], None] | None = None,
    allowed: Allowed | None = None,
) -> list[Completion]:
    """Continue a prompt, once for each row.

    `emit` gets the first row's text in pieces as it grows: whole characters, nothing of a stop string, together the
    completion's text. `allowed` says which tokens may follow those of a row so far. Raises RagcliError for a prompt
    that leaves no room, or that is empty where the model has no token to begin with.
    """
    prompt_ids = _prompt_ids(engine, prompt)
    room = engine.context - len(prompt_ids)
    rows = [_Row(engine, prompt_ids, options, i, emit if i == 0 else None) for i in range(options.rows)]
    step = engine.step
    if options.rows == 1 and isinstance(engine, Verifying):
        step = Lookahead(engine, prompt_ids).step
    for n in range(min(options.max_new_tokens, room)):
        logits = step([row.last for row in rows]) if n else _checked(engine, engine.prefill(prompt_ids, options.rows))
        _choose(rows, logits, options.sampling, [allowed] * len(rows) if allowed else ())
        if all(row.ended for row in rows):
            break
    return [row.finish("length" if options.max_new_tokens <= room else "context") for row in rows]


def complete_all(
    engine: LanguageModel, prompts: Sequence[str], options: Options, allowed: Sequence[Allowed] = ()
) -> list[Completion]:
    """Continue each prompt as `complete` does with one row, many together where the engine can; raises the same.

    `allowed`, where given, has for each prompt what `complete` takes.
    """
    if not isinstance(engine, Batching):
        one = options._replace(rows=1)
        rules: Sequence[Allowed | None] = allowed or [None] * len(prompts)
        return [complete(engine, text, one, None, rule)[0] for text, rule in zip(prompts, rules, strict=True)]
    groups = (slice(at, at + _BATCH) for at in range(0, len(prompts), _BATCH))
    return [one for group in groups for one in _complete_group(engine, engine, prompts[group], options, allowed[group])]


def _complete_group(
    engine: LanguageModel, batching: Batching, prompts: Sequence[str], options: Options, allowed: Sequence[Allowed]
) -> list[Completion]:
    """Continue prompts together; both engines are the same one."""
    ids = [_prompt_ids(engine, prompt) for prompt in prompts]
    rows = [_Row(engine, prompt_ids, options, 0, None) for prompt_ids in ids]
    rooms = [engine.context - len(prompt_ids) for prompt_ids in ids]
    ends: list[Ended] = ["length" if options.max_new_tokens <= room else "context" for room in rooms]
    for n in range(min(options.max_new_tokens, max(rooms))):
        for row, room, end in zip(rows, rooms, ends, strict=True):
            if n == room:
                row.finish(end)
        if all(row.ended for row in rows):
            break
        last = [None if row.ended else row.last for row in rows]
        logits = batching.step_all(last) if n else _checked(engine, batching.prefill_all(ids, options.max_new_tokens))
        _choose(rows, logits, options.sampling, allowed)
    return [row.finish(end) for row, end in zip(rows, ends, strict=True)]


def _checked(engine: LanguageModel, logits: Logits) -> Logits:
    """Return the first logits. Raises RagcliError where they are no numbers."""
    if not np.isfinite(logits.max()):
        raise damaged_weights(engine)
    return logits


def damaged_weights(engine: LanguageModel) -> RagcliError:
    """Make the error for a model whose logits or probabilities are no numbers."""
    return RagcliError(f"{engine.name} answers with what is no number: its weights are damaged", "Download it again.")


def _choose(rows: "Sequence[_Row]", logits: Logits, sampling: Sampling, allowed: Sequence[Allowed]) -> None:
    """Add a token to each row that has not ended; `allowed` is empty or holds a rule for each row."""
    alive = [i for i, row in enumerate(rows) if not row.ended]
    generated, rngs = [rows[i].tokens for i in alive], [rows[i].rng for i in alive]
    scores = logits[alive]
    if allowed:
        rules = [allowed[i] for i in alive]
        scores = np.stack([only(row, rule(own)) for row, rule, own in zip(scores, rules, generated, strict=True)])
    for i, token in zip(alive, next_tokens(scores, generated, sampling, rngs), strict=True):
        rows[i].add(token)


def _encode(engine: LanguageModel, text: str) -> list[int]:
    # A command line may bring bytes that are no UTF-8 as lone surrogates, which no tokenizer takes.
    return engine.encode(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))


def _prompt_ids(engine: LanguageModel, prompt: str) -> list[int]:
    ids = _encode(engine, prompt) or sorted(engine.end_ids)[:1]
    if not ids:
        raise RagcliError(f"the prompt is empty, and {engine.name} has no token to begin with", "Give it some text.")
    if len(ids) >= engine.context:
        message = (
            f"the prompt has {len(ids)} tokens, and {engine.name} takes {engine.context} with at least one new one"
        )
        raise RagcliError(message, "Shorten the prompt, or choose a model with a longer context.")
    return ids


class _Row:
    """Grow one sequence; `last` is the token to step with, `ended` says why it takes no more."""

    def __init__(
        self, engine: LanguageModel, prompt_ids: list[int], options: Options, i: int, emit: Callable[[str], None] | None
    ) -> None:
        self.tokens: list[int] = []
        self.last = 0
        self.ended: Ended | None = None
        self.rng = row_generator(options.seed, i)
        self._end_ids = engine.end_ids
        self._detokenizer = _Detokenizer(engine.decode, prompt_ids)
        self._filter = _StopFilter(options.stop)
        self._emit = emit
        self._pieces: list[str] = []

    def add(self, token: int) -> None:
        """Take the next token, and tell what is certain of the text."""
        self.last = token
        if token in self._end_ids:
            self._end("end")
            return
        self.tokens.append(token)
        self._tell(self._filter.add(self._detokenizer.add(token)))
        if self._filter.stopped:
            self.ended = "stop"

    def finish(self, limit: Ended) -> Completion:
        """Return the whole; `limit` is what ended a row that did not end itself."""
        ended = self.ended or self._end(limit)
        return Completion("".join(self._pieces), len(self.tokens), ended)

    def _end(self, reason: Ended) -> Ended:
        """Tell what was held back."""
        self._tell(self._filter.add(self._detokenizer.flush()))
        self._tell(self._filter.flush())
        self.ended = "stop" if self._filter.stopped else reason
        return self.ended

    def _tell(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            if self._emit:
                self._emit(piece)


class _Detokenizer:
    """Turn tokens into text piece by piece, each piece of whole characters, in linear time.

    Some characters are several tokens, and some tokenizers drop a blank where what they decode begins. So tokens are
    decoded together with those of the piece before, whose text is then cut off (as vLLM and TGI do).
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], prompt_ids: Sequence[int]) -> None:
        self._decode = decode
        self._ids = list(prompt_ids[-_PROMPT_TAIL:])
        while decode(self._ids).startswith("\ufffd"):  # the tail begins within a character
            del self._ids[0]
        self._begin_piece()

    def add(self, token: int) -> str:
        """Return the text that this token completes."""
        self._ids.append(token)
        text = self._pending()
        if not text or text.endswith("\ufffd"):
            return ""
        del self._ids[: self._told]
        self._begin_piece()
        return text

    def flush(self) -> str:
        """Return the text that was held back: an unfinished character, as U+FFFD."""
        return self._pending()

    def _begin_piece(self) -> None:
        self._told = len(self._ids)
        self._known = len(self._decode(self._ids))

    def _pending(self) -> str:
        return self._decode(self._ids)[self._known :]


class _StopFilter:
    """Pass text on up to the first stop string, and hold back an end that may become one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self.stopped = False
        self._stops = [stop for stop in stops if stop]
        self._held = ""

    def add(self, piece: str) -> str:
        """Return what is certain to come before a stop string."""
        text = self._held + piece
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        self.stopped = bool(found)
        certain = min(found) if found else len(text) - self._doubtful(text)
        self._held = "" if found else text[certain:]
        return text[:certain]

    def flush(self) -> str:
        """Return what was held back, now that nothing follows."""
        return self._held

    def _doubtful(self, text: str) -> int:
        """Return the length of the longest end of `text` that begins a stop string."""
        return max((n for stop in self._stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)
