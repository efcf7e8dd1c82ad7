"""The commands on texts: index, search, generate, ask, review."""

from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ragcli import render
from ragcli.analysis.languages import Language
from ragcli.cli.options import (
    AskStyle,
    EncoderName,
    GenerationArgs,
    IndexArgs,
    K,
    MinConfidence,
    MinScore,
    ModelArgs,
    RankingArgs,
    Rejects,
    ShowSources,
    Style,
    TextFormat,
    Where,
    chosen_style,
    filters,
    flat,
    given_lines,
    given_text,
    keep_turn,
    read_text,
    whole_texts,
)
from ragcli.errors import ExitCode, NothingFoundError, UsageError

if TYPE_CHECKING:
    from ragcli.answer.batch import AnswerAll


@flat
def index(
    files: Annotated[list[Path], typer.Argument(help="JSON Lines files (.gz too), folders of them, or `-` for stdin.")],
    at: IndexArgs = IndexArgs(),
    text_field: Annotated[str, typer.Option(help="Field that holds the text.")] = "text",
    title_field: Annotated[str, typer.Option(help="Field that holds the title.")] = "title",
    id_field: Annotated[str, typer.Option(help="Field that holds the id.")] = "id",
    language: Annotated[
        Language | None,
        typer.Option(help="Language of a new index. [default: that of the first texts]", show_default=False),
    ] = None,
    passage_size: Annotated[
        int | None,
        typer.Option(min=100, max=100_000, help="Characters a passage at most. [default: 1200]", show_default=False),
    ] = None,
    encoder: EncoderName = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what the input no longer holds.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what would happen.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Remove the index first.")] = False,
    rejects: Rejects = None,
    format: TextFormat = "text",
) -> None:
    """Load documents; run again, it writes only what changed.

    A document is a line of JSON: {"text": "…", "id": "…", "title": "…", and any other field as metadata}.

    Example: ragcli index sample_data/python.jsonl
    """
    from ragcli.documents import FieldNames
    from ragcli.indexing import IndexOptions, RejectLog, Watcher, index_files

    options = IndexOptions(
        FieldNames(text_field, title_field, id_field), language, passage_size, encoder, prune, dry_run, rebuild
    )
    deletable: list[str] | None = [] if dry_run else None
    with RejectLog(rejects, files) as log, render.progress("Indexing") as progress:
        watcher = Watcher(progress, log.add, note=render.print_note)
        if deletable is not None:
            watcher = watcher._replace(deletion=deletable.append)
        summary = index_files(files, at.location, options, watcher)
    render.print_rejects(log.first, summary.rejected)
    render.print_summary(summary, format == "json", deletable)
    if summary.rejected:
        raise typer.Exit(ExitCode.REJECTS)


@flat
def search(
    context: typer.Context,
    query: Annotated[str | None, typer.Argument(help="What to look for, or `-` for stdin.", show_default=False)] = None,
    k: K = 10,
    where: Where = None,
    finding: RankingArgs = RankingArgs(),
    like: Annotated[
        str | None, typer.Option(metavar="ID", help="Find documents like this one.", show_default=False)
    ] = None,
    like_file: Annotated[
        Path | None, typer.Option(help="Find documents like this text, or `-` for stdin.", show_default=False)
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each score is made of.")] = False,
    at: IndexArgs = IndexArgs(),
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
    from ragcli.search import Searcher

    if sum(given is not None for given in (query, like, like_file)) != 1:
        hint = "Give a query, --like ID, or --like-file FILE. Try: ragcli search --help"
        raise UsageError("there must be one thing to search for", hint)
    question = given_text(query or "")
    with at.open() as store:
        searcher = Searcher(store, finding.ranking(context), render.print_note)
        if query is not None:
            hits = searcher.search(question, k, filters(where))
        elif like is not None:
            hits = searcher.like(given_text(like), k, filters(where))
        else:
            hits = searcher.like_text(read_text(like_file or Path("-")), k, filters(where))
        language = store.config.language if store.config else "en"
    if not hits:
        render.print_note("Nothing found.")
        raise typer.Exit(ExitCode.NOTHING_FOUND)
    as_json = format == "json" if format else not render.on_terminal()
    render.print_hits(hits, question, language, as_json, explain)


@flat
def generate(
    prompt: Annotated[str, typer.Argument(help="Text to go on with, or `-` for stdin.")],
    by: ModelArgs = ModelArgs(),
    writing: GenerationArgs = GenerationArgs(),
    stop: Annotated[
        list[str] | None,
        typer.Option(help="End before this text; repeatable.", metavar="TEXT", show_default=False),
    ] = None,
    num_return_sequences: Annotated[int, typer.Option(min=1, max=100, help="Completions to generate.")] = 1,
    lines: Annotated[
        bool, typer.Option("--lines", help="Take each line for a prompt of its own, and complete them together.")
    ] = False,
    format: TextFormat = "text",
) -> None:
    """Complete a prompt with a language model.

    Example: ragcli generate "Once upon a time"
    """
    from ragcli.generate import complete, complete_all

    if lines and num_return_sequences > 1:
        raise UsageError("--lines gives one completion for each line", "Leave out --num-return-sequences.")
    text = given_text(prompt)
    engine = by.open()
    options = writing.options(num_return_sequences, stop or ())
    if lines:
        prompts = [line for line in text.splitlines() if line.strip()]
        render.print_each(prompts, complete_all(engine, prompts, options), engine.name, options.seed, format == "json")
        return
    streamed = format == "text" and render.on_terminal() and num_return_sequences == 1
    completions = complete(engine, text, options, render.stream if streamed else None)
    render.print_completions(text, completions, engine.name, options.seed, format == "json", streamed)


@flat
def ask(
    context: typer.Context,
    question: Annotated[str | None, typer.Argument(help="A question, or `-` for stdin.", show_default=False)] = None,
    k: K = 5,
    where: Where = None,
    finding: RankingArgs = RankingArgs(),
    min_score: MinScore = 0.0,
    style: AskStyle = None,
    min_confidence: MinConfidence = None,
    show_sources: ShowSources = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the prompt; generate nothing.")] = False,
    batch: Annotated[
        Path | None,
        typer.Option(help="Answer each question of this JSON Lines file, or `-` for stdin.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the answers of --batch here.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Skip what --output holds already.")] = False,
    rejects: Rejects = None,
    at: IndexArgs = IndexArgs(),
    by: ModelArgs = ModelArgs(),
    writing: GenerationArgs = GenerationArgs(temperature=0.0),
    format: TextFormat = "text",
) -> None:
    """Answer a question from the texts, with its sources.

    Example: ragcli ask "What is a function in Python?"
    """
    from ragcli.answer import pipeline as rag
    from ragcli.search import Searcher

    if (question is None) == (batch is None):
        hint = "Give a question, or --batch FILE. Try: ragcli ask --help"
        raise UsageError("there must be one thing to answer", hint)
    job = rag.AskOptions(writing.options(), k, filters(where), min_score, chosen_style(context, style), min_confidence)
    with at.open() as store:
        searcher = Searcher(store, finding.ranking(context), render.print_note)
        if batch is not None:
            open_language_model = cache(by.open)
            _ask_all(
                lambda texts: rag.ask_all(searcher, open_language_model, texts, job), batch, output, resume, rejects
            )
            return
        text = given_text(question or "")
        if dry_run:
            render.print_prompt(rag.ask_prompt(searcher, by.open, text, job), format == "json")
            return
        with render.writing(format == "text" and render.on_terminal()) as emit:
            answer = rag.ask(searcher, by.open, text, job, emit)
    render.print_answer(answer, "question", format == "json", show_sources)
    if answer.abstained:
        raise typer.Exit(ExitCode.ABSTAINED)


def _ask_all(answer_all: "AnswerAll", questions: Path, output: Path | None, resume: bool, rejects: Path | None) -> None:
    from ragcli.answer.batch import answer_lines, resumed
    from ragcli.indexing import RejectLog

    if resume and not output:
        raise UsageError("--resume goes on with a file", "Name it: --output FILE.")
    if output and not resume and output.exists() and output.stat().st_size:
        raise UsageError(f"{output} exists", "Name another --output, or go on with it: --resume.")
    done = resumed(output) if output and resume else set()
    rejected = 0
    with RejectLog(rejects, [questions]) as log, render.progress("Answering") as progress:
        with output.open("ab") if output else nullcontext() as file:
            answers = answer_lines(questions, answer_all, done, log.add)
            for count, (line_id, answer) in enumerate(answers, 1):
                render.write_answer(line_id, answer, file)
                progress(count)
        rejected = log.count
    render.print_rejects(log.first, rejected)
    if rejected:
        raise typer.Exit(ExitCode.REJECTS)


@flat
def review(
    context: typer.Context,
    title: Annotated[str, typer.Argument(help="A film's title; near is near enough.")],
    k: K = 6,
    where: Where = None,
    finding: RankingArgs = RankingArgs(),
    style: Style = "free",
    show_sources: ShowSources = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the prompt; generate nothing.")] = False,
    at: IndexArgs = IndexArgs(),
    by: ModelArgs = ModelArgs(),
    writing: GenerationArgs = GenerationArgs(),
    format: TextFormat = "text",
) -> None:
    """Write a new review of a film, built on its reviews.

    Example: ragcli review "Inception"
    """
    from ragcli.answer import pipeline as rag
    from ragcli.search import Searcher

    job = rag.AskOptions(writing.options(), k, filters(where), style=style)
    with at.open() as store:
        searcher = Searcher(store, finding.ranking(context), render.print_note)
        if dry_run:
            render.print_prompt(rag.review_prompt(searcher, by.open, given_text(title), job), format == "json")
            return
        with render.writing(format == "text" and render.on_terminal()) as emit:
            answer = rag.review(searcher, by.open, given_text(title), job, emit)
    render.print_answer(answer, "title", format == "json", show_sources)
    if answer.abstained:
        raise typer.Exit(ExitCode.ABSTAINED)


@flat
def summarize(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A text or JSON Lines of documents, or `-` for stdin; without, the index.", show_default=False
        ),
    ] = None,
    query: Annotated[str | None, typer.Option(help="What the summary should be about.", show_default=False)] = None,
    sentences: Annotated[int, typer.Option(min=1, max=100, help="Sentences at most.")] = 5,
    k: K = 10,
    where: Where = None,
    finding: RankingArgs = RankingArgs(),
    show_sources: ShowSources = False,
    at: IndexArgs = IndexArgs(),
    format: TextFormat = "text",
) -> None:
    """Summarize a text, or what the index has on a query.

    Example: ragcli summarize README.md --sentences 3
    """
    from ragcli.analysis.languages import detect_language
    from ragcli.answer import pipeline as rag
    from ragcli.search import Searcher

    about = given_text(query or "")
    if file is None:
        if not about:
            raise UsageError("there is nothing to summarize", "Give a file, or --query TEXT to ask the index.")
        with at.open() as store:
            searcher = Searcher(store, finding.ranking(context), render.print_note)
            hits = rag.retrieve(searcher, about, rag.AskOptions(GenerationArgs().options(), k, filters(where)))
            language = searcher.language
    else:
        hits = whole_texts(file)
        language = detect_language(hit.text for hit in hits)
    summary = rag.summarize(hits, sentences, language, about)
    if summary.abstained:
        render.print_note("There is no sentence in it.")
        raise typer.Exit(ExitCode.NOTHING_FOUND)
    render.print_answer(summary, "query", format == "json", show_sources)


@flat
def chat(
    context: typer.Context,
    k: K = 5,
    where: Where = None,
    finding: RankingArgs = RankingArgs(),
    min_score: MinScore = 0.0,
    style: AskStyle = None,
    min_confidence: MinConfidence = None,
    history: Annotated[
        Path | None,
        typer.Option(
            help="Append each turn to this file. [default: chat.jsonl in the data folder]", show_default=False
        ),
    ] = None,
    at: IndexArgs = IndexArgs(),
    by: ModelArgs = ModelArgs(),
    writing: GenerationArgs = GenerationArgs(temperature=0.0),
    format: TextFormat = "text",
) -> None:
    """Answer questions in turn, a line each.

    /sources shows what the last answer is built on, /quit ends.

    Example: ragcli chat --index knowledge_base
    """
    from ragcli.answer import pipeline as rag
    from ragcli.answer.chat import Conversation, spoken
    from ragcli.search import Searcher

    job = rag.AskOptions(writing.options(), k, filters(where), min_score, chosen_style(context, style), min_confidence)
    with at.open() as store:
        conversation = Conversation(Searcher(store, finding.ranking(context), render.print_note), cache(by.open), job)
        for said in spoken(render.prompted(given_lines())):
            if said == "/sources":
                if conversation.turns:
                    render.print_sources(conversation.turns[-1].answer, show=True)
                continue
            if said.startswith("/"):
                render.print_note(f"there is no {said}; there are /sources and /quit")
                continue
            try:
                with render.writing(format == "text" and render.on_terminal()) as emit:
                    turn = conversation.ask(said, emit)
            except (NothingFoundError, UsageError) as error:
                render.print_error(error)
                continue
            render.print_turn(turn, format == "json")
            keep_turn(history, turn)
