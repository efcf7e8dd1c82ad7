"""Read word processor files and slides (DOCX, ODT, PPTX), and EPUB books."""

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from ragcli.readers.html import read_html
from ragcli.readers.outline import Outline, Page, Section, table_text, with_one_header
from ragcli.readers.packages import Package, open_package
from ragcli.readers.records import NoDocumentError
from ragcli.readers.texts import decode

_MOST_COLUMNS = 100  # that a cell may span
_SLIDE = re.compile(r"ppt/slides/slide(\d+)\.xml")
_CODE_STYLE = re.compile(r"(?:box)?code(?:wide|annotated|block|listing)?$|sourcecode|htmlpreformatted", re.IGNORECASE)
_LEVEL = re.compile(r"(?:heading|überschrift|titre|título|标题)\s*(\d)$", re.IGNORECASE)


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _get(element: Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), "")


def _child(element: Element, *path: str) -> Element | None:
    found: Element | None = element
    for name in path:
        found = next((child for child in found if _local(child) == name), None) if found is not None else None
    return found


def _rows(table: Element, row: str, cell: str, text: Callable[[Element], str]) -> list[list[str]]:
    rows = (one for one in table.iter() if _local(one) == row)
    return [[" ".join(text(part).split()) for part in one if _local(part) == cell] for one in rows]


def _core(package: Package, name: str) -> str:
    """Return the title in a package's metadata."""
    if name not in package.names():
        return ""
    return next(((one.text or "").strip() for one in package.xml(name).iter() if _local(one) == "title"), "")


def read_docx(data: bytes) -> Page:
    """Return the page of a Word document: paragraphs, lists, tables, notes and comments under its headings."""
    with open_package(data) as package:
        body = _child(package.xml("word/document.xml"), "body")
        styles, notes = _docx_styles(package), _docx_notes(package)
        outline = Outline()
        items: list[str] = []
        code: list[str] = []
        for block in body if body is not None else ():
            text, level, listed = _docx_block(block, styles)
            if _CODE_STYLE.match(_style(block)):
                outline.add("\n".join(items), whole=True)
                items = []
                code.append(text)
                continue
            if code:
                outline.add("```\n" + "\n".join(code) + "\n```", whole=True)
                code = []
            if not listed:
                outline.add("\n".join(items), whole=True)
                items = []
            if level:
                outline.heading(level, text, {})
            elif listed:
                items.append("  " * (listed - 1) + f"- {text}")
                items += ["  " * listed + note for note in _noted(block, notes)]
            else:
                outline.add(text, whole=_local(block) == "tbl")
            for note in () if listed else _noted(block, notes):
                outline.add(note)
        outline.add("\n".join(items), whole=True)
        outline.add("```\n" + "\n".join(code) + "\n```" if code else "", whole=True)
        return Page(_core(package, "docProps/core.xml") or outline.title, outline.sections())


def _docx_notes(package: Package) -> dict[str, str]:
    """Return the footnotes, endnotes and comments by the elements that refer to them."""
    notes = {}
    for kind in ("footnote", "endnote", "comment"):
        part = f"word/{kind}s.xml"
        for note in package.xml(part) if part in package.names() else ():
            text, author = " ".join(_docx_text(note).split()), _get(note, "author")
            notes[f"{kind}Reference {_get(note, 'id')}"] = _note(kind, author, text)
    return notes


def _note(kind: str, author: str, text: str) -> str:
    return f"{kind.capitalize()}{f' by {author}' if author else ''}: {text}" if text else ""


def _noted(block: Element, notes: dict[str, str]) -> list[str]:
    """Return the notes that a block refers to."""
    references = (f"{_local(part)} {_get(part, 'id')}" for part in _docx_parts(block))
    return [note for reference in references if (note := notes.get(reference))]


class _Styles(NamedTuple):
    """Hold the levels of a document's styles, from 1: of those for headings, and of those for list items."""

    headings: dict[str, int]
    lists: dict[str, int]


def _docx_styles(package: Package) -> _Styles:
    found = _Styles({"Title": 1, "HeadA": 1, "HeadB": 2, "HeadC": 3}, {})  # HeadA to C in publishers' templates
    if "word/styles.xml" in package.names():
        for style in package.xml("word/styles.xml"):
            named, name = _get(style, "styleId"), _child(style, "name")
            level = _LEVEL.match(_get(name, "val")) if name is not None else None
            outline = _child(style, "pPr", "outlineLvl")
            if level:
                found.headings[named] = int(level[1])
            elif outline is not None and int(_get(outline, "val") or 9) < 9:
                found.headings[named] = int(_get(outline, "val")) + 1
            elif listed := _list_level(style):
                found.lists[named] = listed
    return found


def _list_level(element: Element) -> int:
    """Return the level of a list item or of a style for such, from 1; 0 if it is none."""
    numbering = _child(element, "pPr", "numPr")
    if numbering is None:
        return 0
    number, level = _child(numbering, "numId"), _child(numbering, "ilvl")
    if number is not None and _get(number, "val") == "0":  # takes the item's mark away
        return 0
    return int(_get(level, "val") or 0) + 1 if level is not None else 1


def _docx_block(block: Element, styles: _Styles) -> tuple[str, int, int]:
    """Return a block's text, its level if it is a heading, and its level if it is a list item."""
    if _local(block) == "tbl":
        return table_text(_docx_rows(block)), 0, 0
    style = _style(block)
    text = _docx_text(block).strip()
    if not text:
        return "", 0, 0
    own = _child(block, "pPr", "numPr") is not None
    return text, styles.headings.get(style, 0), _list_level(block) if own else styles.lists.get(style, 0)


def _docx_rows(table: Element) -> list[list[str]]:
    """Return the rows of a table; a cell that spans rows is in each of them."""
    rows: list[list[str]] = []
    headers = sum(_child(row, "trPr", "tblHeader") is not None for row in _own(table, "tr"))
    for row in _own(table, "tr"):
        cells: list[str] = []
        for cell in _own(row, "tc"):
            merged, span = _child(cell, "tcPr", "vMerge"), _child(cell, "tcPr", "gridSpan")
            hangs = (
                bool(rows) and merged is not None and _get(merged, "val") != "restart" and len(cells) < len(rows[-1])
            )
            text = rows[-1][len(cells)] if hangs else " ".join(_docx_text(cell).split())
            columns = min(int(_get(span, "val") or 1), _MOST_COLUMNS) if span is not None else 1
            cells += [text, *[text if not rows else ""] * (columns - 1)]
        rows.append(cells)
    return with_one_header(rows, headers)


def _own(element: Element, name: str) -> Iterator[Element]:
    """Yield the rows or cells of a table, without those of tables in its cells."""
    for part in element:
        if _local(part) == name:
            yield part
        elif _local(part) not in ("tbl", "tc"):
            yield from _own(part, name)


def _style(block: Element) -> str:
    style = _child(block, "pPr", "pStyle")
    return _get(style, "val") if style is not None else ""


def _docx_parts(element: Element) -> Iterator[Element]:
    """Yield all elements in an element, without the second version of a text box, for programs that are old."""
    yield element
    for part in element:
        if _local(part) != "Fallback":
            yield from _docx_parts(part)


def _docx_text(element: Element) -> str:
    pieces = []
    for part in _docx_parts(element):
        name = _local(part)
        if name == "t":
            pieces.append(part.text or "")
        elif name in ("br", "cr"):
            pieces.append("\n")
        elif name == "tab":
            pieces.append(" ")
        elif name == "p" and pieces:
            pieces.append("\n")
    return "".join(pieces)


def read_odt(data: bytes) -> Page:
    """Return the page of an OpenDocument text or presentation."""
    with open_package(data) as package:
        outline = Outline()
        body = _child(package.xml("content.xml"), "body")
        if body is None:
            raise NoDocumentError("damaged: it has no body")
        _odt_blocks(outline, body)
        return Page(_core(package, "meta.xml") or outline.title, outline.sections())


def _odt_blocks(outline: Outline, parent: Element) -> None:
    for block in parent:
        name = _local(block)
        notes = _odt_notes(block) if name in ("h", "p", "list", "table") else []
        if name == "h":
            outline.heading(int(_get(block, "outline-level") or 1), _odt_text(block), {})
        elif name == "p":
            outline.add(_odt_text(block))
        elif name == "list":
            outline.add(_odt_list(block), whole=True)
        elif name == "table":
            rows = _rows(block, "table-row", "table-cell", _odt_text)
            outline.add(table_text(rows), whole=True)
        elif name not in ("sequence-decls", "forms", "tracked-changes"):
            _odt_blocks(outline, block)
        for note in notes:
            outline.add(note)


def _odt_notes(block: Element) -> list[str]:
    """Return the footnotes, endnotes and comments in a block."""
    notes = []
    for one in block.iter():
        if _local(one) in ("note", "annotation"):
            kind = _get(one, "note-class") or "comment"
            creator = _child(one, "creator")
            body = _child(one, "note-body") if _local(one) == "note" else one
            lines = (_odt_text(part) for part in (body if body is not None else ()) if _local(part) in ("p", "list"))
            author = (creator.text or "") if creator is not None else ""
            notes.append(_note(kind, author, " ".join(" ".join(lines).split())))
    return notes


def _odt_list(block: Element) -> str:
    lines = []
    for item in (one for one in block if _local(one) in ("list-item", "list-header")):
        parts = (_odt_list(part) if _local(part) == "list" else _odt_text(part).strip() for part in item)
        if content := "\n".join(filter(None, parts)):
            lines.append("- " + content.replace("\n", "\n  "))
    return "\n".join(lines)


def _odt_text(element: Element) -> str:
    text = element.text or ""
    for part in element:
        name = _local(part)
        if name in ("note", "annotation"):
            text += part.tail or ""
            continue
        text += {"line-break": "\n", "tab": " ", "s": " "}.get(name, "") + _odt_text(part) + (part.tail or "")
    return text


def read_pptx(data: bytes) -> Page:
    """Return the page of a presentation, with a section for each slide."""
    with open_package(data) as package:
        slides = sorted(
            (int(found[1]), name)
            for name in package.names()
            if (found := re.fullmatch(r"ppt/slides/slide(\d+)\.xml", name))
        )
        sections: list[Section] = []
        for number, name in slides:
            title, lines = _slide(package.xml(name))
            lines += _notes(package, name) + _slide_comments(package, name)
            if lines or title:
                sections.append(Section((title,) if title else (), "\n".join(lines) or title, {"page": number}))
        return Page(_core(package, "docProps/core.xml"), sections)


def _notes(package: Package, slide: str) -> list[str]:
    """Return what the speaker notes under a slide say."""
    return [line for part in _linked(package, slide, "/notesSlide") for line in _slide(part)[1]]


def _slide_comments(package: Package, slide: str) -> list[str]:
    texts = (
        one for part in _linked(package, slide, "/comments") for one in part.iter() if _local(one) in ("text", "t")
    )
    return [f"Comment: {' '.join(one.text.split())}" for one in texts if one.text and one.text.strip()]


def _linked(package: Package, slide: str, kind: str) -> Iterator[Element]:
    """Yield the parts of a kind that a slide refers to."""
    folder, name = posixpath.split(slide)
    links = f"{folder}/_rels/{name}.rels"
    for one in package.xml(links) if links in package.names() else ():
        part = posixpath.normpath(posixpath.join(folder, _get(one, "Target")))
        if _get(one, "Type").endswith(kind) and part in package.names():
            yield package.xml(part)


def _slide(slide: Element) -> tuple[str, list[str]]:
    title = ""
    lines: list[str] = []
    for shape in slide.iter():
        if _local(shape) == "tbl":
            lines += table_text(_rows(shape, "tr", "tc", _paragraphs)).split("\n")
        if _local(shape) != "sp":
            continue
        kind = next((_get(one, "type") for one in shape.iter() if _local(one) == "ph"), "")
        text = _paragraphs(shape)
        if kind in ("title", "ctrTitle"):
            title = " ".join(text.split())
        elif text and kind not in ("sldNum", "ftr", "dt", "sldImg", "hdr"):
            lines += text.split("\n")
    return title, lines


def _paragraphs(shape: Element) -> str:
    """Return the paragraphs of a shape, one a line."""
    paragraphs = (
        "".join(" " if _local(run) == "br" else run.text or "" for run in one.iter() if _local(run) in ("t", "br"))
        for one in shape.iter()
        if _local(one) == "p"
    )
    return "\n".join(filter(None, map(str.strip, paragraphs)))


def read_epub(data: bytes) -> Iterator[Page]:
    """Yield the chapters of a book in reading order."""
    with open_package(data) as package:
        root = next(
            (
                _get(one, "full-path")
                for one in package.xml("META-INF/container.xml").iter()
                if _local(one) == "rootfile"
            ),
            "",
        )
        content = package.xml(root)
        title = next(((one.text or "").strip() for one in content.iter() if _local(one) == "title"), "")
        files = {_get(one, "id"): _get(one, "href") for one in content.iter() if _local(one) == "item"}
        for place in (one for one in content.iter() if _local(one) == "itemref"):
            href = files.get(_get(place, "idref"), "")
            part = posixpath.normpath(posixpath.join(posixpath.dirname(root), unquote(href)))
            chapter = read_html(decode(package.read(part)))
            yield chapter._replace(title=title or chapter.title)
