"""An answer with its sources, and its JSON form, which is written and read only here."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Self

from ragcli.prompt import Span
from ragcli.store import Hit

Style = Literal["free", "grounded", "copy"]
Length = Literal["short", "normal", "long"]
Verdict = Literal["supported", "unsupported", "miscited"]


class Source(NamedTuple):
    """Hold a passage that an answer is based on, numbered as in the prompt."""

    n: int
    id: str
    title: str
    score: float
    start: int
    end: int
    text: str
    copies: int = 1  # how many documents have this passage
    metadata: Mapping[str, Any] = MappingProxyType({})


class Range(NamedTuple):
    """Hold character offsets in a document's text."""

    start: int
    end: int


class CitedSentence(NamedTuple):
    """Hold a sentence or block of an answer and its position in the source.

    `source` counts from 1; None if no source supports the sentence. start and end are character offsets in the source's
    document, 0 without a source. `support` is in [0, 1]. `span` are the words that answer, if known.
    Of a sentence that a model wrote, `cited` are the sources that it names, `supporting`
    those that support it, and `verdict` compares the two.
    """

    text: str
    source: int | None
    start: int
    end: int
    support: float
    span: Range | None = None
    cited: tuple[int, ...] = ()
    verdict: Verdict = "supported"
    supporting: tuple[int, ...] = ()


class Nearest(NamedTuple):
    """Hold the text that comes nearest to an answer if there is none, and its position."""

    text: str
    source: int
    start: int
    end: int


class MissingName(NamedTuple):
    """Hold a name in a question that no text has, and the most similar one, if any."""

    name: str
    nearest: str = ""


class Seconds(NamedTuple):
    """Hold the seconds from the start to the end of the search, to the first token, and to the end."""

    search: float = 0.0
    first_token: float | None = None
    total: float = 0.0


class Answer(NamedTuple):
    """Hold an answer with its sources and its costs."""

    question: str
    answer: str = ""
    abstained: bool = False
    sources: tuple[Source, ...] = ()
    sentences: tuple[CitedSentence, ...] = ()
    dropped: tuple[Span, ...] = ()
    model: str = ""
    style: str = "grounded"
    seed: int = 0
    prompt_tokens: int = 0
    new_tokens: int = 0
    seconds: Seconds = Seconds()
    confidence: float | None = None
    nearest: Nearest | None = None
    missing: tuple[MissingName, ...] = ()
    prompt: str = ""  # what the model was given; not in JSON

    def as_json(self, key: str = "question") -> dict[str, Any]:
        """Return the fields that from_json reads; `key` is the name of the question."""
        fields = self._asdict()
        question = fields.pop("question")
        del fields["prompt"]
        for name in _LISTS:
            fields[name] = [_compact(item._asdict()) for item in fields[name]]
        for sentence in fields["sentences"]:
            sentence["span"] = sentence["span"]._asdict() if sentence["span"] else None
        fields["seconds"] = self.seconds._asdict()
        fields["nearest"] = self.nearest._asdict() if self.nearest else None
        return {key: question, **fields}

    def supported(self) -> Self:
        """Return the answer with only those sentences that a source supports."""
        kept = tuple(sentence for sentence in self.sentences if sentence.source)
        if kept == self.sentences:
            return self
        return self._replace(answer=" ".join(sentence.text for sentence in kept), sentences=kept)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Read an answer. Raises LookupError or TypeError for anything else."""
        known = {"missing": (), **fields}
        lists = {name: tuple(kind(**item) for item in known[name]) for name, kind in _LISTS.items()}
        nearest = Nearest(**fields["nearest"]) if fields.get("nearest") else None
        return cls(**{**fields, **lists, "seconds": Seconds(**fields["seconds"]), "nearest": nearest})


def _sentence(**fields: Any) -> CitedSentence:
    span = fields.get("span")
    numbers = {name: tuple(fields.get(name, ())) for name in ("cited", "supporting")}
    return CitedSentence(**{**fields, **numbers, "span": Range(**span) if span else None})


_LISTS: dict[str, Callable[..., Any]] = {
    "sources": Source,
    "sentences": _sentence,
    "dropped": Span,
    "missing": MissingName,
}


def sources_of(hits: Sequence[Hit]) -> tuple[Source, ...]:
    """Return hits as numbered sources."""
    return tuple(
        Source(n, hit.id, hit.title, hit.score, hit.start, hit.end, hit.text, hit.copies, hit.metadata)
        for n, hit in enumerate(hits, 1)
    )


def _compact(item: dict[str, Any]) -> dict[str, Any]:
    """Leave out `copies` if there is only one, and empty metadata."""
    shown = {name: value for name, value in item.items() if name != "copies" or value > 1}
    return {name: value for name, value in shown.items() if name != "metadata" or value}


def cited_text(sentences: Sequence[CitedSentence]) -> str:
    """Return the sentences, each followed by the number of its source."""
    return " ".join(f"{sentence.text} [{sentence.source}]" for sentence in sentences)


class Extract(NamedTuple):
    """Hold the blocks that answer a question, in reading order, and the confidence in [0, 1].

    If they are too uncertain to be an answer, `nearest` is the best of them.
    """

    sentences: tuple[CitedSentence, ...]
    confidence: float
    abstained: bool
    nearest: Nearest | None = None

    @property
    def text(self) -> str:
        """Return the sentences, each followed by the number of its source."""
        return cited_text(self.sentences)
