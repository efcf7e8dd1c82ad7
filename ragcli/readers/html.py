"""Read the main content of an HTML page, without navigation, scripts and other boilerplate."""

import re
from collections.abc import Iterator
from itertools import takewhile

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ragcli.readers.main_content import main_content
from ragcli.readers.outline import Cell, Outline, Page, spread, table_text, with_one_header
from ragcli.readers.records import NoDocumentError

_BLOCKS = frozenset(
    (
        "address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure "
        "footer form h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody td th "
        "thead tr ul caption"
    ).split()
)
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_LANGUAGE = re.compile(r"(?:highlight|language|lang|source)-([\w+#]+)")
_ELEMENT = re.compile(
    r"<(/?)(?!(?:p|li|td|tr|th|dt|dd|option|br|hr|img|input|meta|link|col|area|base|source|wbr)\b)[a-z]", re.IGNORECASE
)
_DEEPEST = 2_000
_LONGEST_CELL = 2_000  # characters of data


def read_html(text: str) -> Page:
    """Return the page of an HTML file; its title is its first heading, or else its <title>."""
    if text.count("<") > _DEEPEST and _depth(text) > _DEEPEST:  # lexbor's time grows with the square of the depth
        raise NoDocumentError("nested too deeply")
    tree = LexborHTMLParser(text)
    named = tree.css_first("title")
    title = " ".join(named.text().split()) if named else ""
    description = tree.css_first('meta[name="description"]')
    headings = tree.css("h1")
    if len(headings) == 1 and (heading := _heading(headings[0])):
        title = heading
    outline = Outline()
    root = main_content(tree)
    if root is not None:
        _Walk(outline).children(root)
    sections = outline.sections()
    metadata = (
        {"description": description.attributes.get("content")}
        if description and description.attributes.get("content")
        else {}
    )
    return Page(outline.title or title, sections, metadata)


def _depth(text: str) -> int:
    """Return the nesting depth of elements, except those that need not be closed."""
    depth = deepest = 0
    for found in _ELEMENT.finditer(text):
        depth = max(0, depth + (-1 if found[1] else 1))
        deepest = max(deepest, depth)
    return deepest


class _Walk:
    """Turn elements into blocks of text."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline

    def children(self, parent: LexborNode) -> None:
        """Add the content of an element: blocks, and the text between them as paragraphs."""
        run: list[str] = []
        for node in parent.iter(include_text=True):
            if node.tag not in _BLOCKS and not _holds_blocks(node):
                run.append(_inline(node))
                continue
            self._paragraph(run)
            run = []
            self._block(node)
        self._paragraph(run)

    def _paragraph(self, run: list[str]) -> None:
        self._outline.add(_tidy("".join(run)))

    def _block(self, node: LexborNode) -> None:
        tag = str(node.tag)
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self._outline.heading(int(tag[1]), _heading(node), _anchor(node))
        elif tag == "pre":
            self._outline.add(_code(node), whole=True)
        elif tag in ("ul", "ol"):
            self._outline.add(_list(node), whole=True)
        elif tag == "table" and not _is_layout(node):
            self._outline.add(_table(node), whole=True)
        elif tag == "dl" and not node.css_first("h1, h2, h3, pre, table"):
            self._outline.add(_definitions(node), whole=True)
        else:
            self.children(node)


def _heading(node: LexborNode) -> str:
    return " ".join(_tidy(_inline(node)).removesuffix("¶").removesuffix("#").split())


def _anchor(node: LexborNode) -> dict[str, str]:
    name = node.attributes.get("id") or (node.parent.attributes.get("id") if node.parent else None)
    return {"anchor": name} if name else {}


def _holds_blocks(node: LexborNode) -> bool:
    return node.tag not in ("-text", "-comment") and any(child.tag in _BLOCKS for child in node.traverse())


def _inline(node: LexborNode) -> str:
    if node.tag == "-text":
        return _BLANKS.sub(" ", node.text_content or "")
    if node.tag == "br":
        return "\n"
    if node.tag == "img":
        return node.attributes.get("alt") or ""
    if node.tag in ("-comment", "-doctype"):
        return ""
    text = "".join(map(_inline, node.iter(include_text=True)))
    return f"\n{text}\n" if node.tag in _BLOCKS else text


def _tidy(text: str) -> str:
    return "\n".join(line for part in text.split("\n") if (line := " ".join(part.split())))


def _code(node: LexborNode) -> str:
    classes = " ".join(str(one.attributes.get("class") or "") for one in (node, node.parent, *node.css("code")) if one)
    language = _LANGUAGE.search(classes)
    return f"```{language[1] if language else ''}\n{node.text().strip(chr(10)).rstrip()}\n```"


def _list(node: LexborNode) -> str:
    lines = []
    for number, item in enumerate((one for one in node.iter() if one.tag == "li"), 1):
        sign = f"{number}. " if node.tag == "ol" else "- "
        content = "\n".join(_parts(item))
        if content:
            lines.append(sign + content.replace("\n", "\n" + " " * len(sign)))
    return "\n".join(lines)


def _parts(node: LexborNode) -> Iterator[str]:
    """Yield the paragraphs, lists and code in a list item or another small element."""
    run: list[str] = []
    for child in node.iter(include_text=True):
        if child.tag not in _BLOCKS and not _holds_blocks(child):
            run.append(_inline(child))
            continue
        if text := _tidy("".join(run)):
            yield text
        run = []
        if child.tag in ("ul", "ol"):
            yield _list(child)
        elif child.tag == "pre":
            yield _code(child)
        elif child.tag == "table":
            yield _table(child)
        else:
            yield from _parts(child)
    if text := _tidy("".join(run)):
        yield text


def _is_layout(table: LexborNode) -> bool:
    """Return whether a table only places the parts of a page, as old pages do."""
    inner = any(one.mem_id != table.mem_id for one in table.css("table"))
    return inner or any(len(cell.text()) > _LONGEST_CELL for cell in table.css("td"))


def _cell(node: LexborNode) -> Cell:
    text = " ".join(_tidy(_inline(node)).split())
    return Cell(text, _span(node, "colspan"), _span(node, "rowspan"))


def _span(cell: LexborNode, name: str) -> int:
    said = cell.attributes.get(name) or "1"
    return int(said) if said.isascii() and said.isdigit() and len(said) < 5 else 1


def _table(node: LexborNode) -> str:
    table = [[cell for cell in row.iter() if cell.tag in ("td", "th")] for row in node.css("tr")]
    rows = spread([[_cell(cell) for cell in row] for row in table])
    headers = sum(1 for _ in takewhile(lambda row: len(row) > 1 and all(cell.tag == "th" for cell in row), table))
    rows = with_one_header(rows, headers)
    if any(cell.css_first("pre") for cell in node.css("td")) and len(rows) == 1:  # code beside its line numbers
        return _code(node.css("pre")[-1])
    rows = [row for row in rows if any(row)]
    headed = next(
        (cells for one in node.css("tr") if (cells := [cell.tag for cell in one.iter()]) and len(cells) > 1), []
    )
    if headed == ["th", "td"]:  # names on the left, as in an infobox
        return "\n".join("- " + ": ".join(filter(None, row)) for row in rows)
    return table_text(rows)


def _definitions(node: LexborNode) -> str:
    lines = []
    for child in node.iter():
        text = "\n".join(_parts(child))
        lines.append(text if child.tag == "dt" else "  " + text.replace("\n", "\n  "))
    return "\n".join(line for line in lines if line.strip())
