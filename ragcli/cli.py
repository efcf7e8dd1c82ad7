"""The command line: options, one core call a command, and the one place where errors become exit codes."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ragcli import __version__, render, settings
from ragcli.errors import ExitCode, RagcliError, UsageError
from ragcli.filters import Filter, parse_filter
from ragcli.store import Access, Place, Store, open_store

if TYPE_CHECKING:
    from ragcli.generate import Engine, Options

_EXIT_CODES = (
    "Exit codes: 0 ok · 1 error · 2 usage · 3 nothing found · 4 abstained · 5 store or model unreachable · "
    "6 done with rejects · 7 gate failed · 130 interrupted."
)

app = typer.Typer(
    help="Retrieval-augmented generation from the shell: index texts, search them, ask them.",
    epilog=_EXIT_CODES,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich takes longer to import than all else that --help does
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
        help="Hub id or folder of a causal language model. [default: gpt2]",
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
Seed = Annotated[
    int | None, typer.Option(min=0, help="Same seed, same text; a new one by default.", show_default=False)
]
TextFormat = Annotated[Literal["text", "json"], typer.Option("--format", help="Plain text, or one JSON object.")]
K = Annotated[int, typer.Option("-k", min=1, max=10_000, help="Passages to retrieve.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        render.print_text(f"ragcli {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        render.print_text(context.get_help())
        raise typer.Exit
    if path := settings.config_file():
        commands: Any = context.command
        known = {name: frozenset(_option_names(command)) for name, command in commands.commands.items()}
        context.default_map = settings.read_defaults(path, known)


@app.command()
def index(
    files: Annotated[list[Path], typer.Argument(help="JSON Lines files (.gz too), folders of them, or `-` for stdin.")],
    store: StoreUrl = "local",
    index: Index = "knowledge_base",
    ca_certs: CaCerts = None,
    text_field: Annotated[str, typer.Option(help="Field that holds the text.")] = "text",
    title_field: Annotated[str, typer.Option(help="Field that holds the title.")] = "title",
    id_field: Annotated[str, typer.Option(help="Field that holds the id.")] = "id",
    language: Annotated[
        Literal["en", "zh", "ja", "ko"] | None,
        typer.Option(help="Language of a new index; detected by default.", show_default=False),
    ] = None,
    passage_size: Annotated[
        int | None,
        typer.Option(min=100, max=100_000, help="Characters a passage at most. [default: 1200]", show_default=False),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what the input no longer holds.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would happen.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Remove the index first.")] = False,
    rejects: Annotated[
        Path | None, typer.Option(help="Write the lines that are no documents to this file.", show_default=False)
    ] = None,
    format: TextFormat = "text",
) -> None:
    """Load documents; run again, it writes only what changed.

    A document is a line of JSON: {"text": "…", "id": "…", "title": "…", and any other field as metadata}.

    Example: ragcli index sample_data/python.jsonl
    """
    from ragcli.documents import FieldNames
    from ragcli.indexing import IndexOptions, RejectLog, Watcher, index_files

    options = IndexOptions(
        FieldNames(text_field, title_field, id_field), language, passage_size, prune, dry_run, rebuild
    )
    place = Place(store, index, settings.data_home(), _access(ca_certs))
    deletable: list[str] | None = [] if dry_run else None
    with RejectLog(rejects, files) as log, render.progress("Indexing") as progress:
        watcher = Watcher(progress, log.add, note=render.print_note)
        if deletable is not None:
            watcher = watcher._replace(deletion=deletable.append)
        summary = index_files(files, place, options, watcher)
    render.print_rejects(log.first, summary.rejected)
    render.print_summary(summary, format == "json", deletable)
    if summary.rejected:
        raise typer.Exit(ExitCode.REJECTS)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for, or `-` for stdin.")],
    k: K = 10,
    where: Where = None,
    store: StoreUrl = "local",
    index: Index = "knowledge_base",
    ca_certs: CaCerts = None,
    format: Annotated[
        Literal["table", "json"] | None,
        typer.Option(
            "--format",
            help="A table, or JSON Lines. [default: table on a terminal, json in a pipe]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print the passages that match a query, best first.

    Example: ragcli search "list comprehension"
    """
    from ragcli.search import search

    question = _text(query)
    with _open(store, index, ca_certs) as opened:
        hits = search(opened, question, k, _filters(where))
        language = opened.facts.language if opened.facts else "en"
    if not hits:
        render.print_note("Nothing found.")
        raise typer.Exit(ExitCode.NOTHING_FOUND)
    as_json = format == "json" if format else not render.on_terminal()
    render.print_hits(hits, question, language, as_json)


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="Text to go on with, or `-` for stdin.")],
    model: Model = None,
    precision: Precision = "auto",
    max_new_tokens: MaxNewTokens = 100,
    temperature: Temperature = 0.8,
    top_p: TopP = 0.95,
    top_k: TopK = 50,
    no_repeat_ngram_size: NoRepeat = 2,
    num_return_sequences: Annotated[int, typer.Option(min=1, max=100, help="Completions to generate.")] = 1,
    seed: Seed = None,
    format: TextFormat = "text",
) -> None:
    """Complete a prompt with a language model.

    Example: ragcli generate "Once upon a time"
    """
    from ragcli.generate import complete

    text = _text(prompt)
    engine = _engine(model, precision)
    options = _options(max_new_tokens, temperature, top_p, top_k, no_repeat_ngram_size, seed, num_return_sequences)
    streamed = format == "text" and render.on_terminal() and num_return_sequences == 1
    completions = complete(engine, text, options, render.stream if streamed else None)
    render.print_completions(text, completions, engine.name, options.seed, format == "json", streamed)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="A question, or `-` for stdin.")],
    k: K = 5,
    where: Where = None,
    min_score: Annotated[float, typer.Option(help="Answer only from passages of at least this score.")] = 0.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the prompt; generate nothing.")] = False,
    store: StoreUrl = "local",
    index: Index = "knowledge_base",
    ca_certs: CaCerts = None,
    model: Model = None,
    precision: Precision = "auto",
    max_new_tokens: MaxNewTokens = 100,
    temperature: Temperature = 0.0,
    top_p: TopP = 0.95,
    top_k: TopK = 50,
    no_repeat_ngram_size: NoRepeat = 2,
    seed: Seed = None,
    format: TextFormat = "text",
) -> None:
    """Answer a question from the texts, with its sources.

    Example: ragcli ask "What is a function in Python?"
    """
    from ragcli import rag

    options = _options(max_new_tokens, temperature, top_p, top_k, no_repeat_ngram_size, seed)
    job = rag.Job(options, k, _filters(where), min_score)
    with _open(store, index, ca_certs) as opened:
        if dry_run:
            prompt = rag.ask_prompt(opened, lambda: _engine(model, precision), _text(question), job)
            render.print_prompt(prompt, format == "json")
            return
        streamed = format == "text" and render.on_terminal()
        answer = rag.ask(
            opened, lambda: _engine(model, precision), _text(question), job, render.stream if streamed else None
        )
    render.print_answer(answer, "question", format == "json", streamed)
    if answer.abstained:
        raise typer.Exit(ExitCode.ABSTAINED)


@app.command()
def review(
    title: Annotated[str, typer.Argument(help="A film's title; near is near enough.")],
    k: K = 6,
    where: Where = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the prompt; generate nothing.")] = False,
    store: StoreUrl = "local",
    index: Index = "knowledge_base",
    ca_certs: CaCerts = None,
    model: Model = None,
    precision: Precision = "auto",
    max_new_tokens: MaxNewTokens = 100,
    temperature: Temperature = 0.8,
    top_p: TopP = 0.95,
    top_k: TopK = 50,
    no_repeat_ngram_size: NoRepeat = 2,
    seed: Seed = None,
    format: TextFormat = "text",
) -> None:
    """Write a new review of a film, built on its reviews.

    Example: ragcli review "Inception"
    """
    from ragcli import rag

    options = _options(max_new_tokens, temperature, top_p, top_k, no_repeat_ngram_size, seed)
    job = rag.Job(options, k, _filters(where))
    with _open(store, index, ca_certs) as opened:
        if dry_run:
            render.print_prompt(
                rag.review_prompt(opened, lambda: _engine(model, precision), _text(title), job), format == "json"
            )
            return
        streamed = format == "text" and render.on_terminal()
        answer = rag.review(
            opened, lambda: _engine(model, precision), _text(title), job, render.stream if streamed else None
        )
    render.print_answer(answer, "title", format == "json", streamed)


def _option_names(command: Any) -> Iterator[str]:
    return (parameter.name for parameter in command.params if parameter.param_type_name == "option")


def _access(ca_certs: Path | None) -> Access:
    return Access(settings.api_key(), ca_certs)


def _open(url: str, index: str, ca_certs: Path | None) -> Store:
    return open_store(Place(url, index, settings.data_home(), _access(ca_certs)))


def _filters(expressions: list[str] | None) -> list[Filter]:
    return [parse_filter(_text(expression)) for expression in expressions or ()]


def _text(argument: str) -> str:
    """Return an argument, or what stdin holds for `-`. Raises UsageError for what is not UTF-8."""
    try:
        text = sys.stdin.buffer.read().decode("utf-8").removesuffix("\n") if argument == "-" else argument
        text.encode("utf-8")
    except UnicodeError as e:
        raise UsageError("the text is not UTF-8", "Convert it first, for example by iconv -t utf-8.") from e
    return text


def _options(
    max_new_tokens: int, temperature: float, top_p: float, top_k: int, no_repeat: int, seed: int | None, rows: int = 1
) -> "Options":
    from ragcli.generate import Options, new_seed
    from ragcli.sampling import Sampling

    sampling = Sampling(temperature, top_k, top_p, no_repeat)
    return Options(max_new_tokens, sampling, new_seed() if seed is None else seed, rows)


def _engine(model: str | None, precision: Literal["auto", "float32", "int8", "int4"]) -> "Engine":
    from ragcli.generate import open_engine
    from ragcli.models import DEFAULT_MODEL, find_model

    folder = find_model(model or DEFAULT_MODEL, allow_fallback=model is None)
    if folder.note:
        render.print_note(folder.note)
    return open_engine(folder, precision, render.print_note)


def main(argv: list[str] | None = None) -> int:
    """Run a command line; return its exit code. The one place where errors are caught."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        code = _run(argv)
        sys.stdout.flush()
        return code
    except RagcliError as e:
        render.print_error(e)
        return e.exit_code
    except typer.TyperException as e:
        context = getattr(e, "ctx", None)
        render.print_error(
            UsageError(e.format_message(), f"Try: {context.command_path if context else 'ragcli'} --help")
        )
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _abandon_stdout(ExitCode.OK)
    except OSError as e:
        render.print_error(
            RagcliError(f"{e.filename or 'standard output'}: {e.strerror or e}", "Check the disk and permissions.")
        )
        return ExitCode.ERROR if e.filename else _abandon_stdout(ExitCode.ERROR)


def _run(argv: list[str] | None) -> int:
    command: Any = typer.main.get_command(app)
    try:
        return command.main(argv, prog_name="ragcli", standalone_mode=False) or ExitCode.OK
    except SystemExit as e:  # typer's own answer to a closed pipe
        if e.code == 1:
            return _abandon_stdout(ExitCode.OK)
        raise


def _open_closed_streams() -> None:
    """Put /dev/null where the caller closed a standard stream (`2>&-`), so that no other file takes its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _abandon_stdout(code: ExitCode) -> ExitCode:
    """Send what is left for stdout to nowhere: Python flushes it once more at its end, and would complain."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return code
