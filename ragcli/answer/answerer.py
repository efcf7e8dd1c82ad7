"""The interface of all answer styles, and what they are given."""

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
    """Configure answering.

    A `free` answer is written by the model in its own words. A `grounded` one consists of text from the passages. For a
    `copy`, the model may only write pieces of the passages. `min_confidence` (None: the default), `length` and
    `reader` apply to grounded answers. `evidence` is what a model gets for a free answer: whole passages, or the blocks
    of the grounded answer (None: by the model's size). A `strict` answer has only supported sentences. `template`
    is the chosen form of the prompt, if any.
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

    @property
    def needs_passages(self) -> bool:
        """Return whether there is no answer without passages that answer; the template of a dialogue needs none."""
        return self.style != "free" or self.template is None or self.template.passages == "needed"


class Retrieved(NamedTuple):
    """Hold a question, the hits to answer it from, the seconds of the search, and what it took the question for."""

    question: str
    hits: Sequence[Hit]
    seconds: float = 0.0
    meant: str = ""


class Answerer(Protocol):
    """Answer questions in one style from what was retrieved for them."""

    def answer_all(self, found: Sequence[Retrieved], emit: Emit | None = None) -> list[Answer | RagcliError]:
        """Answer questions together; a question that cannot be asked gets an error in its place.

        `emit` receives the text of a single answer as it is written.
        """


class Clock:
    """Measure the time of an answer, beginning with the seconds of its search."""

    def __init__(self, searched: float = 0.0) -> None:
        self._start = time.perf_counter() - searched
        self._searched = searched
        self.first_token: float | None = None

    def now(self) -> float:
        """Return the seconds so far."""
        return round(time.perf_counter() - self._start, 4)

    def seconds(self) -> Seconds:
        """Return the times of an answer that is complete now."""
        return Seconds(self._searched, self.first_token, self.now())
