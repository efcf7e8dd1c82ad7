"""The interface of generators, which complete a prompt, whatever runs the model, and that of engines."""

from collections.abc import Generator as Coroutine
from collections.abc import Iterator, Sequence
from typing import Protocol

from ragcli.errors import UsageError
from ragcli.generate.engine import LanguageModel
from ragcli.generate.loop import complete, complete_all, complete_in_pieces, count_tokens
from ragcli.generate.options import Completion, Options


class Stream(Iterator[str]):
    """Iterate over a text as it is written: whole characters, without stop strings."""

    def __init__(self, pieces: Coroutine[str, None, Completion]) -> None:
        """Take a coroutine that yields the pieces and returns the completion."""
        self._pieces = pieces
        self._completion: Completion | None = None

    def __next__(self) -> str:
        try:
            return next(self._pieces)
        except StopIteration as end:
            self._completion = end.value or self._completion
            raise StopIteration from None

    def finish(self) -> Completion:
        """Wait for the rest, and return the completion."""
        for _ in self:
            pass
        assert self._completion  # noqa: S101 (a stream that was read to its end has one)
        return self._completion


class Generator(Protocol):
    """Generate text. `context` is the maximal number of tokens of prompt and completion together.

    An `instructed` model takes the prompt as a message and ends its answer by itself; others continue the text.
    `parameters` is its size, if known.
    """

    name: str
    context: int
    parameters: int | None

    @property
    def instructed(self) -> bool:
        """Return whether a prompt is a message to be answered."""

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a prompt."""

    def generate(self, prompt: str, options: Options) -> Stream:
        """Return the completion of a prompt, in pieces as they are written.

        Raises RagcliError, at the first piece, for a prompt that is too long or refused by the model.
        """

    def generate_all(self, prompts: Sequence[str], options: Options) -> list[Completion]:
        """Complete each prompt `options.rows` times, in batches if the model can."""


class EngineGenerator:
    """Generate with an engine of this package, which continues the prompt."""

    instructed = False
    parameters: int | None = None

    def __init__(self, engine: LanguageModel) -> None:
        """Use an engine."""
        self.engine = engine
        self.name, self.context = engine.name, engine.context

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of a prompt."""
        return count_tokens(self.engine, text)

    def generate(self, prompt: str, options: Options) -> Stream:
        """Return the completion of a prompt, in pieces as they are written."""
        _refuse_schema(self.name, options)
        return Stream(complete_in_pieces(self.engine, prompt, options))

    def generate_all(self, prompts: Sequence[str], options: Options) -> list[Completion]:
        """Complete each prompt `options.rows` times."""
        _refuse_schema(self.name, options)
        if options.rows == 1:
            return complete_all(self.engine, prompts, options)
        return [one for prompt in prompts for one in complete(self.engine, prompt, options)]


def _refuse_schema(name: str, options: Options) -> None:
    if options.schema:
        hint = "Name a GGUF file, smollm2, or a server by --base-url."
        raise UsageError(f"--schema needs a model on llama.cpp or a server, which {name} is not", hint)


def engine_of(generator: Generator, purpose: str) -> LanguageModel:
    """Return the engine of a generator. Raises UsageError if there is none, which `purpose` needs."""
    if isinstance(generator, EngineGenerator):
        return generator.engine
    raise UsageError(
        f"{purpose} needs a model that ragcli runs itself, which {generator.name} is not",
        "Choose a model such as gpt2, without --base-url.",
    )
