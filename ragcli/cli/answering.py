"""The commands that answer from an index: ask, review, summarize, chat."""

from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragcli import render
from ragcli.cli import checks
from ragcli.cli.logs import LogArgs
from ragcli.cli.options import (
    AnswerLength,
    AskStyle,
    IndexArgs,
    K,
    OpenFile,
    RankingArgs,
    Rejects,
    SearchedIndexArgs,
    ShowSources,
    TextFormat,
    Where,
    filters,
    flat,
    open_file,
)
from ragcli.cli.writing import AnswerArgs, GenerationArgs, ModelArgs, TemplateArgs, chosen_style
from ragcli.errors import ExitCode
from ragcli.inputs import read_argument, stdin_lines
from ragcli.settings import chat_history

if TYPE_CHECKING:
    from ragcli.answer.schema import Answer


def _note_instead(style: str, answer: "Answer") -> None:
    """Note that sentences of the texts stand in for those of a model."""
    if (style, answer.style) == ("free", "grounded") and not answer.abstained:
        render.print_note("What the model wrote is not supported by the texts; these are their own sentences.")


@flat
def ask(
    context: typer.Context,
    question: Annotated[str | None, typer.Argument(help="A question, or `-` for stdin.", show_default=False)] = None,
    k: K = 5,
    where: Where = None,
    ranking_args: RankingArgs = RankingArgs(),
    answer_args: AnswerArgs = AnswerArgs(),
    length: AnswerLength = "normal",
    template_args: TemplateArgs = TemplateArgs(),
    show_sources: ShowSources = False,
    open_first: OpenFile = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the prompt; generate nothing.")] = False,
    batch: Annotated[
        Path | None,
        typer.Option(help="Answer each question of this file: JSON Lines, or .txt; `-` for stdin.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the answers of --batch here.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Skip questions that --output already answers.")] = False,
    rejects: Rejects = None,
    go_on: Annotated[
        bool, typer.Option("--continue", "-c", help="Go on from the last question in the log, as in a chat.")
    ] = False,
    log_args: LogArgs = LogArgs(),
    index_args: SearchedIndexArgs = SearchedIndexArgs(),
    model_args: ModelArgs = ModelArgs(),
    generation_args: GenerationArgs = GenerationArgs(temperature=0.0),
    format: TextFormat = "text",
) -> None:
    """Answer a question from the texts, with its sources.

    Example: ragcli ask "What is a function in Python?"
    """
    from ragcli.answer import pipeline
    from ragcli.answer.batch import answer_lines, finished
    from ragcli.answer.chat import Conversation
    from ragcli.log import last_answer
    from ragcli.readers.rejects import RejectLog
    from ragcli.search import Searcher

    checks.check(context, checks.ASK)
    template = template_args.find()
    options = answer_args.options(context, generation_args.options(), k, filters(where), template)
    options = options._replace(length=length)
    opened = model_args.for_style(options.style, template)
    answer_log = log_args.open("ask", model_args)
    before = last_answer() if go_on else None
    with index_args.open() as store:
        searcher = Searcher(store, ranking_args.ranking(context), render.print_note)
        if batch is not None:
            answer_all = partial(pipeline.ask_all, searcher, opened, options=options)
            done = finished(output, resume)
            with RejectLog(rejects, [batch]) as log, render.progress("Answering") as progress:
                answers = answer_lines(batch, answer_all, done, log.add)
                render.write_answers(answer_log.each(answers), output, progress)
            render.print_rejects(log.first, log.count)
            raise typer.Exit(ExitCode.REJECTS if log.count else ExitCode.OK)
        text = read_argument(question or "")
        if dry_run:
            render.print_prompt(pipeline.ask_prompt(searcher, opened, text, options), format == "json")
            return
        with render.writing(format == "text" and render.on_terminal()) as emit:
            answer = (
                Conversation(searcher, opened, options, before=before).ask(text, emit).answer
                if before
                else pipeline.ask(searcher, opened, text, options, emit)
            )
    render.print_answer(answer, "question", format == "json", show_sources)
    _note_instead(options.style, answer)
    answer_log.add(answer)
    if answer.abstained:
        raise typer.Exit(ExitCode.ABSTAINED)
    if open_first:
        open_file(index_args.location, answer.sources[0].metadata)


@flat
def review(
    context: typer.Context,
    title: Annotated[str, typer.Argument(help="A film's title; small differences do not matter.")],
    k: K = 50,
    where: Where = None,
    ranking_args: RankingArgs = RankingArgs(),
    style: AskStyle = None,
    template_args: TemplateArgs = TemplateArgs(),
    show_sources: ShowSources = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the prompt; generate nothing.")] = False,
    log_args: LogArgs = LogArgs(),
    index_args: IndexArgs = IndexArgs(),
    model_args: ModelArgs = ModelArgs(),
    generation_args: GenerationArgs = GenerationArgs(temperature=0.3),
    format: TextFormat = "text",
) -> None:
    """Compose a review of a film from its reviews.

    Example: ragcli review "Inception"
    """
    from ragcli.answer import pipeline
    from ragcli.answer.answerer import AskOptions
    from ragcli.answer.review import opinion
    from ragcli.search import Searcher
    from ragcli.titles import other_indexes_named

    checks.check(context, checks.REVIEW)
    template = template_args.find()
    named = chosen_style(context, style, template)
    options = AskOptions(generation_args.options(), k, filters(where), style=named, template=template)
    opened, asked = model_args.for_style(named, template), read_argument(title)
    with index_args.open() as store, other_indexes_named(index_args.location, asked):
        searcher = Searcher(store, ranking_args.ranking(context), render.print_note)
        if dry_run:
            render.print_prompt(pipeline.review_prompt(searcher, opened, asked, options), format == "json")
            return
        with render.writing(format == "text" and render.on_terminal()) as emit:
            answer = pipeline.review(searcher, opened, asked, options, emit)
    said = opinion(answer.sources)
    if said and format == "text" and named == "grounded":
        render.print_note(said)
    render.print_answer(answer, "title", format == "json", show_sources)
    _note_instead(named, answer)
    log_args.open("review", model_args).add(answer)
    if answer.abstained:
        raise typer.Exit(ExitCode.ABSTAINED)


@flat
def summarize(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A text, JSON Lines of documents, or `-` for stdin. [default: the index]", show_default=False
        ),
    ] = None,
    query: Annotated[str | None, typer.Option(help="Topic of the summary.", show_default=False)] = None,
    sentences: Annotated[int, typer.Option(min=1, max=100, help="Sentences at most.")] = 5,
    template_args: TemplateArgs = TemplateArgs(),
    k: K = 10,
    where: Where = None,
    ranking_args: RankingArgs = RankingArgs(),
    show_sources: ShowSources = False,
    rejects: Rejects = None,
    index_args: IndexArgs = IndexArgs(),
    model_args: ModelArgs = ModelArgs(),
    generation_args: GenerationArgs = GenerationArgs(temperature=0.0),
    format: TextFormat = "text",
) -> None:
    """Summarize a text, or what the index says about a query.

    Example: ragcli summarize README.md --sentences 3
    """
    from ragcli.analysis.languages import detect_language
    from ragcli.answer import pipeline
    from ragcli.answer.answerer import AskOptions
    from ragcli.answer.retrieve import retrieve
    from ragcli.answer.summary import texts_of
    from ragcli.readers.rejects import RejectLog
    from ragcli.search import Searcher

    checks.check(context, checks.SUMMARIZE)
    about = read_argument(query or "")
    template = template_args.find(sentences=sentences)
    log = RejectLog(rejects, [file] if file else [])
    if file is None:
        with index_args.open() as store:
            searcher = Searcher(store, ranking_args.ranking(context), render.print_note)
            hits = retrieve(searcher, about, k, filters(where))
            language = searcher.language
    else:
        with log:
            hits = texts_of(file, filters(where), log.add)
        language = detect_language(map(attrgetter("text"), hits))
    if template:
        options = AskOptions(generation_args.options(), template=template)
        opened = model_args.for_style("free", template)
        with render.writing(format == "text" and render.on_terminal()) as emit:
            summary = pipeline.write_summary(hits, sentences, language, opened, options, about, emit)
    else:
        summary = pipeline.summarize(hits, sentences, language, about)
    render.print_rejects(log.first, log.count)
    if summary.abstained:
        render.print_note("There is no sentence to summarize.")
        raise typer.Exit(ExitCode.NOTHING_FOUND)
    render.print_answer(summary, "query", format == "json", show_sources)
    raise typer.Exit(ExitCode.REJECTS if log.count else ExitCode.OK)


@flat
def chat(
    context: typer.Context,
    k: K = 5,
    where: Where = None,
    ranking_args: RankingArgs = RankingArgs(),
    answer_args: AnswerArgs = AnswerArgs(),
    length: AnswerLength = "normal",
    template_args: TemplateArgs = TemplateArgs(),
    history: Annotated[
        Path | None,
        typer.Option(
            help="Append each turn to this file. [default: chat.jsonl in the data folder]", show_default=False
        ),
    ] = None,
    log_args: LogArgs = LogArgs(),
    index_args: IndexArgs = IndexArgs(),
    model_args: ModelArgs = ModelArgs(),
    generation_args: GenerationArgs = GenerationArgs(temperature=0.0),
    format: TextFormat = "text",
) -> None:
    """Answer questions interactively, one a line.

    /sources shows the sources of the last answer, /quit ends.

    Example: ragcli chat --index knowledge_base
    """
    from ragcli.answer.chat import Conversation, converse
    from ragcli.search import Searcher

    checks.check(context, checks.CHAT)
    template = template_args.find()
    options = answer_args.options(context, generation_args.options(), k, filters(where), template)
    options = options._replace(length=length)
    with index_args.open() as store:
        searcher = Searcher(store, ranking_args.ranking(context), render.print_note)
        record = log_args.open("chat", model_args).add
        conversation = Conversation(searcher, model_args.for_style(options.style, template), options, record)
        converse(conversation, stdin_lines(), render.ChatView(format == "json", history or chat_history()))
