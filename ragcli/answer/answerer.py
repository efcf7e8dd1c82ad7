"""What all ways to answer have in common: how they are asked, and what they are given."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from ragcli.answer.schema import Answer, Length, Seconds, Style
from ragcli.errors import RagcliError
from ragcli.filters import Filter
from ragcli.generate import Options
from ragcli.store import Hit

if TYPE_CHECKING:
    from ragcli.templates import Template

Emit = Callable[[str], None]
Evidence = Literal["blocks", "passages"]


class AskOptions(NamedTuple):
    """Say how to answer: how many passages, from which score on, with which filters and generation options.

    A `free` answer is the model's own words, a `grounded` one is made of text of the passages, a `copy` is what the
    model writes where it may only go on with pieces of the passages. `min_confidence` is that of a grounded answer;
    None is what was found best. `length` is that of a grounded answer; `reader` names what reads for it.
    `evidence` is what a model gets for a free answer: whole passages, or the blocks that a grounded answer would be
    made of; None is what suits its size. A `strict` one has only sentences that a source supports. A `template` is
    the form of the prompt, where one was chosen.
    """

    options: Options
    k: int = 5
    filters: Sequence[Filter] = ()
    min_score: float = 0.0
    style: Style = "free"
    min_confidence: float | None = None
    length: Length = "normal"
    reader: str | None = None
    evidence: Evidence | None = None
    strict: bool = False
    template: "Template | None" = None


class Retrieved(NamedTuple):
    """Hold a question, the hits for it that are good enough to answer from, and how long the search took."""

    question: str
    hits: Sequence[Hit]
    seconds: float = 0.0


class Answerer(Protocol):
    """Answer questions in one way from what was retrieved for them."""

    def answer_all(self, found: Sequence[Retrieved], emit: Emit | None = None) -> list[Answer | RagcliError]:
        """Answer questions together; in the place of one that cannot be asked stands the error.

        `emit` gets the text of a single answer as it is written.
        """


class Clock:
    """Take the time from now on, after what the search took."""

    def __init__(self, searched: float = 0.0) -> None:
        self._start = time.perf_counter() - searched
        self._searched = searched
        self.first_token: float | None = None

    def now(self) -> float:
        """Return the seconds so far."""
        return round(time.perf_counter() - self._start, 4)

    def seconds(self) -> Seconds:
        """Return the times of an answer that is done now."""
        return Seconds(self._searched, self.first_token, self.now())
