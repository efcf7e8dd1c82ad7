"""Show a conversation, and save its turns."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ragcli.errors import RagcliError
from ragcli.render.answers import print_reply, print_sources, writing
from ragcli.render.base import line, on_terminal, print_error, print_json, print_note, print_text

if TYPE_CHECKING:
    from ragcli.answer.chat import Turn
    from ragcli.answer.schema import Answer


class ChatView:
    """Show a conversation as text or as JSON Lines, and append its turns to a file."""

    def __init__(self, as_json: bool, history: Path) -> None:
        self._as_json = as_json
        self._history = history

    def said(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield lines; on a terminal after a prompt, with line editing and history."""
        if not _has_prompt():
            yield from lines
            return
        import readline  # noqa: F401 (input() edits lines by it)

        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")
        with suppress(EOFError):
            while True:
                yield input("> ")
        print_text("")

    def writing(self) -> AbstractContextManager[Callable[[str], None] | None]:
        """Show a text while it is written, on a terminal."""
        return writing(not self._as_json and on_terminal())

    def show_turn(self, turn: "Turn") -> None:
        """Print the answer of a turn, and append the turn to the history."""
        if self._as_json:
            print_json(_turn_json(turn))
        else:
            if not _has_prompt():
                print_text(f"> {line(turn.said)}")
            print_reply(turn.answer)
        self._history.parent.mkdir(parents=True, exist_ok=True)
        if not self._history.exists():
            self._history.touch(0o600)
        with self._history.open("ab") as file:
            file.write(orjson.dumps(_turn_json(turn)) + b"\n")

    def show_sources(self, answer: "Answer") -> None:
        """Print the sources of an answer."""
        if self._as_json:
            print_json({"sources": answer.as_json()["sources"]})
        else:
            print_sources(answer, show=True)

    def show_error(self, error: RagcliError) -> None:
        """Print why there is no answer."""
        print_error(error)

    def show_note(self, text: str) -> None:
        """Print a line to stderr."""
        print_note(text)


def _has_prompt() -> bool:
    """Return whether the user types questions after a prompt, where they can be seen above the answers."""
    return sys.stdin.isatty() and on_terminal()


def _turn_json(turn: "Turn") -> dict[str, Any]:
    return {"said": turn.said, **turn.answer.as_json()}
