"""The options that commands share, in groups, and what each group stands for: an index, a model, a way to write.

A command takes a group as one parameter, whose default holds the defaults of its options; `flat` spreads it for typer.
"""

import inspect
import re
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ragcli import settings
from ragcli.errors import RagcliError, UsageError
from ragcli.filters import Filter, parse_filter
from ragcli.inputs import read_argument
from ragcli.store import Access, IndexLocation, Store, TextFields, open_store

if TYPE_CHECKING:
    from ragcli.search import Ranking

StoreUrl = Annotated[str, typer.Option("--store", envvar="RAGCLI_STORE", help="`local`, or an Elasticsearch URL.")]
Index = Annotated[str, typer.Option("--index", envvar="RAGCLI_INDEX", help="Name of the index.")]
CaCerts = Annotated[
    Path | None,
    typer.Option(
        envvar="RAGCLI_ELASTICSEARCH_CA_CERTS", help="CA certificate file for an https store.", show_default=False
    ),
]
TextField = Annotated[
    str | None,
    typer.Option(help="Field with the text, in an Elasticsearch index of others. [default: text]", show_default=False),
]
TitleField = Annotated[
    str | None,
    typer.Option(
        help="Field with the title, in an Elasticsearch index of others. [default: title]", show_default=False
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Only documents with FIELD=VALUE (or != >= <= > <); repeatable.", show_default=False),
]
TextFormat = Annotated[Literal["text", "json"], typer.Option("--format", help="Plain text, or one JSON object.")]
TableFormat = Annotated[
    Literal["table", "json"] | None,
    typer.Option(
        "--format", help="A table, or JSON Lines. [default: table on a terminal, json in a pipe]", show_default=False
    ),
]
OpenFile = Annotated[bool, typer.Option("--open", help="Open the local file that it is of, of hits the first.")]
AskStyle = Annotated[
    Literal["free", "grounded", "copy"] | None,
    typer.Option(
        "--style",
        help="In sentences of the sources, in a model's own words (free), or in pieces of them that it chooses (copy). "
        "[default: free where a model or a way to write is named, else grounded]",
        show_default=False,
    ),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        min=0.0, max=1.0, help="Below it a grounded answer is none. [default: what was found best]", show_default=False
    ),
]
AnswerLength = Annotated[
    Literal["short", "normal", "long"],
    typer.Option("--length", help="Of a grounded answer: the sentence that decides, a block or two, or up to five."),
]
ReaderName = Annotated[
    str | None,
    typer.Option("--reader", help="Your own reader for grounded answers. [default: the package's]", show_default=False),
]
ShowSources = Annotated[
    bool, typer.Option("--show-sources", help="Show each source's passage too, with what is cited marked.")
]
MinScore = Annotated[float, typer.Option(help="Answer only from passages of at least this score.")]
Rejects = Annotated[
    Path | None, typer.Option(help="Write the lines that could not be taken to this file.", show_default=False)
]
K = Annotated[int, typer.Option("-k", min=1, max=10_000, help="Passages to retrieve.")]
EncoderName = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        envvar="RAGCLI_ENCODER",
        help="Give the index vectors by this model: minilm, e5, a hub id, or a folder.",
        show_default=False,
    ),
]
Mode = Annotated[
    Literal["keyword", "semantic", "hybrid"] | None,
    typer.Option(
        "--mode",
        envvar="RAGCLI_MODE",
        help="By words, by meaning, or by both. [default: hybrid where the index has vectors, else keyword]",
        show_default=False,
    ),
]
Weight = Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of meaning in a hybrid search.")]
Fusion = Annotated[
    Literal["scaled", "min-max", "rrf", "z-score"], typer.Option(help="How a hybrid search adds up scores.")
]
Rerank = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Order the best anew: `reader`, a cross-encoder, or a language model such as gpt2.",
        show_default=False,
    ),
]
Candidates = Annotated[
    int, typer.Option(min=1, max=1000, help="Passages to rerank, and to choose different ones from.")
]
Diversity = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="How much a passage should differ from those before it.")
]
NumCandidates = Annotated[
    int | None,
    typer.Option(
        min=1, max=10_000, help="Passages that Elasticsearch looks at by meaning. [default: by -k]", show_default=False
    ),
]


def is_given(context: typer.Context, option: str) -> bool:
    """Tell whether an option stands on the command line, and not in the settings."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """Let typer see the fields of a command's groups of options as options of their own."""
    parameters = inspect.signature(command).parameters.values()
    groups: dict[str, Any] = {one.name: one.default for one in parameters if is_dataclass(one.default)}
    spread = [part for one in parameters for part in (_fields(one.default) if one.name in groups else [one])]

    @wraps(command)
    def flattened(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = type(group)(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in spread]
    flattened.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]
    flattened.__annotations__ = {one.name: one.annotation for one in spread}
    return flattened


def _fields(group: Any) -> list[inspect.Parameter]:
    kinds = reversed(type(group).__mro__)  # a group may add options to another one
    hints = {name: hint for kind in kinds for name, hint in inspect.get_annotations(kind, eval_str=True).items()}
    names = [field.name for field in fields(group)]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(name, keyword, default=getattr(group, name), annotation=hints[name]) for name in names]


@dataclass(frozen=True)
class IndexArgs:
    """Say which index."""

    store: StoreUrl = "local"
    index: Index = "knowledge_base"
    ca_certs: CaCerts = None

    @property
    def location(self) -> IndexLocation:
        """Return where the index is."""
        return IndexLocation(self.store, self.index, settings.data_home(), Access(settings.api_key(), self.ca_certs))

    def open(self) -> Store:
        """Open the index."""
        return open_store(self.location)


@dataclass(frozen=True)
class SearchedIndexArgs(IndexArgs):
    """Say which index is searched: one of ragcli's, or of others, with other names of its fields."""

    text_field: TextField = None
    title_field: TitleField = None

    @property
    def location(self) -> IndexLocation:
        """Return where the index is, and what holds its texts."""
        return super().location._replace(fields=TextFields(self.text_field, self.title_field))


@dataclass(frozen=True)
class RankingArgs:
    """Say how to rank what is found."""

    mode: Mode = None
    weight: Weight = 0.5
    fusion: Fusion = "scaled"
    rerank: Rerank = None
    candidates: Candidates = 50
    diversity: Diversity = 0.0
    num_candidates: NumCandidates = None

    def ranking(self, context: typer.Context) -> "Ranking":
        """Return how to rank; a mode that only the settings name may give way to keyword search."""
        from ragcli.search import Ranking

        return Ranking(
            mode=self.mode,
            fusion=self.fusion,
            weight=self.weight,
            rerank=self.rerank,
            candidates=self.candidates,
            diversity=self.diversity,
            num_candidates=self.num_candidates,
            lenient=not is_given(context, "mode"),
        )


def filters(expressions: list[str] | None) -> list[Filter]:
    """Return what --where says."""
    return [parse_filter(read_argument(expression)) for expression in expressions or ()]


def parse_span(text: str | None) -> tuple[int, int] | None:
    """Return the characters START-END that an argument names. Raises UsageError for what names none."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,15})-(\d{1,15})", text)
    if not found or int(found[1]) > int(found[2]):
        raise UsageError(f"not a place in a document: {text!r}", "Write START-END as sources show it: 0-186.")
    return int(found[1]), int(found[2])


def open_file(location: IndexLocation, metadata: Mapping[str, Any]) -> None:
    """Open the file that a document is a section of, in the program that the system has for it. Raises RagcliError."""
    from ragcli.sources import local_file

    path = local_file(location, metadata)
    if typer.launch(str(path)):
        raise RagcliError(f"no program opens {path}", "Open it by hand.")


def command_line(context: typer.Context) -> str:
    """Return the words that were typed, without passwords in addresses."""
    from ragcli.evaluate.report import printable

    words = context.find_root().obj or sys.argv[1:]
    return printable(shlex.join(["ragcli", *(re.sub(r"//[^/@\s]*@", "//", word) for word in words)]))


RANKING = tuple(field.name for field in fields(RankingArgs))
