"""The options that commands share, in groups, and what each group stands for: an index, a model, a way to write.

A command takes a group as one parameter, whose default holds the defaults of its options; `flat` spreads it for typer.
"""

import inspect
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ragcli import render, settings
from ragcli.errors import RagcliError, UsageError
from ragcli.filters import Filter, parse_filter
from ragcli.inputs import read_argument
from ragcli.store import Access, IndexLocation, Store, TextFields, open_store

if TYPE_CHECKING:
    from ragcli.answer.schema import Style as AnswerStyle
    from ragcli.generate import Generator, LanguageModel, Options
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
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        envvar="RAGCLI_MODEL",
        help="Hub id, folder, name made by train, GGUF file, or smollm2. [default: gpt2]",
        show_default=False,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        envvar="RAGCLI_BASE_URL",
        help="Let the --model of an OpenAI-compatible server write, such as http://localhost:11434/v1.",
        metavar="URL",
        show_default=False,
    ),
]
Precision = Annotated[
    Literal["auto", "float32", "int8", "int4"],
    typer.Option("--precision", envvar="RAGCLI_PRECISION", help="Weights of GPT-2 on the CPU; auto is int8."),
]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Tokens to generate at most.")]
Temperature = Annotated[float, typer.Option(min=0.0, help="Sampling temperature; 0 takes the likeliest token.")]
TopP = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Sample from the likeliest tokens of this total probability.")
]
TopK = Annotated[int, typer.Option(min=0, help="Sample from this many likeliest tokens; 0 for all.")]
NoRepeat = Annotated[
    int, typer.Option("--no-repeat-ngram-size", min=0, help="Generate no n-gram of this size twice; 0 to allow it.")
]
MinP = Annotated[
    float,
    typer.Option("--min-p", min=0.0, max=1.0, help="Sample from tokens of this share of the likeliest's probability."),
]
RepetitionPenalty = Annotated[
    float, typer.Option(min=1.0, max=10.0, help="Make what was generated less likely again; 1 is off.")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Same seed, same text; without one, a new one each time.")]
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
WrittenFrom = Annotated[
    Literal["passages", "blocks"] | None,
    typer.Option(
        "--evidence",
        help="What a model is given: whole passages, or the blocks that answer. "
        "[default: blocks below a billion parameters, else passages]",
        show_default=False,
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Keep only sentences that a source supports; without any, answer grounded.")
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


def chosen_style(context: typer.Context, style: "AnswerStyle | None") -> "AnswerStyle":
    """Return the style; where none is named, `free` if a model or a way to write is, else `grounded`.

    A model or its server may be named anywhere; other settings are for whoever writes, and name none.
    """
    sources = map(context.get_parameter_source, ("model", "base_url"))
    named = any(source is not None and source.name != "DEFAULT" for source in sources)
    named = named or any(is_given(context, option) for option in (*MODEL, *GENERATION))
    return style or ("free" if named else "grounded")


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


@dataclass(frozen=True)
class ModelArgs:
    """Say which model computes, and how exactly."""

    model: Model = None
    base_url: BaseUrl = None
    precision: Precision = "auto"

    def open(self, as_text: bool = False, engine: bool = False) -> "Generator":
        """Open --model to write with, or the default one; `as_text` asks a server's model to go on with a text.

        An `engine` is one that ragcli runs itself.
        """
        from ragcli.generate import open_model, open_remote

        if self.base_url:
            return open_remote(self.base_url, self.model, settings.model_api_key(), as_text)
        return open_model(self.model, self.precision, render.print_note, as_text, engine)

    def for_style(self, style: str) -> "Callable[[], Generator]":
        """Return what opens the model once, one that ragcli runs itself where the style needs its tokens."""
        return cache(partial(self.open, engine=style == "copy"))

    def open_engine(self, purpose: str) -> "LanguageModel":
        """Open the engine of --model, or of the default one, for a purpose that needs its tokens."""
        from ragcli.generate import engine_of

        return engine_of(self.open(engine=True), purpose)


@dataclass(frozen=True)
class GenerationArgs:
    """Say how to generate."""

    max_new_tokens: MaxNewTokens = 100
    temperature: Temperature = 0.8
    top_p: TopP = 0.95
    top_k: TopK = 50
    min_p: MinP = 0.0
    no_repeat_ngram_size: NoRepeat = 2
    repetition_penalty: RepetitionPenalty = 1.0
    seed: Seed = None

    def options(self, rows: int = 1, stop: Sequence[str] = ()) -> "Options":
        """Return how to generate; without a seed, by a new one."""
        from ragcli.decoder.sampling import Sampling
        from ragcli.generate import Options, new_seed

        sampling = Sampling(
            self.temperature, self.top_k, self.top_p, self.no_repeat_ngram_size, self.min_p, self.repetition_penalty
        )
        seed = new_seed() if self.seed is None else self.seed
        return Options(self.max_new_tokens, sampling, seed, rows, tuple(read_argument(text) for text in stop))


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
MODEL = tuple(field.name for field in fields(ModelArgs))
GENERATION = tuple(field.name for field in fields(GenerationArgs))
