"""Build a prompt from a question and passages within a token budget."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from ragcli.analysis.sentences import sentence_spans
from ragcli.errors import UsageError
from ragcli.store import Hit

_BLANK_LINES = re.compile(r"\n\s*\n")


class Span(NamedTuple):
    """Name a piece of a document by its character offsets."""

    id: str
    title: str
    start: int
    end: int


class Prompt(NamedTuple):
    """Hold a prompt, its length in tokens, its passages (trimmed) in order, and the text that did not fit."""

    text: str
    tokens: int
    used: tuple[Hit, ...]
    dropped: tuple[Span, ...]


class PromptForm(Protocol):
    """Write a prompt. `stop` are strings that end what a model writes after it."""

    @property
    def stop(self) -> tuple[str, ...]:
        """Return the strings that end an answer."""

    def render(self, used: Sequence[Hit], question: str) -> str:
        """Return the prompt with passages and a question."""


class PromptTemplate(NamedTuple):
    """Define how a prompt shows passages and asks its question; used by answering, reranking and training.

    `{n}`, `{title}`, `{text}` and `{question}` are replaced; `task` comes first. `stop` are the strings with which a
    model continues after its answer: another question, or another passage.
    """

    passage: str = "[{n}] {title}\n{text}"
    untitled: str = "[{n}] {text}"
    question: str = "Question: {question}"
    answer: str = "\nAnswer:"
    stop: tuple[str, ...] = ("\n\n", "\nQuestion:", "\nAnswer:")
    task: str = ""

    def render(self, used: Sequence[Hit], question: str) -> str:
        """Return the prompt with passages and a question."""
        task = [self.task] if self.task else []
        return "\n\n".join([*task, *(self.show(n, hit) for n, hit in enumerate(used, 1)), self.ask(question)])

    def show(self, n: int, hit: Hit) -> str:
        """Return a passage as the prompt shows it. Only passages are separated by blank lines."""
        shown = (self.passage if hit.title else self.untitled).format(n=n, title=hit.title, text=hit.text)
        return _BLANK_LINES.sub("\n", shown)

    def ask(self, question: str) -> str:
        """Return the end of the prompt: the question and the lead-in of the answer."""
        return self.question.format(question=question) + self.answer

    def query(self, question: str) -> str:
        """Return the question as it follows a passage, without the lead-in of the answer."""
        return "\n\n" + self.question.format(question=question)

    def reply(self, answer: str) -> str:
        """Return an answer as it follows the prompt."""
        return f" {answer}"


QUESTION = PromptTemplate()
CITING = PromptTemplate(
    task="Answer the question from the sources below only, in as few sentences as it needs. "
    "After each sentence write the number of its source in brackets, such as [1]."
)
REVIEW = PromptTemplate(question="A new review of {question}:", answer="")
# SmolLM2-135M counts the passages or writes headings where these have numbers, and where a number of sentences is told.
REVIEW_TASK = PromptTemplate(
    passage="{text}",
    untitled="{text}",
    question="Rewrite this as one short review of the film {question}.",
    answer="",
    stop=("\nQuestion:",),
)


def build_prompt(
    hits: Sequence[Hit],
    question: str,
    budget: int,
    count: Callable[[str], int],
    template: PromptForm = QUESTION,
) -> Prompt:
    """Build a prompt of at most `budget` tokens: numbered passages, best first, then the question.

    Passages are cut at sentence ends, beginning with the last. Raises UsageError if the question alone is too long.
    """
    if (alone := count(template.render([], question))) > budget:
        raise UsageError(
            f"the question has {alone} tokens, the model has room for {budget}",
            "Ask a shorter question, lower --max-new-tokens, or use a model with a longer context.",
        )
    cuts = [(i, end) for i, hit in enumerate(hits) for _, end in sentence_spans(hit.text)]
    fits, too_long = 0, len(cuts) + 1
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if count(template.render(_trimmed(hits, cuts[:middle]), question)) <= budget:
            fits = middle
        else:
            too_long = middle
    used = _trimmed(hits, cuts[:fits])
    text = template.render(used, question)
    return Prompt(text, count(text), tuple(used), tuple(_rest(hits, used)))


def _trimmed(hits: Sequence[Hit], cuts: Sequence[tuple[int, int]]) -> list[Hit]:
    ends = dict(cuts)
    return [hit._replace(text=hit.text[: ends[i]], end=hit.start + ends[i]) for i, hit in enumerate(hits) if i in ends]


def _rest(hits: Sequence[Hit], used: Sequence[Hit]) -> list[Span]:
    kept = [hit.end for hit in used] + [hit.start for hit in hits[len(used) :]]
    return [
        Span(hit.id, hit.title, start, hit.end)
        for hit, start in zip(hits, kept, strict=True)
        if hit.text[start - hit.start :].strip()
    ]
