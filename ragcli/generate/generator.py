"""Generators: what writes text after a prompt, whatever runs the model. A new kind is a file beside this one."""

from collections.abc import Generator as Coroutine
from collections.abc import Iterator, Sequence
from typing import Protocol

from ragcli.errors import UsageError
from ragcli.generate.engine import LanguageModel
from ragcli.generate.loop import complete, complete_all, complete_in_pieces, count_tokens
from ragcli.generate.options import Completion, Options


class Stream(Iterator[str]):
    """Iterate over a text as it is written: whole characters, nothing of a stop string."""

    def __init__(self, pieces: Coroutine[str, None, Completion]) -> None:
        """Take what yields the pieces, and returns the whole."""
        self._pieces = pieces
        self._completion: Completion | None = None

    def __next__(self) -> str:
        try:
            return next(self._pieces)
        except StopIteration as end:
            self._completion = end.value or self._completion
            raise StopIteration from None

    def finish(self) -> Completion:
        """Wait for the rest; return the whole text with its number of tokens, and what ended it."""
        for _ in self:
            pass
        assert self._completion  # noqa: S101 (a stream that was read to its end has one)
        return self._completion


class Generator(Protocol):
    """Write text. `context` is how many tokens a prompt and what follows it may have together.

    An `instructed` model takes the prompt as a message, and ends its answer by itself; others go on with the text.
    `parameters` is its size, where that is known.
    """

    name: str
    context: int
    parameters: int | None

    @property
    def instructed(self) -> bool:
        """Tell whether a prompt is a message to be answered."""

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a prompt takes."""

    def generate(self, prompt: str, options: Options) -> Stream:
        """Return the text that follows a prompt, in pieces as they are written.

        Raises RagcliError, at the first piece, for a prompt that leaves no room, or that the model does not take.
        """

    def generate_all(self, prompts: Sequence[str], options: Options) -> list[Completion]:
        """Complete each prompt, and each as often as the options have rows: many together, where the model can."""


class EngineGenerator:
    """Write with an engine of this package, which goes on with the prompt."""

    instructed = False
    parameters: int | None = None

    def __init__(self, engine: LanguageModel) -> None:
        """Take the engine that runs the model."""
        self.engine = engine
        self.name, self.context = engine.name, engine.context

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a prompt takes."""
        return count_tokens(self.engine, text)

    def generate(self, prompt: str, options: Options) -> Stream:
        """Return the text that follows a prompt, in pieces as they are written."""
        return Stream(complete_in_pieces(self.engine, prompt, options))

    def generate_all(self, prompts: Sequence[str], options: Options) -> list[Completion]:
        """Complete each prompt, and each as often as the options have rows."""
        if options.rows == 1:
            return complete_all(self.engine, prompts, options)
        return [one for prompt in prompts for one in complete(self.engine, prompt, options)]


def engine_of(generator: Generator, purpose: str) -> LanguageModel:
    """Return the engine below a generator. Raises UsageError where there is none; `purpose` is what needs it."""
    if isinstance(generator, EngineGenerator):
        return generator.engine
    raise UsageError(
        f"{purpose} needs a model that ragcli runs itself, and {generator.name} is none",
        "Choose a model such as gpt2, without --base-url.",
    )
