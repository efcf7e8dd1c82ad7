"""The only printer: tables on a terminal, JSON Lines in a pipe, streamed text; results to stdout, all else to stderr.

Text from documents, models and users is data: it is never read as markup, and its control characters do not reach a
terminal.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from ragcli.errors import RagcliError
from ragcli.text import match_spans

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ragcli.documents import Reject
    from ragcli.evaluate.comparison import Changed, Comparison, Difference
    from ragcli.evaluate.report import Crossing, Report
    from ragcli.generate import Completion
    from ragcli.indexing import Summary
    from ragcli.prompt import Prompt, Span
    from ragcli.rag import Answer, Source
    from ragcli.store import Hit, Part
    from ragcli.train.loop import Report as Step
    from ragcli.train.run import Summary as Training
    from ragcli.train.run import Survey

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_NOT_ESCAPED_BY_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SNIPPET = 300
_SHOWN_REJECTS = 10


def on_terminal() -> bool:
    """Tell whether stdout is a terminal."""
    return sys.stdout.isatty()


def clean(text: str) -> str:
    """Replace control characters and text direction marks, but tabs and line ends, by a visible mark."""
    return _CONTROL.sub("\ufffd", text.replace("\r\n", "\n"))


def print_error(error: RagcliError) -> None:
    """Print an error's two lines to stderr: what failed, and what to do next."""
    sys.stderr.write(f"Error: {_line(error.message)}\n{_line(error.hint)}\n")


def print_note(text: str) -> None:
    """Print a line to stderr."""
    sys.stderr.write(_line(text) + "\n")


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    line = orjson.dumps(value).decode()
    sys.stdout.write(_NOT_ESCAPED_BY_JSON.sub(lambda m: f"\\u{ord(m[0]):04x}", line) + "\n")


def print_text(text: str) -> None:
    """Print plain text."""
    sys.stdout.write(clean(text) + "\n")


def _line(text: str) -> str:
    return clean(" ".join(text.splitlines()))


def print_hits(hits: Sequence["Hit"], query: str, language: str, as_json: bool, explain: bool = False) -> None:
    """Print hits as JSON Lines, or as a table with the query's terms marked; on demand with what made the order."""
    if as_json:
        for hit in hits:
            parts = {"parts": {name: part._asdict() for name, part in hit.parts.items()}} if explain else {}
            print_json({name: value for name, value in hit._asdict().items() if name != "parts"} | parts)
        return
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 1, 0), header_style="dim")
    table.add_column("#")
    table.add_column("Score")
    table.add_column("Document", overflow="fold", max_width=30)
    table.add_column("Passage", overflow="fold")
    for hit in hits:
        score = "\n".join([f"{hit.score:.2f}", *(_part(name, part) for name, part in hit.parts.items() if explain)])
        table.add_row(str(hit.rank), score, _document(hit), _snippet(hit.text, query, language))
    _console().print(table)


def _part(name: str, part: "Part") -> str:
    where = "not found" if part.rank is None else f"{part.score:.2f} #{part.rank}"
    return f"{part.share:.2f} {name} {where}"


def _document(hit: "Hit") -> "Text":
    from rich.text import Text

    title = [(_line(hit.title) + "\n", "bold")] if hit.title else []
    return Text.assemble(*title, (_line(hit.id), "dim"))


def _snippet(text: str, query: str, language: str) -> "Text":
    """Cut the stretch with most matches out of a passage, and mark them."""
    from rich.text import Text

    spans = list(match_spans(query, text, language))
    start, end = _stretch(text, spans)
    shown = Text(_CONTROL.sub("\ufffd", text[start:end].replace("\r\n", " \n")).replace("\n", " ").replace("\t", " "))
    for left, right in spans:
        if start <= left and right <= end:
            shown.stylize("bold yellow", left - start, right - start)
    return Text("… " if start else "") + shown + Text(" …" if end < len(text) else "")


def _stretch(text: str, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Choose at most 300 characters with as many matches as possible, between blanks where there are any."""
    if len(text) <= _SNIPPET:
        return 0, len(text)
    starts = [max(0, text.find(" ", max(0, left - 40), left) + 1 if left > 40 else 0) for left, _ in spans] or [0]
    start = max(starts, key=lambda start: sum(start <= left and right <= start + _SNIPPET for left, right in spans))
    start = min(start, len(text) - _SNIPPET)
    end = start + _SNIPPET
    return start, text.rfind(" ", end - 20, end) if end < len(text) and " " in text[end - 20 : end] else end


def print_summary(summary: "Summary", as_json: bool, deletable: Sequence[str] | None = None) -> None:
    """Print what an index run did; with `deletable` (a dry run) also the ids that it would delete."""
    if as_json:
        print_json(asdict(summary) | ({} if deletable is None else {"deletable": sorted(deletable)}))
        return
    for doc_id in sorted(deletable or ()):
        print_text(f"would delete {_line(doc_id)}")
    counts = ("read", "added", "updated", "unchanged", "deleted", "rejected")
    done = ", ".join(f"{getattr(summary, name):,} {name}" for name in counts)
    held = f"{summary.documents:,} documents, {summary.passages:,} passages in the index"
    print_text(f"{done} · {held} · {summary.seconds:.1f} s")


def print_rejects(rejects: Sequence["Reject"], total: int) -> None:
    """Describe the first rejected lines on stderr."""
    for reject in rejects[:_SHOWN_REJECTS]:
        print_note(f"rejected {reject.file}:{reject.line}: {reject.reason}")
    if total > _SHOWN_REJECTS:
        print_note(f"… and {total - _SHOWN_REJECTS:,} more; --rejects FILE keeps them all")


@contextmanager
def progress(label: str) -> Iterator[Callable[[int], None]]:
    """Show how much is done, and its rate, on stderr while work goes on, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.completed:,.0f} · {task.speed or 0:,.0f}/s")

    columns = (TextColumn("{task.description}"), BarColumn(), Rate(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def steps() -> Iterator[Callable[["Step"], None]]:
    """Show each step of a training on stderr where it is a terminal; a line for each checkpoint anywhere."""
    if not sys.stderr.isatty():
        yield lambda step: print_note(_step(step)) if step.saved else None
        return
    from rich.console import Console
    from rich.status import Status

    with Status("", console=Console(stderr=True, markup=False, highlight=False)) as status:

        def show(step: "Step") -> None:
            status.update(_step(step))
            if step.saved:
                status.console.print(_step(step))

        yield show


def _step(step: "Step") -> str:
    of = f" of {step.steps:,}" if step.steps else ""
    held = "" if step.held is None else f" · {step.held:.3f} bits/byte held out"
    rate = f"{step.tokens_per_second:,.0f} tokens/s · {_duration(step.seconds_left)} left"
    return f"step {step.step:,}{of} · loss {step.loss:.3f}{held} · {rate}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def print_training(training: "Training", as_json: bool) -> None:
    """Print what a training did."""
    if as_json:
        print_json(training._asdict())
        return
    if training.unextended:
        old = training.unextended
        tokens = f"{_figure(old['tokens_per_character'])} → {_figure(training.tokens_per_character)}"
        print_text(f"tokens a character: {tokens}")
        print_text(f"bits a byte, new tokens untrained: {_figure(old['bits_per_byte'])} → {_figure(training.before)}")
    print_text(f"bits a byte, held out: {_figure(training.before)} → {_figure(training.after)}")
    size = f"{training.steps:,} steps, {training.tokens:,} tokens"
    print_text(f"{size} · {_duration(training.seconds)} · {training.output}")


def print_survey(survey: "Survey", as_json: bool) -> None:
    """Print what a training would be."""
    if as_json:
        print_json(survey.data | {"steps": survey.steps, "seconds": survey.seconds})
        return
    shares = {"cut": "texts longer than a row", "badly_split": "words split badly"}
    for name, value in survey.data.items():
        label = shares.get(name, name.replace("_", " "))
        if value is None:
            continue
        shown = f"{value:.1%}" if name in shares else f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
        print_text(f"{shown:>12}  {label}")
    steps = f"{survey.steps:,} steps, " if survey.steps else ""
    print_text(f"{steps}about {_duration(survey.seconds)}")


def stream(piece: str) -> None:
    """Print a piece of text as it comes."""
    sys.stdout.write(clean(piece))
    sys.stdout.flush()


def print_completions(
    prompt: str, completions: Sequence["Completion"], model: str, seed: int, as_json: bool, streamed: bool
) -> None:
    """Print completions as a JSON object, or as text with a blank line between two; of a streamed one, its end only."""
    texts = [completion.text for completion in completions]
    if as_json:
        tokens = [completion.tokens for completion in completions]
        print_json({"prompt": prompt, "completions": texts, "model": model, "seed": seed, "new_tokens": tokens})
    elif streamed:
        print_text("")
    else:
        print_text("\n\n".join(text.strip("\n") for text in texts))


def print_each(
    prompts: Sequence[str], completions: Sequence["Completion"], model: str, seed: int, as_json: bool
) -> None:
    """Print the completion of each prompt: a JSON object a line, or texts with a blank line between two."""
    for n, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        if n and not as_json:
            print_text("")
        print_completions(prompt, [completion], model, seed, as_json, streamed=False)


def print_prompt(prompt: "Prompt", as_json: bool) -> None:
    """Print a prompt, and on stderr what did not fit into it."""
    if as_json:
        fields = prompt._asdict()
        print_json(fields | {name: [item._asdict() for item in fields[name]] for name in ("used", "dropped")})
        return
    print_text(prompt.text)
    _note_dropped(prompt.dropped)


def print_answer(answer: "Answer", key: str, as_json: bool, streamed: bool) -> None:
    """Print an answer with its sources; the text itself only ends where it was streamed. `key` names the question."""
    if as_json:
        print_json(_answer_json(answer, key))
        return
    if answer.abstained:
        print_note("No passage is good enough to answer from; the nearest are listed.")
    else:
        print_text("" if streamed else answer.answer)
        print_text("")
    unsupported = sum(sentence.source is None for sentence in answer.sentences)
    if unsupported:
        print_note(f"{unsupported} of {len(answer.sentences)} sentences stand in no source.")
    console = _console()
    for source in answer.sources:
        console.print(_source(source), soft_wrap=True)
    _note_dropped(answer.dropped)


def write_answer(line_id: str, answer: "Answer", file: BinaryIO | None) -> None:
    """Write an answer as a line of JSON with the id of its question, to a file or to stdout."""
    line = {"id": line_id, **_answer_json(answer, "question")}
    if file is None:
        print_json(line)
    else:
        file.write(orjson.dumps(line) + b"\n")
        file.flush()


def _note_dropped(spans: Sequence["Span"]) -> None:
    if spans:
        names = ", ".join(f"{span.id} {span.start}-{span.end}" for span in spans)
        print_note(f"not in the prompt, for lack of room: {names}")


def _source(source: "Source") -> "Text":
    from rich.text import Text

    place = f"  {_line(source.id)} {source.start}-{source.end}  {source.score:.2f}"
    return Text.assemble((f"[{source.n}] ", "cyan"), (_line(source.title or source.id), "bold"), (place, "dim"))


def _answer_json(answer: "Answer", key: str) -> dict[str, Any]:
    fields = answer._asdict()
    question = fields.pop("question")
    for name in ("sources", "sentences", "dropped"):
        fields[name] = [item._asdict() for item in fields[name]]
    fields["seconds"] = answer.seconds._asdict()
    return {key: question, **fields}


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def print_report(report: "Report", as_json: bool) -> None:
    """Print what was measured: one JSON object, or a table of the measures."""
    if as_json:
        print_json(report._asdict())
        return
    from rich.table import Table

    without = report.details.get("without_passages", {})
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Measure")
    table.add_column("Value", justify="right")
    for heading in ("Without passages", "Gain") if without else ():
        table.add_column(heading, justify="right")
    for name, value in report.metrics.items():
        more = (_figure(without[key].get(name)) for key in ("metrics", "gain")) if without else ()
        table.add_row(name, _figure(value), *more)
    _console().print(table)
    print_text(f"{report.queries:,} queries · {report.seconds:.1f} s")


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def print_crossings(crossings: Sequence["Crossing"]) -> None:
    """Say on stderr which measures crossed which line."""
    for measure, value, line, source in crossings:
        print_note(f"Gate: {measure} is {value:.4f}, {'over' if value > line else 'under'} {line:.4f} ({source})")


def print_comparison(comparison: "Comparison", show: int, as_json: bool) -> None:
    """Print how two reports differ, and the queries that changed most."""
    changed = comparison.most_changed(show)
    if as_json:
        print_json(
            {
                "shared": comparison.shared,
                "only_a": comparison.only_a,
                "only_b": comparison.only_b,
                "changed_data": comparison.changed_data,
                "measures": [
                    {**difference._asdict(), "change": difference.change} for difference in comparison.differences
                ],
                "by": comparison.measure,
                "changed": [value._asdict() for value in changed],
            }
        )
        return
    _note_unlike(comparison)
    _console().print(_differences(comparison.differences))
    if changed:
        print_text("")
        _console().print(_changes(changed, comparison))


def _note_unlike(comparison: "Comparison") -> None:
    if comparison.only_a or comparison.only_b:
        left_out = f"{comparison.only_a:,} of A and {comparison.only_b:,} of B left out"
        print_note(f"compared over the {comparison.shared:,} queries that both reports have; {left_out}")
    if comparison.changed_data:
        print_note(f"the reports were measured on different data: {', '.join(comparison.changed_data)}")


def _differences(differences: Sequence["Difference"]) -> "Table":
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("Measure")
    for heading in ("A", "B", "Change", "p", "Wins", "Ties", "Losses"):
        table.add_column(heading, justify="right")
    for d in differences:
        counts = (f"{count:,}" for count in (d.wins, d.ties, d.losses))
        table.add_row(d.measure, _figure(d.a), _figure(d.b), f"{d.change:+.4f}", _figure(d.p_value), *counts)
    return table


def _changes(changed: Sequence["Changed"], comparison: "Comparison") -> "Table":
    from rich.table import Table
    from rich.text import Text

    asked = comparison.a.details.get("queries", {})
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(f"Query, by {comparison.measure}", overflow="fold")
    for heading in ("A", "B", "Change"):
        table.add_column(heading, justify="right")
    for query, a, b in changed:
        text = Text.assemble(_line(query), (f"  {_line(asked.get(query, {}).get('question', ''))}", "dim"))
        table.add_row(text, _figure(a), _figure(b), f"{b - a:+.4f}")
    return table
