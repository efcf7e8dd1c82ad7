"""Texts given to a command, as an argument or on standard input."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragcli.errors import UsageError, first_line

_CONVERT = "Convert it first, for example by iconv -t utf-8."


def read_argument(argument: str) -> str:
    """Return an argument, or for `-` the text on standard input. Raises UsageError for text that is not UTF-8."""
    try:
        text = _stdin() if argument == "-" else argument
        text.encode("utf-8")
    except UnicodeError as e:
        raise UsageError("the text is not UTF-8", _CONVERT) from e
    return text


def _stdin() -> str:
    """Return the text on standard input, without a byte order mark and the last line end."""
    return sys.stdin.buffer.read().decode("utf-8-sig").removesuffix("\n").removesuffix("\r")


def split_lines(text: str) -> list[str]:
    """Return the lines of a text that are not blank; only LF and CRLF end a line, as in a text file."""
    return [line.removesuffix("\r") for line in text.split("\n") if line.strip()]


def stdin_lines() -> Iterator[str]:
    """Yield the lines of standard input as they arrive, without byte order marks; invalid UTF-8 becomes U+FFFD."""
    return (line.decode("utf-8", "replace").lstrip("\ufeff") for line in iter(sys.stdin.buffer.readline, b""))


def read_schema(file: Path | None) -> dict[str, Any] | None:
    """Read a JSON Schema, if a file is named. Raises UsageError for an invalid one."""
    if file is None:
        return None
    try:
        schema = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        raise UsageError(f"cannot read the schema {file}: {first_line(e)}", "Give a file that holds JSON.") from e
    if not isinstance(schema, dict):
        raise UsageError(f"{file} holds no JSON Schema", 'A schema is an object, such as {"type": "object"}.')
    return schema
