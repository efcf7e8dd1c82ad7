"""Answer in a model's own words, and attribute each sentence to a source."""

from collections.abc import Callable, Sequence

from ragcli.answer.answerer import AskOptions, Emit, Retrieved
from ragcli.answer.attribution import Judge, attribute, without_marks
from ragcli.answer.generation import Generation, Written, write_each
from ragcli.answer.judge import Reader
from ragcli.answer.schema import Answer
from ragcli.answer.statistics import Statistics
from ragcli.answer.tidy import tidied
from ragcli.errors import RagcliError
from ragcli.generate import Generator, check_json
from ragcli.prompt import QUESTION, PromptForm, PromptTemplate


class FreeAnswerer:
    """Let a model write the answer; without a store, sentences are not attributed."""

    def __init__(
        self,
        open_generator: Callable[[], Generator],
        options: AskOptions,
        store: Statistics | None = None,
        template: PromptForm = QUESTION,
        reader: Reader | None = None,
    ) -> None:
        """`template` is the form of the prompt; a reader checks whether a source has the words that answer."""
        self._options = options._replace(style="free")
        stop = () if options.options.schema else template.stop  # JSON may have blank lines, and ends by itself
        writing = options.options._replace(rows=1, stop=stop)
        self._generation = Generation(open_generator, template, writing)
        self._store = store
        self._reader = reader

    def answer_all(self, found: Sequence[Retrieved], emit: Emit | None = None) -> list[Answer | RagcliError]:
        """Answer questions together; a question that is too long gets an error in its place."""
        written = write_each(found, self._generation, emit)
        return [one if isinstance(one, RagcliError) else self._checked(one) for one in written]

    def _checked(self, written: Written) -> Answer | RagcliError:
        try:
            check_json(self._options.options, written.completion)
        except RagcliError as error:
            return error
        return self._answer(written)

    def _answer(self, written: Written) -> Answer:
        answer = written.as_answer(self._generation.open().name, self._options)
        if self._options.options.schema:
            return answer
        form = self._generation.template
        used = written.prompt.used
        asked = [hit.title for hit in used if hit.title.endswith(("?", "？"))]
        if isinstance(form, PromptTemplate):
            asked.append(form.ask(answer.question))
        answer = answer._replace(answer=tidied(answer.answer, is_cut=written.completion.is_cut, asked=asked))
        if self._store is None or not answer.answer or not used:
            return answer
        judge = Judge(answer.question, self._reader) if self._reader else None
        cited = without_marks(answer.answer, len(used))
        return answer._replace(answer=cited.text, sentences=attribute(cited, used, self._store, judge))
