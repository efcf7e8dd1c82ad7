"""The result of a reader: pages, with sections of text under headings."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile, zip_longest
from typing import Any, NamedTuple

from ragcli.documents import Span

_LONGEST_LEAD = 300  # characters
_LABEL = re.compile(
    r"(?:note|info|tip|hint|important|warning|caution|danger|attention|error|success|example|see also):", re.IGNORECASE
)
_WIDEST = 100  # columns that cells may span, so that a few letters do not make a million cells
_DASHES = ("-", "–", "—", "--", "---")
_LISTED = re.compile(r"[-*+•]\s|\(?\w{1,2}[.)]\s")


class Section(NamedTuple):
    """Hold the text under a heading, its heading path from the outermost, and its position (line or page).

    `whole` are spans of the text that belong together: lists, tables, code, with what introduces them.
    """

    headings: tuple[str, ...]
    text: str
    place: Mapping[str, int | str]
    whole: tuple[Span, ...] = ()


class Page(NamedTuple):
    """Hold a page (a file, message or chapter), its title (empty: that of the file), and its metadata."""

    title: str
    sections: list[Section]
    metadata: Mapping[str, Any] = {}


class Cell(NamedTuple):
    """Hold a table cell, and how many columns and rows it spans."""

    text: str
    columns: int = 1
    rows: int = 1


class Outline:
    """Collect blocks of text under their headings."""

    def __init__(self, place: Mapping[str, int | str] | None = None) -> None:
        self.title = ""  # the first heading, if it is the only one of the first level
        self._headings: list[tuple[int, str]] = []
        self._done: list[Section] = []
        self._place: Mapping[str, int | str] = place or {}
        self._blocks: list[tuple[str, bool]] = []

    def heading(self, level: int, text: str, place: Mapping[str, int | str]) -> None:
        """Begin a section."""
        self._close()
        text = " ".join(text.split())
        self._headings = [(other, above) for other, above in self._headings if other < level]
        if text:
            self._headings.append((level, text))
        if not self.title and level == 1:
            self.title = text
        self._place = place

    def add(self, text: str, *, whole: bool = False) -> None:
        """Add a block: a paragraph, or with `whole`, text that must not be split. A paragraph continues a label."""
        text = text.strip("\n").rstrip()
        last = self._blocks[-1][0] if self._blocks else ""
        if text and not whole and continues(last, text):
            self._blocks[-1] = (f"{last} {text}", False)
        elif text.strip():
            self._blocks.append((text, whole))

    def sections(self) -> list[Section]:
        """Return the sections with text."""
        self._close()
        return self._done

    def _close(self) -> None:
        if not self._blocks:
            return
        text = "\n\n".join(block for block, _ in self._blocks)
        headings = tuple(heading for _, heading in self._headings)
        self._done.append(Section(headings, text, self._place, tuple(self._whole())))
        self._blocks = []

    def _whole(self) -> Iterator[Span]:
        """Yield the spans of what belongs together, each with the short paragraphs before it that end with a colon."""
        at = 0
        lead: int | None = None  # where such paragraphs begin
        for block, kept in self._blocks:
            start = at + len(block) - len(block.lstrip())
            if kept:
                yield start if lead is None else lead, at + len(block)
                lead = None
            elif block.endswith((":", "：")) and len(block) <= _LONGEST_LEAD:
                lead = start if lead is None else lead
            else:
                lead = None
            at += len(block) + 2


def continues(label: str, text: str) -> bool:
    """Return whether a paragraph goes on after a label such as "Note:"."""
    return bool(_LABEL.fullmatch(label)) and not _LISTED.match(text)


def spread(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    """Return the texts of a table's rows in their columns.

    A cell that spans rows is in each of them; one that spans columns is in the first, or in all in the first row.
    """
    found: list[list[str]] = []
    hanging: dict[int, Cell] = {}  # what spans the row, by column
    for row in rows:
        texts: list[str] = []
        below: dict[int, Cell] = {}
        for cell in [*row, None]:
            while above := hanging.get(len(texts)):
                _put(above, texts, below)
            if cell:
                for column in range(min(cell.columns, _WIDEST)):
                    _put(cell._replace(text=cell.text if column == 0 or not found else ""), texts, below)
        found.append(texts)
        hanging = below
    return found


def _put(cell: Cell, texts: list[str], below: dict[int, Cell]) -> None:
    if cell.rows > 1 and len(texts) < _WIDEST:
        below[len(texts)] = Cell(cell.text, 1, cell.rows - 1)
    texts.append(cell.text)


def with_one_header(rows: list[list[str]], headers: int) -> list[list[str]]:
    """Return a table with one row of column names, made of several of them."""
    if not 1 < headers < len(rows):
        return rows
    names = [" ".join(dict.fromkeys(filter(None, column))) for column in zip_longest(*rows[:headers], fillvalue="")]
    return [names, *rows[headers:]]


def table_text(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows of a table as lines, each with the column names of the first row.

    Rows of one cell above it are titles. A dash stands for an empty cell, except in the first column.
    """
    titles = list(takewhile(lambda row: len(row) == 1, rows)) if max(map(len, rows), default=0) > 1 else []
    if titles:
        return "\n".join([*(row[0] for row in titles if row[0]), table_text(rows[len(titles) :])])
    if len(rows) < 2:
        return "; ".join(cell for row in rows for cell in row if cell)
    names = rows[0]
    lines = []
    for row in rows[1:]:
        filled = [(i, cell) for i, cell in enumerate(row) if cell and (i == 0 or cell not in _DASHES)]
        cells = [f"{names[i]}: {cell}" if i < len(names) and names[i] else cell for i, cell in filled]
        lines.append("- " + "; ".join(cells))
    return "\n".join(line for line in lines if line != "- ")


def rows_text(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows of a table without column names as lines."""
    return "\n".join("- " + "; ".join(filter(None, row)) for row in rows if any(row))


def dedented(lines: Sequence[str]) -> list[str]:
    """Return lines without the indentation that all of them have."""
    least = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[least:] for line in lines]
