"""A conversation: questions in turn, each completed by the one before where it leans on it."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from ragcli.analysis.analyzer import analyzer
from ragcli.answer.answerer import AskOptions
from ragcli.answer.pipeline import ask
from ragcli.answer.schema import Answer
from ragcli.errors import NothingFoundError, RagcliError, UsageError
from ragcli.generate import Generator
from ragcli.search import Searcher

_FEW = 2  # words that mean something: a question with fewer leans on what was asked before
_POINTING = re.compile(
    r"\b(?:it|its|they|them|their|this|that|these|those|he|him|his|she|her|hers|there|one|ones|else|too|also|instead)\b"
    r"|^(?:and|but|or|so|then|why|how come|what about|how about)\b|[它他她其这這那]|呢",
    re.IGNORECASE,
)


class Turn(NamedTuple):
    """Hold what was asked, as what it was understood, and what was answered."""

    said: str
    question: str
    answer: Answer


class Conversation:
    """Answer questions one after another; `turns` are those so far."""

    def __init__(self, searcher: Searcher, open_generator: Callable[[], Generator], job: AskOptions) -> None:
        self._searcher = searcher
        self._open_model = open_generator
        self._job = job
        self.turns: list[Turn] = []

    def ask(self, said: str, emit: Callable[[str], None] | None = None) -> Turn:
        """Answer a question as `ask` does; raises what that raises."""
        question = completed(said, self.turns[-1].question if self.turns else "")
        turn = Turn(said, question, ask(self._searcher, self._open_model, question, self._job, emit))
        self.turns.append(turn)
        return turn


def completed(said: str, before: str) -> str:
    """Return a question that stands by itself: one that points back, or says little, with the words of the one before.

    Of what it was completed with itself only the first question is kept, so that it does not grow from turn to turn.
    """
    first = before.partition(" — ")[0]
    leans = _POINTING.search(said.strip()) or len(set(analyzer("en").words(said))) < _FEW
    return f"{first} — {said.strip()}" if first and leans else said.strip()


class View(Protocol):
    """Show a conversation, and read what is said in it."""

    def said(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield the lines that are said."""

    def writing(self) -> AbstractContextManager[Callable[[str], None] | None]:
        """Show a text while it is being written."""

    def show_turn(self, turn: Turn) -> None:
        """Show the answer of a turn, and keep the turn."""

    def show_sources(self, answer: Answer) -> None:
        """Show what an answer is built on."""

    def show_error(self, error: RagcliError) -> None:
        """Show why there is no answer."""

    def show_note(self, text: str) -> None:
        """Show a line that is no answer."""


def converse(conversation: Conversation, lines: Iterator[str], view: View) -> None:
    """Answer each line, show each turn, and obey /sources and /quit; a question that cannot be asked ends nothing."""
    for said in spoken(view.said(lines)):
        if said == "/sources":
            if conversation.turns:
                view.show_sources(conversation.turns[-1].answer)
        elif said.startswith("/"):
            view.show_note(f"there is no {said}; there are /sources and /quit")
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
    """Yield what is said line by line, without empty lines, until /quit. What begins with / is a command."""
    for line in lines:
        text = line.strip()
        if text in ("/quit", "/exit"):
            return
        if text:
            yield text
