"""Answer in a model's own words, and say of each sentence which source supports it."""

from collections.abc import Callable, Sequence

from ragcli.answer.answerer import AskOptions, Emit, Retrieved
from ragcli.answer.attribution import attribute
from ragcli.answer.generation import Generation, Written, write_each
from ragcli.answer.schema import Answer
from ragcli.errors import RagcliError
from ragcli.generate import Generator
from ragcli.prompt import QUESTION, PromptTemplate
from ragcli.store import Store


class FreeAnswerer:
    """Let a model write the answer; without a store, no sentence is attributed."""

    def __init__(
        self,
        open_generator: Callable[[], Generator],
        options: AskOptions,
        store: Store | None = None,
        template: PromptTemplate = QUESTION,
    ) -> None:
        """`template` is the form of the prompt."""
        self._options = options._replace(style="free")
        writing = options.options._replace(rows=1, stop=template.stop)
        self._generation = Generation(open_generator, template, writing)
        self._store = store

    def answer_all(self, found: Sequence[Retrieved], emit: Emit | None = None) -> list[Answer | RagcliError]:
        """Answer questions together; in the place of one that is too long stands the error."""
        written = write_each(found, self._generation, emit)
        return [one if isinstance(one, RagcliError) else self._answer(one) for one in written]

    def _answer(self, written: Written) -> Answer:
        answer = written.as_answer(self._generation.open().name, self._options)
        if self._store is None or not answer.answer:
            return answer
        return answer._replace(sentences=attribute(answer.answer, written.prompt.used, self._store))
