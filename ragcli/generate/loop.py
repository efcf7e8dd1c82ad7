"""The one decoding loop: add a token to each row at a time, for one prompt or several, until all rows have ended."""

from collections.abc import Callable, Generator, Iterator, Sequence

import numpy as np

from ragcli.decoder.sampling import Sampling, next_tokens, only, row_generator
from ragcli.decoder.speculation import Lookahead, Verifying
from ragcli.errors import RagcliError
from ragcli.generate.detokenize import Detokenizer, StopFilter
from ragcli.generate.engine import Batching, LanguageModel, Logits, damaged_weights
from ragcli.generate.options import Completion, Ended, Options

Allowed = Callable[[Sequence[int]], Sequence[int]]

_BATCH = 32  # maximal prompts in a batch, because each needs keys and values


class Row:
    """A text being generated: `last` is its latest token, `ended` why it ended, `most` its maximal tokens."""

    def __init__(
        self, engine: LanguageModel, prompt_ids: list[int], options: Options, i: int, allowed: Allowed | None = None
    ) -> None:
        self.prompt_ids = prompt_ids
        self.tokens: list[int] = []
        self.last = 0
        self.rng = row_generator(options.seed, i)
        self.allowed = allowed
        self.ended: Ended | None = None
        room = engine.context - len(prompt_ids)
        self.most = min(options.max_new_tokens, room)
        self._limit: Ended = "length" if options.max_new_tokens <= room else "context"
        self._end_ids = engine.end_ids
        self._detokenizer = Detokenizer(engine.decode, prompt_ids)
        self._filter = StopFilter(options.stop)
        self._pieces: list[str] = []
        if not self.most:
            self.ended = self._limit

    def add(self, token: int) -> str:
        """Add a token; return the text that is now certain."""
        self.last = token
        if token in self._end_ids:
            return self._keep(self._end("end"))
        self.tokens.append(token)
        piece = self._filter.add(self._detokenizer.add(token))
        if self._filter.stopped:
            self.ended = "stop"
        elif len(self.tokens) == self.most:
            piece += self._end(self._limit)
        return self._keep(piece)

    @property
    def completion(self) -> Completion:
        """Return the completion, once the row has ended."""
        return Completion("".join(self._pieces), len(self.tokens), self.ended or self._limit)

    def _end(self, reason: Ended) -> str:
        """End the row, and return the text held back."""
        piece = self._filter.add(self._detokenizer.flush()) + self._filter.flush()
        self.ended = "stop" if self._filter.stopped else reason
        return piece

    def _keep(self, piece: str) -> str:
        self._pieces.append(piece)
        return piece


def decode(engine: LanguageModel, rows: Sequence[Row], sampling: Sampling) -> Iterator[tuple[int, str]]:
    """Generate all rows to their ends; yield each piece of text with the number of its row.

    The rows share one prompt, or the engine is Batching. Raises RagcliError for damaged weights.
    """
    logits: Logits | None = None
    ahead: Lookahead | None = None
    if len(rows) == 1 and isinstance(engine, Verifying):
        ahead = Lookahead(engine, rows[0].prompt_ids)
    while not all(row.ended for row in rows):
        logits = _read_prompts(engine, rows) if logits is None else _step(engine, rows, ahead)
        for i, token in _choose(rows, logits, sampling):
            if piece := rows[i].add(token):
                yield i, piece


def _read_prompts(engine: LanguageModel, rows: Sequence[Row]) -> Logits:
    """Return the first logits. Raises RagcliError if they are not finite."""
    first = rows[0].prompt_ids
    if all(row.prompt_ids == first for row in rows):
        logits = engine.prefill(first, len(rows))
    elif isinstance(engine, Batching):
        logits = engine.prefill_all([row.prompt_ids for row in rows], max(row.most for row in rows))
    else:
        raise TypeError(f"{engine.name} takes one prompt at a time")
    if not np.isfinite(logits.max()):
        raise damaged_weights(engine)
    return logits


def _step(engine: LanguageModel, rows: Sequence[Row], ahead: Lookahead | None) -> Logits:
    """Add its last token to each row; return the logits (rows, vocab) that follow, meaningless for ended rows."""
    if ahead:
        return ahead.step([rows[0].last])
    if isinstance(engine, Batching):
        return engine.step_all([None if row.ended else row.last for row in rows])
    return engine.step([row.last for row in rows])


def _choose(rows: Sequence[Row], logits: Logits, sampling: Sampling) -> Iterator[tuple[int, int]]:
    """Yield the number and the next token of each row that has not ended."""
    alive = [i for i, row in enumerate(rows) if not row.ended]
    scores = [_within(logits[i], rows[i]) for i in alive]
    tokens, rngs = [rows[i].tokens for i in alive], [rows[i].rng for i in alive]
    return zip(alive, next_tokens(np.stack(scores), tokens, sampling, rngs), strict=True)


def _within(logits: Logits, row: Row) -> Logits:
    """Exclude the tokens that a row may not use."""
    return only(logits, row.allowed(row.tokens)) if row.allowed else logits


def complete_in_pieces(
    engine: LanguageModel, prompt: str, options: Options, allowed: Allowed | None = None
) -> Generator[str, None, Completion]:
    """Complete a prompt once: yield the text in pieces, and return the completion.

    The pieces are whole characters without stop strings, and together the completion's text. `allowed` returns the
    tokens that may follow those written so far. Raises RagcliError for a prompt that is too long, or empty if the model
    has no start token.
    """
    row = Row(engine, _prompt_ids(engine, prompt), options, 0, allowed)
    for _, piece in decode(engine, [row], options.sampling):
        yield piece
    return row.completion


def complete(
    engine: LanguageModel,
    prompt: str,
    options: Options,
    emit: Callable[[str], None] | None = None,
    allowed: Allowed | None = None,
) -> list[Completion]:
    """Complete a prompt once for each row; `emit` receives the pieces of the first row.

    `allowed` and errors are those of `complete_in_pieces`.
    """
    prompt_ids = _prompt_ids(engine, prompt)
    rows = [Row(engine, prompt_ids, options, i, allowed) for i in range(options.rows)]
    for i, piece in decode(engine, rows, options.sampling):
        if emit and i == 0:
            emit(piece)
    return [row.completion for row in rows]


def complete_all(
    engine: LanguageModel, prompts: Sequence[str], options: Options, allowed: Sequence[Allowed] = ()
) -> list[Completion]:
    """Complete each prompt once, in batches if the engine can; errors are those of `complete_in_pieces`.

    `allowed`, if given, has a rule for each prompt.
    """
    size = _BATCH if isinstance(engine, Batching) else 1
    rules: Sequence[Allowed | None] = allowed or [None] * len(prompts)
    done = []
    for at in range(0, len(prompts), size):
        ids = [_prompt_ids(engine, prompt) for prompt in prompts[at : at + size]]
        rows = [Row(engine, one, options, 0, rule) for one, rule in zip(ids, rules[at : at + size], strict=True)]
        for _ in decode(engine, rows, options.sampling):
            pass
        done += [row.completion for row in rows]
    return done


def count_tokens(engine: LanguageModel, text: str) -> int:
    """Return the number of tokens of a prompt."""
    return len(_encode(engine, text))


def _encode(engine: LanguageModel, text: str) -> list[int]:
    # Invalid UTF-8 on a command line becomes lone surrogates, which tokenizers do not accept.
    return engine.encode(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))


def _prompt_ids(engine: LanguageModel, prompt: str) -> list[int]:
    ids = _encode(engine, prompt) or sorted(engine.end_ids)[:1]
    if not ids:
        raise RagcliError(f"the prompt is empty, and {engine.name} has no start token", "Give it some text.")
    if len(ids) >= engine.context:
        message = (
            f"the prompt has {len(ids)} tokens, but {engine.name} has room for {engine.context} including one new token"
        )
        raise RagcliError(message, "Shorten the prompt, or choose a model with a longer context.")
    return ids
