"""Read AsciiDoc as text with headings: attributes are filled in; lists, tables, macros and marks become plain text."""

import html
import re
from collections.abc import Mapping

from ragcli.readers.outline import Outline, Page, dedented, rows_text, table_text

_HEADING = re.compile(r"(={1,6}|#{1,6})\s+(\S.*)$")
_UNDERLINE = re.compile(r"([=\-~^+])\1{3,}$")  # of a heading in two lines
_UNDERLINES = "=-~^+"
_ENTRY = re.compile(r":(!?)([\w-]+)(!?):(?:\s+(.*))?$")
_SILENT = re.compile(
    r"(?://(?!//).*|(?:include|ifdef|ifndef|ifeval|endif|toc|video|audio)::.*|\[\[.*\]\]|'{3,}|<{3,})$"
)
_COMMENT = "////"
_FENCE = re.compile(r"(-{4,}|\.{4,}|`{3,})\s*(\w*)$")
_DELIMITER = re.compile(r"(?:={4,}|\*{4,}|_{4,}|\+{4,}|--)$")  # of blocks whose content is read as all other text
_STYLE = re.compile(r"\[(?!\[)([^\]]*)\]$")
_TITLE = re.compile(r"\.(?=[^\s.])(.*)$")
_ADMONITION = re.compile(r"(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\b")
_ITEM = re.compile(r"\s*(\*{1,5}|-|\.{1,5}|\d{1,4}\.|<(?:\d{1,3}|\.)>)\s+(?=\S)(.*)$")
_TERM = re.compile(r"\s*(\S.*?)(:{2,4}|;;)(?:\s+(.*))?$")
_CALLOUT = re.compile(r"[ \t]*(?:(?://|#|--|;;)[ \t]*)?(?:<(?:\d{1,3}|\.)>[ \t]*)+$", re.MULTILINE)
_CALLED = re.compile(r"<(\d{1,3})>")

_TABLE = re.compile(r"\|={3,}$")
_CELL = re.compile(r"(?:(?:^|(?<=\s))(?:(\d{1,3})(?=[+.*]))?(?:\.\d{1,3})?[+*]?[<^>.]{0,4}[adehlmsv]?)?(?<!\\)\|")
_COLUMNS = re.compile(r'cols="?([^"\]]*)')
_REPEATED = re.compile(r"(\d{1,3})\*")
_MOST_COLUMNS = 1_000

_LONGEST_VALUE = 300  # characters of an attribute, which a text may name again and again
_VALUES = {
    **dict.fromkeys(("empty", "blank", "zwsp", "wj"), ""),
    **dict.fromkeys(("nbsp", "sp"), " "),
    **{"plus": "+", "asterisk": "*", "lt": "<", "gt": ">", "amp": "&", "startsb": "[", "endsb": "]", "vbar": "|"},
    **{"caret": "^", "tilde": "~", "backslash": "\\", "backtick": "`", "apos": "'", "quot": '"', "deg": "°"},
    **{"two-colons": "::", "two-semicolons": ";;", "cpp": "C++", "pp": "++"},
    **{"lsquo": "‘", "rsquo": "’", "ldquo": "“", "rdquo": "”"},
}
_ATTRIBUTE = re.compile(r"(?<!\\)\{([A-Za-z][\w-]{0,60})\}")
# What ends on its line is looked for within limits, so that the time stays in proportion to the text.
_LITERAL = re.compile(
    r"pass:[a-z,]*\[(.{0,500}?)(?<!\\)\]|\+\+\+(.{1,500}?)\+\+\+|(?<!\w)``?\+(.{1,500}?)\+``?"
    r"|(?<![\w+`])\+(?=[^\s+])([^+\n]{1,200})(?<=\S)\+(?![\w+`])",
    re.DOTALL,
)
_KEPT = re.compile("\x0e(\\d+)\x0f")
_IMAGE = re.compile(r"\bimage::?[^\s\[]{1,300}\[(?:\"([^\"\]]{0,300})\"|([^\],]{0,300}))[^\]]{0,300}\]")
_LINK = re.compile(r"\b(link|xref|mailto|https?|ftp|irc):([^\s\[\]<>]{1,500})\[((?:\\\]|[^\]]){0,500})\]")
_UNKNOWN_LINK = re.compile(r"\{[A-Za-z][\w-]{0,60}\}[^\s\[\]]{0,300}\[([^\]\n]{1,300}?)\^?\]")
_LINK_SETTINGS = re.compile(r",\s*\w+=.*$|\^$", re.DOTALL)
_PLAIN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:kbd|btn|stem|latexmath|asciimath):\[([^\]]{0,300})\]"), r"\1"),
    (re.compile(r"\bfootnote:[\w-]{0,60}\[([^\]]{1,500})\]"), r" (\1)"),
    (re.compile(r"\bmenu:([^\s\[][^\[\n]{0,100})\[([^\]\n]{1,200})\]"), r"\1 > \2"),
    (re.compile(r"\b(?:icon|anchor|indexterm2?|footnote|menu):[^\s\[]{0,200}\[[^\]]{0,200}\]"), ""),
    (re.compile(r"\[\[[^\]\n]{0,200}\]\]|\(\(\([^()\n]{0,200}\)\)\)"), ""),
    (re.compile(r"\(\(([^()\n]{1,200})\)\)"), r"\1"),
    (re.compile(r"<<[^<>,]{0,200},\s*([^<>]{0,200})>>"), r"\1"),
    (re.compile(r"<<#?([^<>]{1,200})>>"), r"\1"),
    (re.compile(r"([\"'])`(?=\S)(.{1,500}?)`\1", re.DOTALL), r"\1\2\1"),
    (re.compile(r"\[[\w.#%,=\" -]{1,60}\](?=[#*_`]\S)"), ""),
    (re.compile(r"(?<!\\)(\*\*|__|``|##)(?=\S)(.{1,500}?)(?<=\S)\1", re.DOTALL), r"\2"),
    *[(re.compile(r"(?<![\w\\])([*_`#])(?=\S)(.{1,1000}?)(?<=\S)\1(?!\w)", re.DOTALL), r"\2")] * 2,  # one in another
    (re.compile(r"(?<![\\^])\^([^\s^]{1,30})\^|(?<![\\~])~([^\s~]{1,30})~"), r"\1\2"),
    (re.compile(r"(?m) \+$"), ""),
    (re.compile(r"\\(?=[*_`#{<\[+^~'\"|-]|https?:|=>|\.\.\.)"), ""),
)


def read_asciidoc(text: str) -> Page:
    """Return the page of an AsciiDoc file; its title is its first heading."""
    outline = Outline({"line": 1})
    _Reader(text.split("\n"), outline).read()
    sections = outline.sections()
    return Page(outline.title, sections)


class _Reader:
    """Read a file line by line."""

    def __init__(self, lines: list[str], outline: Outline) -> None:
        self._lines = [line.rstrip() for line in lines]
        self._outline = outline
        self._at = 0
        self._values: dict[str, str] = {}
        self._style = ""
        self._run: list[str] = []  # lines of a paragraph or list item
        self._sign = ""  # of the list item
        self._list: list[str] = []  # what is done of a list
        self._marks: list[str] = []  # of the list and those around it
        self._counts: list[int] = []
        self._attached = False  # the next block belongs to the last item

    def read(self) -> None:
        """Add all blocks to the outline."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if not line:
                self._end_run()
            elif line == _COMMENT:
                self._until(_COMMENT)
            elif not (self._setting(line) or self._heading(line) or self._item(line) or self._block(line)):
                self._text(line)
        self._end_list()

    def _plain(self, text: str) -> str:
        return plain_asciidoc(text, self._values)

    def _until(self, end: str) -> list[str]:
        start = self._at
        while self._at < len(self._lines) and self._lines[self._at] != end:
            self._at += 1
        self._at += 1
        return self._lines[start : self._at - 1]

    def _setting(self, line: str) -> bool:
        """Read what is not shown: an attribute, a comment, the style or title of a block."""
        if (found := _ENTRY.match(line)) and not self._run:
            value = found[4] or ""
            while value.endswith("\\") and self._at < len(self._lines):
                value = value[:-1] + self._lines[self._at].strip()
                self._at += 1
            self._values[found[2].lower()] = "" if found[1] or found[3] else self._plain(value)[:_LONGEST_VALUE]
        elif _SILENT.match(line):
            pass
        elif found := _STYLE.match(line):
            self._end_run()
            self._style = found[1]
            if kind := _ADMONITION.match(found[1]):
                self._unless_attached()
                self._add(f"{kind[1].capitalize()}:")
        elif (found := _TITLE.match(line)) and not self._run:
            self._unless_attached()
            title = self._plain(found[1])
            self._add(title + ":" * title[-1:].isalnum())
        elif line == "+":
            self._end_run()
            self._attached = True
        else:
            return False
        return True

    def _heading(self, line: str) -> bool:
        found = _HEADING.match(line)
        number = self._at
        if found and not self._run:
            level, text = len(found[1]), found[2]
        elif self._is_underlined(line):
            level, text = _UNDERLINES.index(self._lines[self._at][0]) + 1, line
            self._at += 1
        else:
            return False
        self._end_list()
        self._outline.heading(level, self._plain(text), {"line": number})
        if level == 1 and number <= 1 + sum(map(_is_no_text, self._lines[: number - 1])):
            self._skip_authors()
        return True

    def _is_underlined(self, line: str) -> bool:
        if self._run or self._at >= len(self._lines) or not line[:1].isalnum():
            return False
        below = self._lines[self._at]
        return bool(_UNDERLINE.match(below)) and abs(len(below) - len(line)) <= 1

    def _skip_authors(self) -> None:
        """Skip the names and the revision below the title; attributes may stand between them."""
        while self._at < len(self._lines) and (line := self._lines[self._at]):
            if not _ENTRY.match(line) and not _SILENT.match(line):
                self._lines[self._at] = "//"
            self._at += 1
            self._setting(self._lines[self._at - 1])

    def _block(self, line: str) -> bool:
        """Read a block of code or a table; the delimiters of others are left out."""
        if found := _FENCE.match(line):
            code = "\n".join(self._until(found[1]))
            self._end_run()
            self._add(f"```{found[2] or _language(self._style)}\n{_CALLOUT.sub('', code)}\n```", whole=True)
        elif _TABLE.match(line):
            self._end_run()
            self._add(self._table(self._until(line)), whole=True)
        elif line[0] == " " and not self._run and not self._sign:
            self._at -= 1
            self._add("```\n" + "\n".join(dedented(self._until(""))) + "\n```", whole=True)
        elif _DELIMITER.match(line):
            self._end_run()
            return True
        else:
            return False
        self._style = ""
        return True

    def _table(self, lines: list[str]) -> str:
        first = next((i for i, line in enumerate(lines) if line), 0)
        cells = _cells(lines)
        columns = _columns(self._style) or len(_cells(lines[first : first + 1]))
        columns = min(max(columns, 1), _MOST_COLUMNS)
        plain = [" ".join(self._plain(cell).split()) for cell in cells]
        rows = [plain[at : at + columns] for at in range(0, len(plain), columns)]
        implicit = first == 0 and lines[1:2] == [""] and len(_cells(lines[:1])) == columns
        return table_text(rows) if _is_headed(self._style) or implicit else rows_text(rows)

    def _item(self, line: str) -> bool:
        """Read the beginning of a list item, or the term of an entry."""
        if found := _ITEM.match(line):
            self._end_run()
            depth = self._depth(found[1])
            self._run, self._sign = [found[2]], "  " * depth + self._numbered(found[1], depth)
        elif (found := _TERM.match(line)) and (not self._run or self._sign):
            self._end_run()
            depth = self._depth(found[2])
            self._list.append("  " * depth + " ".join(self._plain(found[1]).split()))
            self._run, self._sign = [found[3]] if found[3] else [], "  " * (depth + 1)
            self._attached = not found[3]
        else:
            return False
        return True

    def _depth(self, mark: str) -> int:
        mark = "1." if mark[0].isdigit() else "<1>" if mark[0] == "<" else mark
        if mark in self._marks:
            del self._marks[self._marks.index(mark) + 1 :]
            del self._counts[len(self._marks) :]
        else:
            self._marks.append(mark)
            self._counts.append(0)
        return len(self._marks) - 1

    def _numbered(self, mark: str, depth: int) -> str:
        self._counts[depth] += 1
        if found := _CALLED.fullmatch(mark):
            return f"{found[1]}. "
        return "- " if mark[0] in "*-" else f"{self._counts[depth]}. "

    def _text(self, line: str) -> None:
        if not self._run:
            self._unless_attached()
        self._run.append(line if self._sign or not self._list else line.lstrip())

    def _unless_attached(self) -> None:
        """End the list, unless what follows belongs to its last item."""
        if self._list and not self._attached:
            self._end_list()
        self._attached = False

    def _add(self, text: str, *, whole: bool = False) -> None:
        """Add a block: to the last item of the list, or to the section."""
        if self._list and self._attached:
            indent = "  " * len(self._marks)
            self._list.append(indent + text.replace("\n", "\n" + indent))
            self._attached = False
            return
        self._end_list()
        self._outline.add(text, whole=whole)

    def _end_run(self) -> None:
        if not self._run:
            return
        text, sign = self._plain("\n".join(self._run)), self._sign
        self._run, self._sign = [], ""
        if sign or self._list:
            sign = sign or "  " * len(self._marks)
            self._list.append(sign + " ".join(text.split()))
        else:
            self._outline.add(text)
        self._style = ""

    def _end_list(self) -> None:
        self._end_run()
        if self._list:
            self._outline.add("\n".join(self._list), whole=True)
        self._list, self._marks, self._counts, self._attached = [], [], [], False


def _is_no_text(line: str) -> bool:
    return not line or bool(_ENTRY.match(line) or _SILENT.match(line))


def _language(style: str) -> str:
    """Return the language of a block of code: `[source,ruby]`."""
    named = style.split(",")
    return named[1].strip() if len(named) > 1 and named[0].partition("%")[0] in ("source", "", "listing") else ""


def _is_headed(style: str) -> bool:
    return "%header" in style or 'options="header' in style


def _columns(style: str) -> int:
    """Return the number of columns that is said above a table; 0 if none is."""
    found = _COLUMNS.search(style)
    parts = re.split("[,;]", found[1]) if found and found[1].strip() else []
    return sum(int(many[1]) if (many := _REPEATED.match(part.strip())) else 1 for part in parts)


def _cells(lines: list[str]) -> list[str]:
    """Return the cells of a table in their order; one that spans columns is followed by empty ones."""
    cells: list[str] = []
    for line in lines:
        if _SILENT.match(line):
            continue
        end = 0
        for found in [*_CELL.finditer(line), None]:
            part = line[end : found.start() if found else None].strip()
            if cells and part:
                cells[-1] = f"{cells[-1]}\n{part}"
            if found:
                cells += [""] * min(int(found[1] or 1), _MOST_COLUMNS)
                end = found.end()
    return cells


def plain_asciidoc(text: str, values: Mapping[str, str]) -> str:
    """Return a text without inline markup, with the values of attributes."""
    if "{" in text:
        text = _ATTRIBUTE.sub(lambda found: values.get(name := found[1].lower(), _VALUES.get(name, found[0])), text)
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(next(part for part in found.groups() if part is not None))
        return f"\x0e{len(kept) - 1}\x0f"

    text = _LITERAL.sub(keep, text)
    text = _LINK.sub(_link_text, _IMAGE.sub(r"\1\2", text))
    text = _UNKNOWN_LINK.sub(r"\1", text)
    for pattern, shown in _PLAIN:
        text = pattern.sub(shown, text)
    text = html.unescape(text) if "&" in text else text
    return _KEPT.sub(lambda found: kept[int(found[1])] if int(found[1]) < len(kept) else "", text)


def _link_text(found: re.Match[str]) -> str:
    """Return the text of a link; if it has none, its target."""
    text = _LINK_SETTINGS.sub("", found[3].strip()).strip('"')
    if text:
        return text
    if found[1] == "xref":
        return found[2].rpartition("/")[2].replace(".adoc", "").strip("#").replace("#", " ")
    return found[2] if found[1] in ("link", "mailto") else f"{found[1]}:{found[2]}"
