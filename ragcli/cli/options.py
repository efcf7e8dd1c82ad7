"""The options that commands share, and what they stand for: an index, filters, a text, an engine."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ragcli import render, settings
from ragcli.errors import UsageError
from ragcli.filters import Filter, parse_filter
from ragcli.store import Access, Place, Store, open_store

if TYPE_CHECKING:
    from ragcli.generate import Engine, Options

StoreUrl = Annotated[str, typer.Option("--store", envvar="RAGCLI_STORE", help="`local`, or an Elasticsearch URL.")]
Index = Annotated[str, typer.Option("--index", envvar="RAGCLI_INDEX", help="Name of the index.")]
CaCerts = Annotated[
    Path | None,
    typer.Option(
        envvar="RAGCLI_ELASTICSEARCH_CA_CERTS", help="CA certificate file for an https store.", show_default=False
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
        help="Hub id, folder, or name made by train, of a language model. [default: gpt2]",
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
Seed = Annotated[
    int | None, typer.Option(min=0, help="Same seed, same text; a new one by default.", show_default=False)
]
TextFormat = Annotated[Literal["text", "json"], typer.Option("--format", help="Plain text, or one JSON object.")]
MinScore = Annotated[float, typer.Option(help="Answer only from passages of at least this score.")]
K = Annotated[int, typer.Option("-k", min=1, max=10_000, help="Passages to retrieve.")]


def access(ca_certs: Path | None) -> Access:
    """Return how to get into Elasticsearch."""
    return Access(settings.api_key(), ca_certs)


def open_index(url: str, index: str, ca_certs: Path | None) -> Store:
    """Open the index that the options name."""
    return open_store(Place(url, index, settings.data_home(), access(ca_certs)))


def filters(expressions: list[str] | None) -> list[Filter]:
    """Return what --where says."""
    return [parse_filter(given_text(expression)) for expression in expressions or ()]


def given_text(argument: str) -> str:
    """Return an argument, or what stdin holds for `-`. Raises UsageError for what is not UTF-8."""
    try:
        text = sys.stdin.buffer.read().decode("utf-8").removesuffix("\n") if argument == "-" else argument
        text.encode("utf-8")
    except UnicodeError as e:
        raise UsageError("the text is not UTF-8", "Convert it first, for example by iconv -t utf-8.") from e
    return text


def generation(
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    top_k: int,
    min_p: float,
    no_repeat: int,
    penalty: float,
    seed: int | None,
    rows: int = 1,
    stop: list[str] | None = None,
) -> "Options":
    """Return how to generate; without a seed, by a new one."""
    from ragcli.generate import Options, new_seed
    from ragcli.sampling import Sampling

    sampling = Sampling(temperature, top_k, top_p, no_repeat, min_p, penalty)
    stops = tuple(given_text(text) for text in stop or ())
    return Options(max_new_tokens, sampling, new_seed() if seed is None else seed, rows, stops)


def engine_for(model: str | None, precision: Literal["auto", "float32", "int8", "int4"]) -> "Engine":
    """Open the engine of --model, or of the default one."""
    from ragcli.generate import open_engine
    from ragcli.models import DEFAULT_MODEL, find_model

    folder = find_model(model or DEFAULT_MODEL, allow_fallback=model is None)
    if folder.note:
        render.print_note(folder.note)
    return open_engine(folder, precision, render.print_note)
