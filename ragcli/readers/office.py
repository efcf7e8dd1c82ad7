"""Read word processor files and slides (DOCX, ODT, PPTX), and EPUB books."""

import posixpath
import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from ragcli.readers.html import read_html
from ragcli.readers.outline import Outline, Page, Section, table_text
from ragcli.readers.packages import Package, open_package
from ragcli.readers.records import NoDocumentError
from ragcli.readers.texts import decode

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
    """Return the page of a Word document: paragraphs, lists and tables under its headings."""
    with open_package(data) as package:
        body = _child(package.xml("word/document.xml"), "body")
        styles = _heading_styles(package)
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
                items.append(f"- {text}")
            else:
                outline.add(text, whole=_local(block) == "tbl")
        outline.add("\n".join(items), whole=True)
        outline.add("```\n" + "\n".join(code) + "\n```" if code else "", whole=True)
        return Page(_core(package, "docProps/core.xml") or outline.title, outline.sections())


def _heading_styles(package: Package) -> dict[str, int]:
    found = {"Title": 1, "HeadA": 1, "HeadB": 2, "HeadC": 3}  # the latter in publishers' templates
    if "word/styles.xml" in package.names():
        for style in package.xml("word/styles.xml"):
            name = _child(style, "name")
            level = _LEVEL.match(_get(name, "val")) if name is not None else None
            outline = _child(style, "pPr", "outlineLvl")
            if level:
                found[_get(style, "styleId")] = int(level[1])
            elif outline is not None and int(_get(outline, "val") or 9) < 9:
                found[_get(style, "styleId")] = int(_get(outline, "val")) + 1
    return found


def _docx_block(block: Element, styles: dict[str, int]) -> tuple[str, int, bool]:
    """Return a block's text, its level if it is a heading, and whether it is a list item."""
    if _local(block) == "tbl":
        rows = _rows(block, "tr", "tc", _docx_text)
        return table_text(rows), 0, False
    level = styles.get(_style(block), 0)
    text = _docx_text(block).strip()
    return text, level if text else 0, bool(text) and _child(block, "pPr", "numPr") is not None


def _style(block: Element) -> str:
    style = _child(block, "pPr", "pStyle")
    return _get(style, "val") if style is not None else ""


def _docx_text(element: Element) -> str:
    pieces = []
    for part in element.iter():
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
            if lines or title:
                sections.append(Section((title,) if title else (), "\n".join(lines) or title, {"page": number}))
        return Page(_core(package, "docProps/core.xml"), sections)


def _slide(slide: Element) -> tuple[str, list[str]]:
    title = ""
    lines: list[str] = []
    for shape in slide.iter():
        if _local(shape) not in ("sp", "graphicFrame"):
            continue
        kind = next((_get(one, "type") for one in shape.iter() if _local(one) == "ph"), "")
        paragraphs = [
            "".join((run.text or "") if _local(run) == "t" else "" for run in one.iter()).strip()
            for one in shape.iter()
            if _local(one) == "p"
        ]
        if kind in ("title", "ctrTitle"):
            title = " ".join(filter(None, paragraphs))
        elif kind not in ("sldNum", "ftr", "dt"):
            lines += filter(None, paragraphs)
    return title, lines


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
