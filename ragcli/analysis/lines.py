"""Classify the lines of a text: heading, list item, table row, code, question, plain text."""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """Name the kinds of lines."""

    BLANK = auto()
    HEADING = auto()
    UNDERLINE = auto()
    ITEM = auto()
    ROW = auto()
    RULE = auto()
    FENCE = auto()
    CODE = auto()
    ASKED = auto()
    LABEL = auto()
    TEXT = auto()


class Line(NamedTuple):
    """Hold the span of a line without surrounding white space, its indentation, and its kind."""

    start: int
    end: int
    indent: int
    kind: Kind


_FENCE = re.compile(r"```+|~~~+")
_LONGEST_LABEL = 120
_TAB = 4

# In order of precedence: a rule of a table is not a row, and `A: 1` not a label.
_KINDS = (
    (Kind.HEADING, re.compile(r"#{1,6}\s")),
    (Kind.RULE, re.compile(r"[|+](?=.*-)[-=:|+\s]+$")),
    (Kind.ROW, re.compile(r"\|.*\||[^|\n]+\s\|\s[^|\n]+\s\|\s.*[^|\s]")),
    (Kind.UNDERLINE, re.compile(r"([=\-~^*\"'+#.])\1{2,}$")),
    (Kind.ITEM, re.compile(r"(?:[-*+•‣◦·]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")),
    (Kind.ASKED, re.compile(r"\**(?:Q|Question|问|問)\s*\d*\s*[:：.)]\**\s*\S", re.IGNORECASE)),
    (Kind.LABEL, re.compile(r"\**[^\W\d_][\w /&'’-]{0,30}\**[:：]\**\s*[^\s/]")),
)


def read_lines(text: str) -> Iterator[Line]:
    """Yield the lines of a text. Lines between two fences are code."""
    fence = ""
    at = 0
    while at <= len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        content = text[at:end]
        line = content.strip()
        start = at + len(content) - len(content.lstrip())
        indent = len(content[: start - at].expandtabs(_TAB))
        mark = _FENCE.match(line)
        if fence:
            kind = Kind.FENCE if mark and line.startswith(fence) and not line.strip(fence[0]) else Kind.CODE
            fence = "" if kind == Kind.FENCE else fence
        elif mark and mark[0][0] not in line[mark.end() :]:
            kind, fence = Kind.FENCE, mark[0]
        else:
            kind = _kind(line)
        yield Line(start, start + len(line), indent, kind)
        at = end + 1


def _kind(line: str) -> Kind:
    if not line:
        return Kind.BLANK
    kind = next((kind for kind, pattern in _KINDS if pattern.match(line)), Kind.TEXT)
    if kind == Kind.LABEL and len(line) > _LONGEST_LABEL:
        return Kind.TEXT
    return kind
