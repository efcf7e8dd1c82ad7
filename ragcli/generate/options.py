"""The options of generation, and its result."""

import secrets
from typing import Any, Literal, NamedTuple

from ragcli.decoder.sampling import Sampling
from ragcli.errors import RagcliError

# What ended a text: an end token, a stop string, the requested number of tokens, or the end of the context.
Ended = Literal["end", "stop", "length", "context"]


class Options(NamedTuple):
    """Configure generation; row i depends on `seed` and i, not on the number of `rows`.

    `schema` is a JSON Schema that the text conforms to.
    """

    max_new_tokens: int = 100
    sampling: Sampling = Sampling()
    seed: int = 0
    rows: int = 1
    stop: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None


class Completion(NamedTuple):
    """Hold a generated text, its number of tokens without the end token, and what ended it.

    `prompt_tokens` is set by a server that counts them itself.
    """

    text: str
    tokens: int
    ended: Ended
    prompt_tokens: int | None = None

    @property
    def is_cut(self) -> bool:
        """Return whether the text ended at a limit."""
        return self.ended in ("length", "context")


def new_seed() -> int:
    """Return a random seed of at most nine digits."""
    return secrets.randbelow(10**9)


def check_json(options: Options, *completions: Completion) -> None:
    """Raise RagcliError for JSON by a schema that was cut."""
    for completion in completions if options.schema else ():
        if completion.is_cut:
            hint = "Raise --max-new-tokens, or limit texts and lists in the schema."
            raise RagcliError(f"the JSON breaks off after {completion.tokens} tokens", hint)
