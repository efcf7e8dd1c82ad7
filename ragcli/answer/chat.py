"""A conversation: each question is asked as it is, or completed by the one before if it depends on that."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import NamedTuple, Protocol

from ragcli.analysis.analyzer import analyzer
from ragcli.analysis.words import cjk_bigrams
from ragcli.answer.answerer import AskOptions
from ragcli.answer.leaning import Leaning, is_courtesy, leaning, without_lead
from ragcli.answer.pipeline import ask
from ragcli.answer.resolving import resolved, substituted
from ragcli.answer.schema import Answer
from ragcli.callbacks import ignore
from ragcli.errors import NothingFoundError, RagcliError, UsageError
from ragcli.generate import Generator
from ragcli.search import Searcher

_BETWEEN = " — "  # joins a question and the next one
_SURER = 0.1  # by how much the completed question must be more confident than the original
_SURE = 0.8  # confidence of an answer to the original question that needs no alternative
_REPLIES = {"en": "Ask me anything about the texts.", "zh": "关于这些文本，请随时提问。"}


class Turn(NamedTuple):
    """Hold what was said, the question it was taken for, and the answer."""

    said: str
    question: str
    answer: Answer


class Conversation:
    """Answer questions one after another; `turns` are those so far."""

    def __init__(
        self,
        searcher: Searcher,
        open_generator: Callable[[], Generator],
        options: AskOptions,
        told: Callable[[Answer], None] = ignore,
        before: Answer | None = None,
    ) -> None:
        """Prepare a conversation; `told` receives each answer, `before` is an earlier answer to continue from."""
        self._searcher = searcher
        self._open_model = open_generator
        self._options = options
        self._told = told
        self.turns: list[Turn] = [Turn(before.question, before.question, before)] if before else []

    def ask(self, said: str, emit: Callable[[str], None] | None = None) -> Turn:
        """Answer a question as `ask` does, and a courtesy with a fixed reply. Raises what `ask` raises."""
        text = said.strip()
        if is_courtesy(text):
            answer = Answer("", answer=_REPLIES["en" if cjk_bigrams(text) == text else "zh"], style="none")
        else:
            answer = self._answer(text, emit)
        turn = Turn(text, answer.question, answer)
        self.turns.append(turn)
        if turn.question:
            self._told(answer)
        return turn

    @property
    def last(self) -> Answer | None:
        """Return the last answer to a question."""
        return next((turn.answer for turn in reversed(self.turns) if turn.question), None)

    def _answer(self, said: str, emit: Callable[[str], None] | None) -> Answer:
        """Ask a question alone or completed; if its words do not tell, try both and keep the more confident answer."""
        before = self.last
        said, corrects = without_lead(said)
        leans = (Leaning.YES if corrects else leaning(said)) if before else Leaning.NO
        if self._options.style != "grounded":
            return self._ask(completed(said, before.question) if before and leans is Leaning.YES else said, emit)
        if before and leans is Leaning.YES:
            return self._in_context(said, before.question, substituted(said, _first(before.question)))
        try:
            alone = self._ask(said)
        except NothingFoundError:
            if before is None:
                raise
            return self._in_context(said, before.question)
        needed = 0.0 if leans is Leaning.NO else _SURE
        if before is None or (not alone.abstained and (alone.confidence or 1.0) >= needed):
            return alone
        return self._surer(said, alone, self._in_context(said, before.question))

    def _in_context(self, said: str, before: str, other: str | None = None) -> Answer:
        """Ask a question with the one before, with its subject for a pronoun, or its `other` form; keep the surest."""
        answers = [self._ask(completed(said, before))]
        for whole in filter(None, (resolved(said, _first(before)), other)):
            with suppress(NothingFoundError):
                answers.append(self._ask(whole))
        return max(answers, key=lambda answer: (not answer.abstained, answer.confidence or 0.0))

    def _ask(self, question: str, emit: Callable[[str], None] | None = None) -> Answer:
        template = self._options.template
        said = [(turn.said, turn.answer.answer) for turn in self.turns if turn.answer.answer]
        options = self._options._replace(template=template.after(said)) if template else self._options
        return ask(self._searcher, self._open_model, question, options, emit)

    def _surer(self, said: str, alone: Answer, whole: Answer) -> Answer:
        """Return the answer to the completed question if it is more confident and covers as many of the words."""
        if whole.abstained or (whole.confidence or 0.0) < (alone.confidence or 0.0) + _SURER:
            return alone
        stems = analyzer(self._searcher.language).stems
        wanted = stems(said)
        covered, covered_alone = (len(wanted & stems(answer.answer)) for answer in (whole, alone))
        return whole if covered >= max(covered_alone, 1) else alone


def completed(said: str, before: str) -> str:
    """Return a question completed by the one before it.

    If that one was completed itself, only its first question is kept, so that questions do not grow with each turn.
    """
    return f"{_first(before)}{_BETWEEN}{said}"


def _first(question: str) -> str:
    """Return the first question of a completed one."""
    return question.partition(_BETWEEN)[0]


class View(Protocol):
    """Show a conversation, and read its lines."""

    def said(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield the lines of the user."""

    def writing(self) -> AbstractContextManager[Callable[[str], None] | None]:
        """Show a text while it is being written."""

    def show_turn(self, turn: Turn) -> None:
        """Show the answer of a turn, and save the turn."""

    def show_sources(self, answer: Answer) -> None:
        """Show the sources of an answer."""

    def show_error(self, error: RagcliError) -> None:
        """Show why there is no answer."""

    def show_note(self, text: str) -> None:
        """Show a note."""


def converse(conversation: Conversation, lines: Iterator[str], view: View) -> None:
    """Answer each line and show each turn; handle /sources and /quit. A question that cannot be asked is skipped."""
    for said in spoken(view.said(lines)):
        if said == "/sources":
            if conversation.last:
                view.show_sources(conversation.last)
        elif said.startswith("/"):
            view.show_note(f"unknown command {said}; use /sources or /quit")
        else:
            _take_turn(conversation, said, view)


def _take_turn(conversation: Conversation, said: str, view: View) -> None:
    try:
        with view.writing() as emit:
            turn = conversation.ask(said, emit)
    except (NothingFoundError, UsageError) as error:
        view.show_error(error)
        return
    view.show_turn(turn)


def spoken(lines: Iterator[str]) -> Iterator[str]:
    """Yield the lines that are not blank, until /quit."""
    for line in lines:
        text = line.strip()
        if text in ("/quit", "/exit"):
            return
        if text:
            yield text
