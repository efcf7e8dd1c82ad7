"""The base of all printing: results on stdout, the rest on stderr, no control characters on a terminal."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import orjson

from ragcli.errors import RagcliError

if TYPE_CHECKING:
    from rich.console import Console

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_NOT_ESCAPED_BY_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def on_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def clean(text: str) -> str:
    """Replace control characters (except tabs and line ends) and text direction marks by a visible mark."""
    return CONTROL.sub("\ufffd", text.replace("\r\n", "\n"))


def print_error(error: RagcliError) -> None:
    """Print an error's two lines to stderr: what failed, and what to do next."""
    sys.stderr.write(f"Error: {line(error.message)}\n{line(error.hint)}\n")


def print_note(text: str) -> None:
    """Print a line to stderr."""
    sys.stderr.write(line(text) + "\n")


def print_json(value: Any) -> None:
    """Print a value as one line of JSON."""
    line = orjson.dumps(value, default=dict).decode()  # read-only mappings are not dicts
    sys.stdout.write(_NOT_ESCAPED_BY_JSON.sub(lambda m: f"\\u{ord(m[0]):04x}", line) + "\n")


def print_text(text: str) -> None:
    """Print plain text."""
    sys.stdout.write(clean(text) + "\n")


def line(text: str) -> str:
    """Return a text as one clean line."""
    return clean(" ".join(text.splitlines()))


@contextmanager
def progress(label: str) -> Iterator[Callable[[int], None]]:
    """Show progress and its rate on stderr if that is a terminal."""
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


def duration(seconds: float) -> str:
    """Return seconds in a suitable unit."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def console() -> "Console":
    """Return a console that does not parse markup."""
    from rich.console import Console

    width, height = _size()
    return Console(highlight=False, markup=False, emoji=False, width=width, height=height)


def _size() -> tuple[int | None, int | None]:
    """Return columns and lines of the terminal that is behind a standard stream, as rich finds them; None for unknown.

    Rich asks the streams that this process was started with: a server prints to those of others.
    """
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # none, or no terminal
            columns, lines = os.get_terminal_size(stream.fileno())
            return int(os.environ.get("COLUMNS") or columns), int(os.environ.get("LINES") or lines)
    return None, None


def figure(value: float | None) -> str:
    """Return a measure's value, or a dash for none."""
    return "–" if value is None else f"{value:.4f}"
