"""The log of questions with hits, prompt, model and answer, in a SQLite file that only the user may read."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ragcli.answer.schema import Answer
from ragcli.callbacks import ignore
from ragcli.errors import RagcliError, UsageError, first_line
from ragcli.settings import data_home

_TABLE = """create table if not exists log (
    id integer primary key, time text, command text, question text, answer text,
    model text, revision text, prompt text, content text)"""
_COLUMNS = ("time", "command", "question", "answer", "model", "revision", "prompt", "content")
_SECONDS = 0.5  # to wait for another process; then the entry is dropped


class Entry(NamedTuple):
    """Hold a logged answer, with its time, command, and revision of the model."""

    id: int
    time: str
    command: str
    revision: str
    prompt: str
    answer: Answer

    def as_json(self) -> dict[str, Any]:
        """Return all fields."""
        return {**self._asdict(), **self.answer.as_json()}


class Log:
    """Log answers. Failures are only noted, so that an answer is never lost."""

    def __init__(
        self,
        command: str,
        revision_of: Callable[[str], str] = lambda _: "",
        on: bool = True,
        note: Callable[[str], None] = ignore,
    ) -> None:
        """Prepare the log; `revision_of` returns the revision of a model by name."""
        self._command, self._revision_of, self._on, self._note = command, revision_of, on, note

    def add(self, answer: Answer) -> None:
        """Log an answer."""
        if not self._on:
            return
        revision = self._revision_of(answer.model) if answer.model else ""
        content = orjson.dumps(answer.as_json(), default=dict)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = (now, self._command, answer.question, answer.answer, answer.model, revision, answer.prompt, content)
        try:
            path = log_file()
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            with closing(sqlite3.connect(path, timeout=_SECONDS)) as database, database:
                database.execute("pragma synchronous = off")  # the last entries may be lost in a power failure
                database.execute(_TABLE)
                database.execute(f"insert into log ({', '.join(_COLUMNS)}) values (?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608 (no user's text)
        except (OSError, sqlite3.Error, UnicodeError) as error:
            self._note(f"not logged: {first_line(error)}")

    def each(self, answers: Iterable[tuple[str, Answer]]) -> Iterator[tuple[str, Answer]]:
        """Yield answers with their ids, and log them."""
        for line_id, answer in answers:
            yield line_id, answer
            self.add(answer)


def log_file() -> Path:
    """Return the file of the log."""
    return data_home() / "logs.db"


def read_log(words: str = "", limit: int = 10) -> list[Entry]:
    """Return the last entries whose question and answer have all words, the newest first. Raises RagcliError."""
    path = log_file()
    if not path.exists():
        return []
    wanted = [f"%{_escaped(word)}%" for word in words.split()]
    having = " and ".join(["1"] + [r"question || ' ' || answer like ? escape '\'" for _ in wanted])
    query = f"select id, time, command, revision, prompt, content from log where {having} order by id desc limit ?"  # noqa: S608 (no user's text)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", timeout=_SECONDS, uri=True)) as database:
            rows = database.execute(query, [*wanted, limit]).fetchall()
        return [Entry._make((*row, Answer.from_json(orjson.loads(content)))) for *row, content in rows]
    except (sqlite3.Error, ValueError, LookupError, TypeError) as error:
        raise RagcliError(f"cannot read the log {path}: {first_line(error)}", "Move the file away.") from error


def last_answer() -> Answer:
    """Return the last answer to a question that was asked. Raises UsageError if there is none."""
    found = next((entry.answer for entry in read_log(limit=100) if entry.command in ("ask", "chat")), None)
    if found is None:
        raise UsageError("there is no question to continue", "Ask one first, without --no-log.")
    return found


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
