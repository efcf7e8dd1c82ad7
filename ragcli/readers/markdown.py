"""Read Markdown (CommonMark with tables; MDX, and the extensions of the usual site generators) as text."""

import html
import re
from collections.abc import Sequence
from typing import Any

from pyromark import Options, events_with_range

from ragcli.readers.frontmatter import split_front
from ragcli.readers.markdown_dialects import plain_markdown
from ragcli.readers.outline import Outline, Page, continues, table_text
from ragcli.readers.restructured import CODE, SILENT, lead_of, read_rst

_OPTIONS = Options.ENABLE_TABLES | Options.ENABLE_STRIKETHROUGH | Options.ENABLE_WIKILINKS
_INLINE = frozenset(("Emphasis", "Strong", "Strikethrough", "Link", "Image"))
_PIECES = frozenset(("Text", "Code", "InlineHtml", "Html", "SoftBreak", "HardBreak"))
_WHOLE = frozenset(("CodeBlock", "List", "Table"))
_DEEPEST = 100  # levels of blocks; of what is nested deeper, only the words are kept
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|</?[A-Za-z][^<>]*>|<>|</>", re.DOTALL)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_UNSEEN = re.compile(r"<(script|style)\b.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_SOFT_BREAK = "\x0b"
_SOFT = re.compile(f" *{_SOFT_BREAK} *")
_HAN = "[\u3000-\u9fff\uff00-\uffef]"
_SOFT_IN_HAN = re.compile(f"(?<={_HAN}){_SOFT_BREAK}(?={_HAN})")
_STARS = "\x0e"  # `**` that CommonMark takes for text, as it does beside Chinese punctuation
_LITERAL_STARS = re.compile(r"(?<!\*)\*\*(?!\*)")
_STRONG_IN_HAN = re.compile(f"{_STARS}([^{_STARS}\n]{{0,500}}{_HAN}[^{_STARS}\n]{{0,500}}){_STARS}")
_OPENED, _CLOSED = "\x0f", "\x10"  # an element of HTML
_MARKS = str.maketrans("", "", _OPENED + _CLOSED)
_DIRECTIVE = re.compile(r"\{([\w:.-]+)\}\s*(.*)$")
_NOTE_BLOCK = re.compile(r"#\^.*")
_RAW = re.compile(r"^[ \t]*\{%-?\s*(?:end)?raw\s*-?%\}[ \t]*\n", re.MULTILINE)  # of templates
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:?")
_REFERENCE = re.compile(r"(?<![\w\])])\[([^\[\]]+)\]\[(?:\w[\w:/-]*\.[\w.:/-]+)?\]")  # [Model][pydantic.BaseModel]


def read_markdown(text: str, *, mdx: bool = False) -> Page:
    """Return the page of a Markdown file. Its title is that of the front matter, or else its first heading."""
    front = split_front(text)
    outline = Outline({"line": 1})
    add_markdown(outline, front.text, mdx=mdx)
    sections = outline.sections()
    if not sections and isinstance(told := front.values.get("description"), str):  # a page of settings only
        outline.add(told)
        sections = outline.sections()
    title = front.values.pop("title", None)
    return Page(title if isinstance(title, str) else outline.title, sections, front.values)


def read_mdx(text: str) -> Page:
    """Return the page of an MDX file."""
    return read_markdown(text, mdx=True)


def add_markdown(outline: Outline, text: str, *, mdx: bool = False) -> None:
    """Add the blocks of a Markdown text to an outline."""
    _Markdown(plain_markdown(text, mdx=mdx)).add_to(outline)


class _Markdown:
    """Turn the events of a parser into text. Most methods read to the end of the element that has just begun."""

    def __init__(self, text: str) -> None:
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
        self._source = text.encode()
        self._events = events_with_range(text, options=_OPTIONS, merge_text=True)
        self._depth = 0

    def add_to(self, outline: Outline) -> None:
        """Add all blocks to an outline."""
        line, at = 1, 0
        for event, place in self._events:
            kind, tag = _named(event)
            if kind != "Start":
                continue  # a rule between blocks
            name, value = _named(tag)
            if name == "Heading":
                line += self._source.count(b"\n", at, place["start"])
                at = place["start"]
                outline.heading(int(value["level"][1]), "".join(self.blocks()), {"line": line})
            else:
                outline.add(self._block(name, value), whole=name in _WHOLE)

    def blocks(self) -> list[str]:
        """Return the texts of the blocks in an element, or its own text."""
        found: list[str] = []
        pieces: list[str] = []
        for event, place in self._events:
            kind, value = _named(event)
            if kind in _PIECES:
                pieces.append(_piece(kind, value))
                continue
            name, value = _named(value)
            if name in _INLINE:
                is_wiki = kind == "Start" and value and "WikiLink" in value["link_type"]
                pieces.append(self._wikilink(name, value, place) if is_wiki else self._mark(name, place["start"]))
                continue
            found.append(_tidy(pieces))
            pieces.clear()
            if kind == "End":
                break
            if kind == "Start":
                found.append(self._block(name, value))
        else:
            found.append(_tidy(pieces))
        return [text for one in found if (text := one.strip("\n"))]

    def _mark(self, name: str, start: int) -> str:
        """Return what begins or ends an element and stays: a single ~ strikes nothing out."""
        return "~" if name == "Strikethrough" and self._source[start : start + 2] != b"~~" else ""

    def _wikilink(self, name: str, value: Any, place: Any) -> str:
        """Return what a link between notes shows, [[note#section|shown]]; an embedded file shows nothing."""
        shown, start = self._written(), place["start"]
        if shown != shown.strip() or self._source[start - 1 : start].isalnum():  # [[ -f file ]], rows[[1]]
            return self._source[start : place["end"]].decode()
        if name == "Image":
            return ""
        is_named = value["link_type"]["WikiLink"]["has_pothole"]
        return shown if is_named else _NOTE_BLOCK.sub("", shown).lstrip("#").replace("#", " › ")

    def _block(self, name: str, value: Any) -> str:
        if name == "CodeBlock":
            return _code("" if value == "Indented" else value["Fenced"].strip(), self._written())
        if name == "HtmlBlock":
            return html_text(self._written())
        if self._depth == _DEEPEST:
            return self._written()
        self._depth += 1
        if name == "List":
            blocks = [self._list(value)]
        elif name == "Table":
            blocks = [self._table()]
        else:
            blocks = self.blocks()
        self._depth -= 1
        return "\n\n".join(blocks)

    def _written(self) -> str:
        """Return all text as it is written."""
        found: list[str] = []
        depth = 1
        for event, _ in self._events:
            kind, value = _named(event)
            depth += (kind == "Start") - (kind == "End")
            if depth == 0:
                break
            found.append(value if kind in _PIECES and value else "\n" * (kind != "End"))
        return "".join(found)

    def _list(self, number: int | None) -> str:
        items: list[str] = []
        for event, _ in self._events:
            if "End" in event:
                break
            sign = "- " if number is None else f"{number + len(items)}. "
            items.append(sign + "\n".join(self.blocks()).replace("\n", "\n" + " " * len(sign)))
        return "\n".join(items)

    def _table(self) -> str:
        rows: list[list[str]] = []
        for event, _ in self._events:
            kind, tag = _named(event)
            name, _ = _named(tag)
            if name == "TableCell":
                rows[-1].append(" ".join("".join(self.blocks()).split()))
            elif kind == "Start":
                rows.append([])
            elif name == "Table":
                break
        return table_text(rows)


def _named(event: Any) -> tuple[str, Any]:
    """Return the name of an event or element, and what it holds: some are a name alone."""
    return (event, "") if isinstance(event, str) else next(iter(event.items()))


def _piece(kind: str, value: str) -> str:
    if kind == "SoftBreak":
        return _SOFT_BREAK
    if kind == "HardBreak":
        return "\n"
    if kind == "InlineHtml":
        return "\n" if _BREAK.fullmatch(value) else _CLOSED if value.startswith("</") else _OPENED
    return _LITERAL_STARS.sub(_STARS, value) if kind == "Text" and "**" in value else value


def _tidy(pieces: Sequence[str]) -> str:
    text = "".join(pieces)
    if _OPENED in text or _CLOSED in text:  # elements on lines of their own stay there
        text = text.replace(_CLOSED + _SOFT_BREAK + _OPENED, "\n").translate(_MARKS)
    if _STARS in text:
        text = _STRONG_IN_HAN.sub(r"\1", text).replace(_STARS, "**")
    if "[" in text:
        text = _REFERENCE.sub(r"\1", _FOOTNOTE.sub("", text))
    if _SOFT_BREAK in text:
        text = _SOFT.sub(" ", text if text.isascii() else _SOFT_IN_HAN.sub("", text))
    return text.strip()


def _code(info: str, content: str) -> str:
    if directive := _DIRECTIVE.match(info):
        return _myst(directive[1].lower(), directive[2], content)
    return f"```{info.split(' ')[0].strip('{}')}\n{_RAW.sub('', content).rstrip()}\n```"


def _myst(name: str, argument: str, content: str) -> str:
    """Return the content of a MyST directive, which has the form of a code block."""
    if name == "eval-rst":
        return "\n\n".join(section.text for section in read_rst(content).sections)
    if name in SILENT:
        return ""
    lines = content.rstrip().split("\n")
    while lines and (lines[0].startswith(":") or not lines[0].strip()):
        lines.pop(0)
    body = "\n".join(lines)
    if name in CODE or name.startswith("click:"):
        return f"```{argument}\n{body}\n```" if body else ""
    blocks = _Markdown(body).blocks()
    if lead := lead_of(name, argument):
        blocks[:1] = [f"{lead} {blocks[0]}"] if blocks and continues(lead, blocks[0]) else [lead, *blocks[:1]]
    return "\n\n".join(blocks)


def html_text(content: str) -> str:
    """Return the text of embedded HTML."""
    text = _TAG.sub("", _BREAK.sub("\n", _UNSEEN.sub("", content)))
    return "\n".join(line.strip() for line in html.unescape(text).splitlines() if line.strip())
