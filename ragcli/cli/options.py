"""The options that commands share, in groups: for the index, ranking, the model, generation.

A command takes a group as one parameter, whose default holds the defaults of its options; `flat` expands it for
typer.
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
from ragcli.cli.exposure import warn_of_exposure
from ragcli.errors import RagcliError, UsageError
from ragcli.filters import Filter, parse_filter
from ragcli.inputs import read_argument
from ragcli.store import Access, IndexLocation, Shards, Store, TextFields
from ragcli.warm import opened_index

if TYPE_CHECKING:
    from ragcli.search import Ranking

StoreUrl = Annotated[str, typer.Option("--store", envvar="RAGCLI_STORE", help="`local`, or an Elasticsearch URL.")]
ShardCount = Annotated[
    int | None,
    typer.Option("--shards", min=1, max=1024, help="Shards of a new Elasticsearch index.", show_default=False),
]
ReplicaCount = Annotated[
    int | None,
    typer.Option("--replicas", min=0, max=100, help="Replicas of a new Elasticsearch index.", show_default=False),
]
Index = Annotated[str, typer.Option("--index", envvar="RAGCLI_INDEX", help="Name of the index.")]
CaCerts = Annotated[
    Path | None,
    typer.Option(
        envvar="RAGCLI_ELASTICSEARCH_CA_CERTS", help="CA certificate file for an https store.", show_default=False
    ),
]
TextField = Annotated[
    str | None,
    typer.Option(
        help="Field with the text, in an Elasticsearch index not made by ragcli. [default: text]", show_default=False
    ),
]
TitleField = Annotated[
    str | None,
    typer.Option(
        help="Field with the title, in an Elasticsearch index not made by ragcli. [default: title]", show_default=False
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
OpenFile = Annotated[
    bool, typer.Option("--open", help="Open the local file of the document, the first hit or the first source.")
]
AskStyle = Annotated[
    Literal["free", "grounded", "copy"] | None,
    typer.Option(
        "--style",
        help="Answer with text of the sources (grounded), in a model's own words (free), or with pieces of the "
        "sources that a model chooses (copy). [default: free if a model or generation option is given, else grounded]",
        show_default=False,
    ),
]
MinConfidence = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="Withhold grounded answers below this confidence. [default: 0.2]",
        show_default=False,
    ),
]
AnswerLength = Annotated[
    Literal["short", "normal", "long"],
    typer.Option("--length", help="Length of a grounded answer: one sentence, one or two blocks, or up to five."),
]
ReaderName = Annotated[
    str | None,
    typer.Option(
        "--reader", help="Reader for grounded answers. [default: the packaged one for the language]", show_default=False
    ),
]
ShowSources = Annotated[
    bool, typer.Option("--show-sources", help="Also show each source's passage, with the cited text marked.")
]
MinScore = Annotated[float, typer.Option(help="Answer only from passages with at least this score.")]
Rejects = Annotated[Path | None, typer.Option(help="Write rejected lines to this file.", show_default=False)]
K = Annotated[int, typer.Option("-k", min=1, max=10_000, help="Passages to retrieve.")]
EncoderName = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        envvar="RAGCLI_ENCODER",
        help="Encoder for the vectors of the index: minilm, bge-zh, e5, a hub id, a folder, a GGUF file, or a server's "
        "URL.",
        show_default=False,
    ),
]
Mode = Annotated[
    Literal["keyword", "semantic", "hybrid"] | None,
    typer.Option(
        "--mode",
        envvar="RAGCLI_MODE",
        help="Search by words, by meaning, or by both. [default: hybrid if the index has vectors, else keyword]",
        show_default=False,
    ),
]
Weight = Annotated[float, typer.Option(min=0.0, max=1.0, help="Weight of semantic search in a hybrid.")]
Fusion = Annotated[
    Literal["scaled", "min-max", "rrf", "z-score"], typer.Option(help="How a hybrid search combines scores.")
]
Rerank = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Rerank the best passages with `reader`, a cross-encoder, a language model, a GGUF file, or a server's "
        "URL.",
        show_default=False,
    ),
]
Candidates = Annotated[int, typer.Option(min=1, max=1000, help="Number of passages to rerank or diversify.")]
Diversity = Annotated[float, typer.Option(min=0.0, max=1.0, help="Weight of difference from earlier passages.")]
NumCandidates = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Passages that an approximate vector search compares at least. [default: by -k]",
        show_default=False,
    ),
]


def is_given(context: typer.Context, option: str) -> bool:
    """Return whether an option is given on the command line, not in the settings."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """Let typer see the fields of a command's option groups as separate options."""
    parameters = inspect.signature(command).parameters.values()
    groups: dict[str, Any] = {one.name: one.default for one in parameters if is_dataclass(one.default)}
    spread = [part for one in parameters for part in (_fields(one.default) if one.name in groups else [one])]

    @wraps(command)
    def flattened(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = type(group)(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in spread]
    flattened.__dict__["__signature__"] = inspect.Signature(by_name)  # which inspect.signature reads
    flattened.__annotations__ = {one.name: one.annotation for one in spread}
    return flattened


def _fields(group: Any) -> list[inspect.Parameter]:
    kinds = reversed(type(group).__mro__)  # a group may extend another one
    hints = {name: hint for kind in kinds for name, hint in inspect.get_annotations(kind, eval_str=True).items()}
    names = [field.name for field in fields(group)]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(name, keyword, default=getattr(group, name), annotation=hints[name]) for name in names]


@dataclass(frozen=True)
class IndexArgs:
    """Choose an index."""

    store: StoreUrl = "local"
    index: Index = "knowledge_base"
    ca_certs: CaCerts = None

    @property
    def location(self) -> IndexLocation:
        """Return the location of the index."""
        warn_of_exposure(self.store, settings.api_key() is not None)
        return IndexLocation(self.store, self.index, settings.data_home(), Access(settings.api_key(), self.ca_certs))

    def open(self) -> Store:
        """Open the index."""
        return opened_index(self.location)


@dataclass(frozen=True)
class MadeIndexArgs(IndexArgs):
    """Choose an index, and the shards of a new one on a server."""

    shards: ShardCount = None
    replicas: ReplicaCount = None

    @property
    def location(self) -> IndexLocation:
        """Return the location of the index, with its shards."""
        return super().location._replace(shards=Shards(self.shards, self.replicas))


@dataclass(frozen=True)
class SearchedIndexArgs(IndexArgs):
    """Choose an index to search, also one not made by ragcli, with its own field names."""

    text_field: TextField = None
    title_field: TitleField = None

    @property
    def location(self) -> IndexLocation:
        """Return the location of the index, and its text fields."""
        return super().location._replace(fields=TextFields(self.text_field, self.title_field))


@dataclass(frozen=True)
class RankingArgs:
    """Configure ranking."""

    mode: Mode = None
    weight: Weight = 0.5
    fusion: Fusion = "scaled"
    rerank: Rerank = None
    candidates: Candidates = 50
    diversity: Diversity = 0.0
    num_candidates: NumCandidates = None

    def ranking(self, context: typer.Context) -> "Ranking":
        """Return the ranking. A mode from the settings falls back to keyword search without vectors."""
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
    """Return the filters of --where."""
    return [parse_filter(read_argument(expression)) for expression in expressions or ()]


def parse_span(text: str | None) -> tuple[int, int] | None:
    """Return the characters START-END that an argument names. Raises UsageError for what names none."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,15})-(\d{1,15})", text)
    if not found or int(found[1]) > int(found[2]):
        raise UsageError(f"not a place in a document: {text!r}", "Write START-END as shown for sources, such as 0-186.")
    return int(found[1]), int(found[2])


def open_file(location: IndexLocation, metadata: Mapping[str, Any]) -> None:
    """Open the file that a document is a section of, in the program that the system has for it. Raises RagcliError."""
    from ragcli.sources import local_file

    path = local_file(location, metadata)
    if typer.launch(str(path)):
        raise RagcliError(f"no program opens {path}", "Open it yourself.")


def command_line(context: typer.Context) -> str:
    """Return the command line, without passwords in URLs."""
    from ragcli.evaluate.report import printable

    words = context.find_root().obj or sys.argv[1:]
    return printable(shlex.join(["ragcli", *(re.sub(r"//[^/@\s]*@", "//", word) for word in words)]))


RANKING = tuple(field.name for field in fields(RankingArgs))
