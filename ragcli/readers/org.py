"""Read Org as text with headings: lists, tables, links and marks become plain text."""

import re

from ragcli.readers.outline import Outline, Page, dedented, rows_text, table_text

_HEADING = re.compile(r"(\*{1,8})\s+(?:(?:TODO|DONE|NEXT|WAITING)\s+)?(?:\[#\w\]\s+)?(.*?)(?:\s+:[\w:@]+:)?\s*$")
_CONTENTS = re.compile(r":TOC\w*:\s*$")  # marks a heading above a table of contents
_SETTING = re.compile(r"#\+(\w+):\s*(.*)$")
_NO_HEADING = re.compile(r"(?!\*{1,8}\s)")
_FENCE = re.compile(r"\s*#\+begin_(src|example|export|comment)\b\s*([\w-]*)", re.IGNORECASE)
_SILENT = re.compile(r"\s*(?:#(?:\s|\+|$)|:[\w-]+:|-{5,}\s*$|(?:CLOSED|SCHEDULED|DEADLINE):|\[fn:[\w-]*\]\s*$)")
_FIXED = re.compile(r"\s*:(?:\s|$)")
_ITEM = re.compile(r"\s*(?:[-+]|\s\*|\d+[.)])\s+\S")
_ROW = re.compile(r"\s*\|")
_RULE = re.compile(r"\s*\|-")
_ENTRY = re.compile(r"(?m)^(\s*[-+]\s+\S.{0,200}?)\s+::(?=\s|$)")
# What ends on its line is looked for within limits, so that the time stays in proportion to the text.
_INLINE = (
    (re.compile(r"\[\[[^\[\]]{0,500}\]\[(.{1,500}?)\]\](?!\])", re.DOTALL), r"\1"),
    (re.compile(r"\[\[(?:[a-z-]+:)?([^\[\]\n]{1,500})\]\]"), r"\1"),
    (re.compile(r"\[fn:[\w-]{0,60}\]|<<<?[^<>\n]{1,200}>>>?"), ""),
    (
        re.compile(
            r"(?<![^\s({'\"\-])([*/=~_+])(?=\S)([^\n]{0,300}?\n?[^\n]{0,300}?)(?<=\S)\1(?=[\s\-.,;:!?'\")}\[]|$)"
        ),
        r"\2",
    ),
)


def read_org(text: str) -> Page:
    """Return the page of an Org file; its title is `#+TITLE`, or else its first heading."""
    outline = Outline({"line": 1})
    reader = _Reader(text.split("\n"), outline)
    reader.read()
    return Page(reader.title or outline.title, outline.sections())


class _Reader:
    """Read a file line by line."""

    def __init__(self, lines: list[str], outline: Outline) -> None:
        self._lines = [line.rstrip() for line in lines]
        self._outline = outline
        self._at = 0
        self._run: list[str] = []
        self.title = ""

    def read(self) -> None:
        """Add all blocks to the outline."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if found := _FENCE.match(line):
                self._fenced(found[1].lower(), found[2])
            elif found := _HEADING.match(line):
                self._end_run()
                self._outline.heading(len(found[1]), plain_org(found[2]), {"line": self._at})
                if _CONTENTS.search(line):
                    self._while(_NO_HEADING)
            elif found := _SETTING.match(line):
                self.title = plain_org(found[2]) if found[1].lower() == "title" else self.title
            elif _FIXED.match(line):
                self._code([one.lstrip()[2:] for one in [line, *self._while(_FIXED)]])
            elif _ROW.match(line):
                self._table([line, *self._while(_ROW)])
            elif not line:
                self._end_run()
            elif not _SILENT.match(line):
                self._run.append(line)
        self._end_run()

    def _while(self, kind: re.Pattern[str]) -> list[str]:
        start = self._at
        while self._at < len(self._lines) and kind.match(self._lines[self._at]):
            self._at += 1
        return self._lines[start : self._at]

    def _fenced(self, kind: str, language: str) -> None:
        start = self._at
        end = f"#+end_{kind}"
        while self._at < len(self._lines) and self._lines[self._at].strip().lower() != end:
            self._at += 1
        self._at += 1
        if kind in ("src", "example"):
            self._code(dedented(self._lines[start : self._at - 1]), language if kind == "src" else "")

    def _code(self, lines: list[str], language: str = "") -> None:
        self._end_run()
        self._outline.add(f"```{language}\n" + "\n".join(lines) + "\n```", whole=True)

    def _table(self, lines: list[str]) -> None:
        self._end_run()
        ruled = len(lines) > 1 and bool(_RULE.match(lines[1]))
        rows = [
            [" ".join(plain_org(cell.strip()).split()) for cell in line.strip().strip("|").split("|")]
            for line in lines
            if not _RULE.match(line)
        ]
        self._outline.add(table_text(rows) if ruled else rows_text(rows), whole=True)

    def _end_run(self) -> None:
        if self._run:
            text = plain_org("\n".join(self._run))
            self._outline.add(text, whole=bool(_ITEM.match(self._run[0])))
            self._run = []


def plain_org(text: str) -> str:
    """Return a text without inline markup."""
    text = _ENTRY.sub(r"\1:", text)
    for pattern, shown in _INLINE:
        text = pattern.sub(shown, text)
    return text
