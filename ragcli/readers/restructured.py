"""Read reStructuredText as plain text with headings; directives, roles and references become their text."""

import re

from ragcli.readers.outline import Outline, Page, Section, dedented, rows_text, table_text

_ADORNMENT = re.compile(r"([=\-`:'\"~^_*+#<>.!$%&,/;?@\\|])\1{2,}\s*$")
_DIRECTIVE = re.compile(r"(\s*)\.\.\s+(?:\|[^|]+\|\s+)?([\w:.+-]+?)::(?:\s+(.*))?$")
_COMMENT = re.compile(r"(\s*)\.\.(?:\s+(?!\[)|$)")
_FOOTNOTE = re.compile(r"(\s*)\.\.\s+\[([^\]]+)\]\s*(.*)$")
_OPTION = re.compile(r"\s*:[\w -]+:(?:\s.*|$)")
CODE = frozenset(
    ("code code-block sourcecode parsed-literal doctest testcode testsetup testoutput console highlight prompt").split()
)
SILENT = frozenset(
    (
        "toctree include image figure-md raw contents meta index highlight module currentmodule automodule "
        "autoclass autofunction autodata automethod autoexception literalinclude role default-role ifconfig "
        "tabularcolumns testsetup testcleanup sectnum math graphviz click:run csv-table"
    ).split()
)
_NAMED = frozenset(("note warning tip hint important caution danger attention error seealso").split())
_TITLED = {
    "versionadded": "New in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
}
_FIELD = re.compile(
    r"^:(?:param|type|arg|keyword|raises?|rtype)\s*(?:[\w.\[\], |]+\s)?([\w.*]+):|^:(returns?):", re.MULTILINE
)
# Unknown directives have text only in their content; known ones also in their argument.
_DESCRIBING = re.compile(
    r".*:.*|(?:function|class|method|attribute|data|exception|option|describe|envvar|confval|rubric|centered|macro|type|member)$"
)
_FIELD_LIST = re.compile(r"^:([\w -]+):[ \t]+", re.MULTILINE)
_UNTITLED = ("figure", "list-table", "table", "class", "container", "tabs", "only")
# Bounds keep hostile text from taking the square of its length.
_ROLE = re.compile(r":(?:[\w+.-]{1,50}:){1,4}`([^`]+)`")
_TARGETED = re.compile(r"^!?~?(.*?)\s*<[^<>]+>$", re.DOTALL)
_LINK = re.compile(r"(?<!`)`([^`<]*?)\s*<[^`>]+>`_{0,2}")
_LITERAL = re.compile(r"``(.+?)``", re.DOTALL)
_REFERENCE = re.compile(r"`([^`]+)`_{0,2}")
_NAME_REFERENCE = re.compile(r"\b([A-Za-z][\w.-]{0,100})__?(?=[\s.,;:!?)\]]|$)")
_STRONG = re.compile(r"\*\*(?=\S)(.{1,1000}?)(?<=\S)\*\*|(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?!\w)", re.DOTALL)
_FOOTNOTE_REFERENCE = re.compile(r"(?<!\s)\s*\[(?:#[\w-]*|\*|\d+)\]_")
_SUBSTITUTION = re.compile(r"\|([^|\s][^|\n]*)\|_{0,2}")
_BULLET = re.compile(r"(?:[-*+•]|\(?(?:\d+|[a-zA-Z#])[.)])\s+\S")
_RULE = re.compile(r"[-=]+")
_TABLE = re.compile(r"\s*(?:\+[-=+]{3,}\+|={2,}(?:\s+={2,})+)\s*$")


def read_rst(text: str) -> Page:
    """Return the page of a reStructuredText file; its title is its first heading."""
    outline = Outline({"line": 1})
    _Reader(text.expandtabs(8).split("\n"), outline).read()
    sections = outline.sections()
    return Page(_page_title(outline, sections), sections)


def _page_title(outline: Outline, sections: list[Section]) -> str:
    return outline.title or (sections[0].headings[0] if sections and sections[0].headings else "")


class _Reader:
    """Read a file line by line."""

    def __init__(self, lines: list[str], outline: Outline) -> None:
        self._lines = lines
        self._outline = outline
        self._levels: list[str] = []
        self._at = 0
        self._run: list[str] = []

    def read(self) -> None:
        """Add all blocks to the outline."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip():
                self._flush()
                self._at += 1
            elif not self._heading():
                if self._is_rule(line):
                    self._at += 1
                elif found := _DIRECTIVE.match(line):
                    self._flush()
                    self._directive(found)
                elif found := _FOOTNOTE.match(line):
                    self._flush()
                    self._lines[self._at] = found[1] + found[3]
                elif found := _COMMENT.match(line):
                    self._flush()
                    self._at += 1
                    self._indented(len(found[1]))
                elif _TABLE.match(line) and not self._run:
                    self._table()
                else:
                    self._run.append(line)
                    self._at += 1
                    if line.rstrip().endswith("::"):
                        self._literal(len(line) - len(line.lstrip()))
        self._flush()

    def _heading(self) -> bool:
        """Read a heading: a line with a line of marks below it, or above and below."""
        lines, at = self._lines, self._at
        over = bool(_ADORNMENT.match(lines[at]))
        if over and at + 2 < len(lines) and lines[at + 1].strip() and lines[at + 2].rstrip() == lines[at].rstrip():
            return self._headed(lines[at + 1], lines[at][0] * 2, 3)
        if over or at + 1 >= len(lines) or self._run or lines[at][:1].isspace():
            return False
        below = lines[at + 1]
        if (
            _ADORNMENT.match(below)
            and not below[:1].isspace()
            and len(below.rstrip()) >= min(len(lines[at].rstrip()), 4)
        ):
            return self._headed(lines[at], below[0], 2)
        return False

    def _is_rule(self, line: str) -> bool:
        """Return whether a line divides paragraphs: marks alone, with blank lines around it."""
        below = self._lines[self._at + 1 : self._at + 2]
        return len(line) > 3 and bool(_ADORNMENT.match(line)) and not self._run and not any(map(str.strip, below))

    def _headed(self, text: str, marks: str, taken: int) -> bool:
        self._flush()
        if marks not in self._levels:
            self._levels.append(marks)
        self._outline.heading(self._levels.index(marks) + 1, plain_rst(text.strip()), {"line": self._at + 1})
        self._at += taken
        return True

    def _flush(self) -> None:
        if not self._run:
            return
        text = "\n".join(self._run)
        listed = bool(_BULLET.match(text.lstrip()))
        self._run = []
        text = _FIELD_LIST.sub(r"\1: ", re.sub(r"::\s*$", ":", text))
        if text.strip() != ":":
            self._outline.add(plain_rst(text), whole=listed)

    def _indented(self, indent: int) -> list[str]:
        """Read the lines with more indentation; return them dedented."""
        taken: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip() and len(line) - len(line.lstrip()) <= indent:
                break
            taken.append(line)
            self._at += 1
        while taken and not taken[-1].strip():
            taken.pop()
            self._at -= 1
        return dedented(taken)

    def _literal(self, indent: int) -> None:
        self._flush()
        content = "\n".join(self._indented(indent)).strip("\n")
        if content:
            self._outline.add(f"```\n{content}\n```", whole=True)

    def _directive(self, found: re.Match[str]) -> None:
        name, argument = found[2].lower(), (found[3] or "").strip()
        self._at += 1
        content = self._indented(len(found[1]))
        blanks = 0
        while content and (_OPTION.match(content[0]) or (not content[0].strip() and blanks == 0)):
            blanks += not content[0].strip()
            content.pop(0)
        if name in CODE:
            if "\n".join(content).strip():
                code = "\n".join(content).strip("\n")
                self._outline.add(f"```{argument.split(' ')[0] if name != 'prompt' else ''}\n{code}\n```", whole=True)
            return
        if name in SILENT or name.startswith("auto"):
            return
        labelled = name in _NAMED or name in _TITLED
        if not content and not labelled and not _DESCRIBING.match(name):
            return
        while labelled and argument and content and content[0].strip():
            argument += f"\n{content.pop(0)}"
        self._outline.add(plain_rst(lead_of(name, argument)))
        _Reader(content, _Nested(self._outline)).read()

    def _table(self) -> None:
        """Read a grid up to a blank line, and a simple table up to a rule with a blank line below it."""
        begin = self._at
        grid = "+" in self._lines[begin]
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip() and (grid or not self._rule_ahead()):
                break
            self._at += 1
            if not grid and self._at > begin + 1 and _TABLE.match(line) and not self._next().strip():
                break
        self._outline.add(_rows(self._lines[begin : self._at]), whole=True)

    def _next(self) -> str:
        return self._lines[self._at] if self._at < len(self._lines) else ""

    def _rule_ahead(self) -> bool:
        return any(_TABLE.match(line) for line in self._lines[self._at : self._at + 200])


class _Nested(Outline):
    """Add the content of a directive to the section around it."""

    def __init__(self, outer: Outline) -> None:
        super().__init__()
        self._outer = outer

    def add(self, text: str, *, whole: bool = False) -> None:
        """Add a block to the section around the directive."""
        self._outer.add(text, whole=whole)

    def heading(self, level: int, text: str, place: object) -> None:
        """Add a heading in a directive as a paragraph."""
        self.add(text)


def lead_of(name: str, argument: str) -> str:
    """Return the words that a directive puts before its content."""
    if name in _TITLED:
        version, *rest = argument.split(maxsplit=1)
        return f"{_TITLED[name]} {version}: {''.join(rest)}".rstrip()
    if name in _NAMED:
        return f"{name.capitalize() if name != 'seealso' else 'See also'}: {argument}".strip()
    return "" if name in _UNTITLED else argument


def plain_docstring(text: str) -> str:
    """Return a docstring without markup, with parameter fields by name."""
    return plain_rst(_FIELD.sub(lambda found: f"{found[1] or found[2].capitalize()}:", text))


def _rows(lines: list[str]) -> str:
    """Return a table's rows as lines, with the names of its columns if it has a header."""
    columns = [found.span() for found in _RULE.finditer(lines[0])]
    grid = "+" in lines[0]
    rows: list[list[str]] = []
    rules = 0  # in a grid, those below a header
    for line in lines:
        if _TABLE.match(line) or (grid and set(line.strip()) <= set("+-=| ")):
            rules += not grid or "=" in line
            ended = True
            continue
        cells = line.strip()[1:-1].split("|") if grid else []
        if len(cells) != len(columns):  # cells that span columns, and simple tables
            cells = [line[start : end if end < columns[-1][1] else None] for start, end in columns]
        if not any(cell.strip() for cell in cells):
            continue
        if ended or (cells[0].strip() and not grid):
            rows.append([""] * len(columns))
        rows[-1] = [f"{above} {cell.strip(' |')}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
        ended = False
    plain = [[plain_rst(cell) for cell in row] for row in rows]
    if rules > (0 if grid else 2):
        return table_text(plain)
    return rows_text(plain)


def plain_rst(text: str) -> str:
    """Return a text without inline markup."""
    text = _ROLE.sub(lambda found: _target(found[1]).removeprefix("/" if ":doc:" in found[0] else "."), text)
    text = _LINK.sub(lambda found: found[1], text)
    text = _LITERAL.sub(r"\1", text)
    text = _FOOTNOTE_REFERENCE.sub("", text)
    text = _REFERENCE.sub(r"\1", text)
    text = _STRONG.sub(lambda found: found[1] or found[2], text)
    text = _SUBSTITUTION.sub(r"\1", text)
    return re.sub(r"\\(.)", r"\1", _NAME_REFERENCE.sub(r"\1", text))


def _target(text: str) -> str:
    named = _TARGETED.match(text)
    if named and named[1]:
        return named[1]
    return text.rpartition(".")[2] if text.startswith("~") else text.lstrip("!")
