"""Print the progress and the summary of a training."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ragcli.counts import counted
from ragcli.render.base import duration, figure, print_json, print_note, print_text

if TYPE_CHECKING:
    from ragcli.train.loop import StepReport as Step
    from ragcli.train.reader import ReaderReport, ReaderSummary
    from ragcli.train.run import Summary as Training
    from ragcli.train.run import Survey

_SHOWN = 50  # steps between two lines on a terminal


@contextmanager
def steps() -> Iterator[Callable[["Step"], None]]:
    """Show the current step on stderr if it is a terminal, and a line for each checkpoint."""
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
    validation = "" if step.validation is None else f" · {step.validation:.3f} bits/byte of validation"
    rate = f"{step.tokens_per_second:,.0f} tokens/s · {duration(step.seconds_left)} left"
    return f"step {step.step:,}{of} · loss {step.loss:.3f}{validation} · {rate}"


def print_training(training: "Training", as_json: bool) -> None:
    """Print the summary of a training. Raises KeyboardInterrupt for one that was interrupted."""
    _stop_if_interrupted(training)
    if as_json:
        print_json(training._asdict())
        return
    if training.unextended:
        old = training.unextended
        tokens = f"{figure(old['tokens_per_character'])} → {figure(training.tokens_per_character)}"
        print_text(f"tokens a character: {tokens}")
        print_text(f"bits a byte, new tokens untrained: {figure(old['bits_per_byte'])} → {figure(training.before)}")
    print_text(f"bits a byte of validation: {figure(training.before)} → {figure(training.after)}")
    size = f"{_steps(training.steps)}, {training.tokens:,} tokens"
    print_text(f"{size} · {duration(training.seconds)} · {training.output}")


def print_survey(survey: "Survey", as_json: bool) -> None:
    """Print the survey of --dry-run."""
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
    steps = f"{_steps(survey.steps)}, " if survey.steps else ""
    print_text(f"{steps}about {duration(survey.seconds)}")


@contextmanager
def reader_steps() -> Iterator[Callable[["ReaderReport"], None]]:
    """Show each checkpoint of a reader's training on stderr; on a terminal also every 50th step."""
    terminal = sys.stderr.isatty()

    def show(report: "ReaderReport") -> None:
        of = f" of {report.steps:,}" if report.steps else ""
        line = f"step {report.step:,}{of} · loss {report.loss:.3f} · {duration(report.seconds)}"
        if report.saved or (terminal and report.step % _SHOWN == 0):
            print_note(line)

    yield show


def _stop_if_interrupted(training: "Training | ReaderSummary") -> None:
    if training.interrupted:
        print_note(f"interrupted after step {training.steps}; continue with --resume")
        raise KeyboardInterrupt


def print_reader_training(training: "ReaderSummary", as_json: bool) -> None:
    """Print the summary of a reader's training. Raises KeyboardInterrupt for one that was interrupted."""
    _stop_if_interrupted(training)
    if as_json:
        found = {
            name: value._asdict() if value else None
            for name, value in (("before", training.before), ("after", training.after))
        }
        print_json(training._asdict() | found)
        return
    counts = f"{counted(training.questions, 'question', 'questions')} to train on, {training.held_out:,} for validation"
    print_text(f"{counts}; {training.left_out:,} left out")
    if training.before and training.after:
        best = f"{training.before.best:.3f} → {training.after.best:.3f}"
        two = f"{training.before.best_two:.3f} → {training.after.best_two:.3f}"
        print_text(f"right block first (validation): {best}; first or second: {two}")
    print_text(f"{_steps(training.steps)} · {duration(training.seconds)} · {training.output}")


def _steps(n: int) -> str:
    return counted(n, "step", "steps")
