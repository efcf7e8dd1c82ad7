"""Read PDF: a section for each page, without running heads and hyphenation."""

import re
from collections import Counter

import pypdfium2
from pypdfium2.raw import FPDF_ERR_PASSWORD

from ragcli.readers.outline import Page, Section
from ragcli.readers.records import NoDocumentError

_MOST_PAGES = 20_000
_HYPHEN = re.compile(r"(?<=\w)(?:[\u00ad\u2010\ufffe\x02]|-)\n\s*(?=[a-zà-ÿ])")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NO_TITLE = re.compile(r"untitled|\.(?:docx?|tex|dvi|indd|qxd|pmd)$|^microsoft word", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_FULL, _FULL_BEFORE_SMALL = 0.7, 0.5  # of the width: a line is taken for a full one; less if a small letter follows
_EDGE = 2  # lines at the top and bottom of a page that may be running heads
_ITEM = re.compile(r"(?:[-•·*–]|\(?\d{1,3}[.)]|[A-Z]\.)\s")
_PASSWORD_ERROR = FPDF_ERR_PASSWORD


def read_pdf(data: bytes) -> Page:
    """Return the page of a PDF file. Raises NoDocumentError if it is encrypted, damaged or has no text."""
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as e:
        raise NoDocumentError(_reason(e)) from e
    try:
        if len(pdf) > _MOST_PAGES:
            raise NoDocumentError(f"more than {_MOST_PAGES:,} pages")
        pages = [_lines(pdf, number) for number in range(len(pdf))]
        title = str(pdf.get_metadata_dict().get("Title", "")).strip()
    finally:
        pdf.close()
    heads = _running_heads(pages)
    sections = []
    for number, lines in enumerate(pages, 1):
        text = _joined([line for i, line in enumerate(lines) if not _is_edge(i, lines) or _shape(line) not in heads])
        if text.strip():
            sections.append(Section((), text, {"page": number}))
    if not sections:
        raise NoDocumentError("it has no text (scanned?); run OCR first, for example ocrmypdf")
    return Page(title if _says_something(title) else "", sections)


def _reason(error: pypdfium2.PdfiumError) -> str:
    code = getattr(error, "err_code", None)
    if code == _PASSWORD_ERROR or "password" in str(error).lower():
        return "encrypted; it needs a password"
    return f"damaged: {error}"


def _says_something(title: str) -> bool:
    return len(title) > 3 and not _NO_TITLE.search(title)


def _lines(pdf: pypdfium2.PdfDocument, number: int) -> list[str]:
    try:
        page = pdf[number]
        text = page.get_textpage().get_text_range()
        page.close()
    except pypdfium2.PdfiumError:
        return []
    text = _UNSEEN.sub("", _HYPHEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    return [" ".join(line.split()) for line in text.split("\n")]


def _shape(line: str) -> str:
    return _DIGITS.sub("0", line)


def _is_edge(i: int, lines: list[str]) -> bool:
    return i < _EDGE or i >= len(lines) - _EDGE


def _running_heads(pages: list[list[str]]) -> set[str]:
    """Return the lines at the top or bottom of a third of the pages, ignoring numbers."""
    seen = Counter(
        shape for lines in pages for shape in {_shape(line) for line in [*lines[:_EDGE], *lines[-_EDGE:]] if line}
    )
    return {shape for shape, count in seen.items() if len(pages) > 3 and count >= max(3, len(pages) / 3)}


def _joined(lines: list[str]) -> str:
    """Join lines to paragraphs: one continues if it is full and ends no sentence, or the next begins in lower case."""
    width = sorted(map(len, lines))[int(len(lines) * 0.8)] if lines else 0
    out = ""
    last = 0  # characters of the line before
    for line in lines:
        if not line:
            out += "\n\n" if out and not out.endswith("\n\n") else ""
            last = 0
            continue
        full = (_FULL_BEFORE_SMALL if line[0].islower() else _FULL) * width
        goes_on = last and not _ITEM.match(line) and last >= full
        out += (" " if goes_on else "\n" if last else "") + line
        last = len(line)
    return out.strip()
