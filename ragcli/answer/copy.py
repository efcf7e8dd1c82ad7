"""Answer with pieces of the sources, chosen by a model that may write nothing else."""

from collections.abc import Callable, Sequence

from ragcli.answer.answerer import AskOptions, Emit, Retrieved
from ragcli.answer.generation import Generation, Written, write_each
from ragcli.answer.schema import Answer, cited_text
from ragcli.errors import RagcliError
from ragcli.generate import Generator
from ragcli.prompt import QUESTION, PromptForm


class CopyAnswerer:
    """Let a model choose the pieces. Nothing is copied twice, so options against repetition are off."""

    def __init__(
        self, open_generator: Callable[[], Generator], options: AskOptions, template: PromptForm = QUESTION
    ) -> None:
        """Prepare answers in a form of prompt."""
        self._options = options._replace(style="copy")
        sampling = options.options.sampling._replace(no_repeat_ngram_size=0, repetition_penalty=1.0)
        writing = options.options._replace(rows=1, stop=template.stop, sampling=sampling)
        self._generation = Generation(open_generator, template, writing, copies=True)

    def answer_all(self, found: Sequence[Retrieved], emit: Emit | None = None) -> list[Answer | RagcliError]:
        """Answer questions together; a question that is too long gets an error in its place."""
        written = write_each(found, self._generation, emit)
        return [one if isinstance(one, RagcliError) else self._answer(one) for one in written]

    def _answer(self, written: Written) -> Answer:
        answer = written.as_answer(self._generation.open().name, self._options)
        pieces = written.pieces
        return answer._replace(answer=cited_text(pieces), abstained=not pieces, sentences=pieces)
