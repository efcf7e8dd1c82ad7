"""The commands of `ragcli eval`: retrieval, answers, perplexity, compare."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ragcli import render
from ragcli.callbacks import Callbacks
from ragcli.cli import checks
from ragcli.cli.options import (
    EncoderName,
    IndexArgs,
    K,
    RankingArgs,
    command_line,
    flat,
    is_given,
)
from ragcli.cli.writing import AnswerArgs, GenerationArgs, ModelArgs
from ragcli.errors import ExitCode

if TYPE_CHECKING:
    from ragcli.evaluate.report import Gate, Report

app = typer.Typer(help="Measure the quality of retrieval, answers and models.")

KeepGoing = Annotated[bool, typer.Option("--keep-going", help="Count failures as wrong, and continue.")]
FailUnder = Annotated[
    list[str] | None,
    typer.Option(help="Exit with 7 if MEASURE=VALUE is not reached; repeatable.", show_default=False),
]
Baseline = Annotated[
    Path | None, typer.Option(help="Exit with 7 if a measure is worse than in this report.", show_default=False)
]
MaxDrop = Annotated[float, typer.Option(min=0.0, help="Accepted drop below the baseline.")]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="Write the full report to this JSON file.", show_default=False)
]
HtmlFile = Annotated[
    Path | None, typer.Option("--html", help="Write the report as a page with plots.", show_default=False)
]
Format = Annotated[
    Literal["table", "json"] | None,
    typer.Option("--format", help="[default: table on a terminal, json in a pipe]", show_default=False),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Measure only the first ones.", show_default=False)]


@dataclass(frozen=True)
class ReportArgs:
    """Choose the limits of a gate, and the outputs of a measurement."""

    baseline: Baseline = None
    max_drop: MaxDrop = 0.0
    report: ReportFile = None
    html: HtmlFile = None
    format: Format = None

    def gate(self, limits: list[str] | None, canonical: Callable[[str], str]) -> "Gate":
        """Return the gate, after checking that the outputs can be written."""
        from ragcli.evaluate.report import read_gate

        checks.check_outputs(self.report, self.html)
        return read_gate(limits, self.baseline, self.max_drop, canonical)

    def finish(self, context: typer.Context, report: "Report", gate: "Gate") -> None:
        """Write and print a report; exit with the code of the gate or the rejects."""
        from ragcli.evaluate.report import crossings, write_report

        report = report._replace(command_line=command_line(context))
        if self.report:
            write_report(self.report, report)
        if self.html:
            from ragcli.evaluate.page import report_page, write_page

            write_page(self.html, report_page(report))
        render.print_report(report, _as_json(self.format))
        crossed = crossings(report, gate)
        render.print_crossings(crossed)
        if crossed:
            raise typer.Exit(ExitCode.GATE_FAILED)
        if report.failed or report.skipped.get("rejected_documents"):
            raise typer.Exit(ExitCode.REJECTS)


@app.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        render.print_text(context.get_help())


@app.command()
@flat
def retrieval(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Argument(help="Folder with corpus.jsonl, queries.jsonl, qrels/test.tsv.", show_default=False),
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="Queries in JSON Lines or TSV.", show_default=False)] = None,
    qrels: Annotated[Path | None, typer.Option(help="Judgments in TSV or TREC format.", show_default=False)] = None,
    run: Annotated[
        Path | None, typer.Option(help="Measure this run in TREC format instead of searching.", show_default=False)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Judgments of the folder to use. [default: test, or the only ones]", show_default=False),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(help="A measure, named as in ir-measures, such as nDCG@10; repeatable.", show_default=False),
    ] = None,
    encoder: EncoderName = None,
    ranking_args: RankingArgs = RankingArgs(),
    run_out: Annotated[Path | None, typer.Option(help="Write the run in TREC format.", show_default=False)] = None,
    index_args: IndexArgs = IndexArgs(),
    passage_size: Annotated[
        int | None,
        typer.Option(min=100, max=100_000, help="Maximal characters per passage. [default: 1200]", show_default=False),
    ] = None,
    limit: Limit = None,
    keep_going: KeepGoing = False,
    fail_under: FailUnder = None,
    report_args: ReportArgs = ReportArgs(),
) -> None:
    """Measure search with queries whose relevant documents are known.

    The folder's documents are indexed temporarily; --index uses an existing index instead.

    Example: ragcli eval retrieval sample_data/python_questions
    """
    from ragcli.evaluate.judgments import find_collection, write_run
    from ragcli.evaluate.measures import DEFAULT_MEASURES, parse_measure, parse_measures
    from ragcli.evaluate.retrieval import RetrievalConfig, evaluate_retrieval
    from ragcli.indexing import IndexOptions

    checks.check(context, checks.EVAL_RETRIEVAL)
    gate = report_args.gate(fail_under, lambda name: str(parse_measure(name)))
    checks.check_outputs(run_out)
    config = RetrievalConfig(
        find_collection(data, queries, qrels, split),
        parse_measures([*(measure or DEFAULT_MEASURES), *gate.least]),
        index_args.location,
        run,
        is_given(context, "index"),
        options=IndexOptions(passage_size=passage_size, encoder=encoder),
        ranking=ranking_args.ranking(context),
        keep_going=keep_going,
        limit=limit,
        as_trec=run_out is not None,
    )
    with render.progress("Measuring") as progress:
        measured = evaluate_retrieval(config, Callbacks(progress, render.print_note))
    if run_out:
        write_run(run_out, measured.run)
    report_args.finish(context, measured.report, gate)


@app.command()
@flat
def answers(
    context: typer.Context,
    questions: Annotated[
        Path, typer.Argument(help="JSON Lines of question and answers, SQuAD's JSON, or a folder with qa.jsonl.")
    ],
    k: K = 5,
    encoder: EncoderName = None,
    ranking_args: RankingArgs = RankingArgs(),
    answer_args: AnswerArgs = AnswerArgs(),
    baseline_answers: Annotated[
        bool, typer.Option("--baseline-answers", help="Also answer without passages, and show their gain.")
    ] = False,
    limit: Limit = None,
    answers: Annotated[
        Path | None, typer.Option(help="Measure the output of ask --batch instead of answering.", show_default=False)
    ] = None,
    index_args: IndexArgs = IndexArgs(),
    model_args: ModelArgs = ModelArgs(),
    generation_args: GenerationArgs = GenerationArgs(temperature=0.0, seed=0),
    keep_going: KeepGoing = False,
    fail_under: FailUnder = None,
    report_args: ReportArgs = ReportArgs(),
) -> None:
    """Measure answers to questions whose answers are known.

    A folder's documents, or SQuAD's paragraphs, are indexed temporarily; --index uses an existing index instead.

    Example: ragcli eval answers sample_data/python_questions --limit 5
    """
    from ragcli.evaluate.answers import AnswersConfig, evaluate_answers, gate_names
    from ragcli.evaluate.report import one_of
    from ragcli.indexing import IndexOptions

    checks.check(context, checks.EVAL_ANSWERS)
    gate = report_args.gate(fail_under, one_of(gate_names(k)))
    config = AnswersConfig(
        questions,
        index_args.location,
        answer_args.options(context, generation_args.options(), k),
        is_given(context, "index"),
        baseline_answers,
        limit,
        keep_going,
        IndexOptions(encoder=encoder),
        ranking_args.ranking(context),
        answers,
    )
    with render.progress("Answering") as progress:
        measured = evaluate_answers(config, model_args.open, Callbacks(progress, render.print_note))
    report_args.finish(context, measured, gate)


@app.command()
@flat
def perplexity(
    context: typer.Context,
    text: Annotated[Path, typer.Argument(help="A text, or JSON Lines of documents (.gz too).")],
    model_args: ModelArgs = ModelArgs(precision="float32"),
    window: Annotated[
        int | None, typer.Option(min=2, help="Tokens in the window. [default: the model's context]", show_default=False)
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Tokens between windows. [default: half the window]", show_default=False)
    ] = None,
    limit: Limit = None,
    fail_over: Annotated[
        list[str] | None,
        typer.Option(help="Exit with 7 if MEASURE=VALUE is exceeded; repeatable.", show_default=False),
    ] = None,
    report_args: ReportArgs = ReportArgs(),
) -> None:
    """Measure how well a model predicts a text.

    The measures are bits per byte, which are comparable between models, and perplexity per token, with a sliding
    window.

    Example: ragcli eval perplexity README.md
    """
    from ragcli.evaluate.perplexity import MEASURES, evaluate_perplexity
    from ragcli.evaluate.report import one_of

    checks.check(context, checks.EVAL_PERPLEXITY)
    gate = report_args.gate(fail_over, one_of(MEASURES))
    with render.progress("Reading") as progress:
        measured = evaluate_perplexity(
            text,
            model_args.open_engine("eval perplexity"),
            window,
            stride,
            limit,
            Callbacks(progress, render.print_note),
        )
    report_args.finish(context, measured, gate)


@app.command()
@flat
def compare(
    a: Annotated[Path, typer.Argument(help="The first report.")],
    b: Annotated[Path, typer.Argument(help="The second report.")],
    measure: Annotated[
        str | None, typer.Option(help="Measure by which queries are shown. [default: the first]", show_default=False)
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="Number of most changed queries to show.")] = 10,
    html: HtmlFile = None,
    format: Format = None,
) -> None:
    """Compare two reports, with a paired significance test.

    Example: ragcli eval compare before.json after.json
    """
    from ragcli.evaluate.comparison import compare
    from ragcli.evaluate.report import read_report

    checks.check_outputs(html)
    found = compare(read_report(a), read_report(b), measure)
    if html:
        from ragcli.evaluate.page import comparison_page, write_page

        write_page(html, comparison_page(found))
    render.print_comparison(found, show, _as_json(format))


def _as_json(format: str | None) -> bool:
    return format == "json" if format else not render.on_terminal()
