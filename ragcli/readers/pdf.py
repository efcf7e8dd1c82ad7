"""Read PDF: a section for each page and each heading that its bookmarks name, without running heads and hyphenation."""

import re
from collections import Counter
from ctypes import c_double
from itertools import islice, pairwise
from typing import NamedTuple

import pypdfium2
from pypdfium2.raw import (
    FPDF_ERR_PASSWORD,
    FPDFText_GetCharIndexFromTextIndex,
    FPDFText_GetCharOrigin,
)

from ragcli.readers.outline import Page, Section
from ragcli.readers.records import NoDocumentError

_MOST_PAGES = 20_000
_HYPHEN = re.compile(r"(?<=\w)(?:[\u00ad\u2010\ufffe\x02]|-)\n\s*(?=[a-zà-ÿ])")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_NO_TITLE = re.compile(r"untitled|\.(?:docx?|tex|dvi|indd|qxd|pmd)$|^microsoft word", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_FULL, _FULL_BEFORE_SMALL = 0.7, 0.5  # of the width: a line is taken for a full one; less if a small letter follows
_LEAST_STEP = 5.0  # points from a line to the next; a smaller one leads to a raised or lowered sign
_USUAL = 0.3  # of all steps are smaller than the usual one
_APART = 1.3  # of the usual step: a paragraph begins
_EDGE = 2  # lines at the top and bottom of a page that may be running heads
_ITEM = re.compile(r"(?:[-•·*–]|\(?\d{1,3}[.)]|[A-Z]\.)\s")
_PASSWORD_ERROR = FPDF_ERR_PASSWORD
_MOST_BOOKMARKS = 20_000
_MOST_HEADING_LINES = 3
_LONGEST_HEADING = 300  # characters
_MOST_PLACES = 50  # of one heading on a page
_NOT_WORD = re.compile(r"[\W_]+")
_NUMBER = re.compile(r"^(?:[A-Z]|\d+)?(?:\.?\d+)*\.?\s+")  # of a section


class _Bookmark(NamedTuple):
    """Hold the heading path that a bookmark names, and the page, from 0, that it leads to."""

    path: tuple[str, ...]
    page: int


class _Heading(NamedTuple):
    """Hold the lines of a page that a heading takes up, and its path."""

    start: int
    end: int
    path: tuple[str, ...]


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
        headings = _headings(_bookmarks(pdf), pages)
    finally:
        pdf.close()
    sections = _sections(pages, headings, _running_heads(pages)) or _sections(pages, headings, set())
    if not sections:
        raise NoDocumentError("it has no text (scanned?); run OCR first, for example ocrmypdf")
    return Page(title if _says_something(title) else "", sections)


def _bookmarks(pdf: pypdfium2.PdfDocument) -> list[_Bookmark]:
    found: list[_Bookmark] = []
    path: list[str] = []
    for bookmark in islice(pdf.get_toc(), _MOST_BOOKMARKS):
        title = " ".join(_UNSEEN.sub("", bookmark.get_title()).split())
        target = bookmark.get_dest()
        path[bookmark.level :] = [title]
        if title and target and (page := target.get_index()) is not None:
            found.append(_Bookmark(tuple(path), page))
    return found


def _headings(bookmarks: list[_Bookmark], pages: list[list[str]]) -> dict[int, list[_Heading]]:
    """Return the headings of each page: the lines that say the same as a bookmark that leads there.

    A bookmark without such lines counts from the next page on; if most are so, there are no headings.
    """
    found: dict[int, list[_Heading]] = {}
    missed: dict[int, _Heading] = {}
    spelled: dict[int, dict[str, list[tuple[int, int]]]] = {}
    for path, number in bookmarks:
        lines = pages[number] if 0 <= number < len(pages) else []
        here = found.setdefault(number, [])
        places = spelled.setdefault(number, _spelled(lines) if number not in spelled else {})
        if place := _place(path[-1], lines, places, here[-1].end if here else 0):
            here.append(_Heading(*place, path))
            missed.pop(number, None)
        else:
            missed[number] = _Heading(len(lines), len(lines), path)
    if 2 * sum(map(len, found.values())) < len(bookmarks):
        return {}
    for number, heading in missed.items():
        found[number].append(heading)
    return found


def _spelled(lines: list[str]) -> dict[str, list[tuple[int, int]]]:
    """Return where a page has what may be a heading, of one line or a few, by its letters."""
    found: dict[str, list[tuple[int, int]]] = {}
    for at in range(len(lines)):
        for end in range(at + 1, min(at + _MOST_HEADING_LINES, len(lines)) + 1):
            text = " ".join(lines[at:end])
            if lines[at] and lines[end - 1] and len(text) <= _LONGEST_HEADING:
                for letters in _spellings(text):
                    found.setdefault(letters, []).append((at, end))
    return found


def _place(
    title: str, lines: list[str], places: dict[str, list[tuple[int, int]]], start: int
) -> tuple[int, int] | None:
    """Return the lines from a place on that are a title; those that may be a running head are the last choice."""
    known = sorted(place for letters in _spellings(title) for place in places.get(letters, ())[:_MOST_PLACES])
    after = [place for place in known if place[0] >= start]
    return next((place for place in after if not _is_edge(place[0], lines)), after[0] if after else None)


def _spellings(title: str) -> set[str]:
    """Return the letters of a title, with its number and without."""
    return {_letters(title), _letters(_NUMBER.sub("", title))} - {""}


def _letters(text: str) -> str:
    return _NOT_WORD.sub("", text).casefold()


def _sections(pages: list[list[str]], headings: dict[int, list[_Heading]], heads: set[str]) -> list[Section]:
    """Return the pages that have text, without their running heads, and cut at their headings."""
    sections = []
    path: tuple[str, ...] = ()
    for number, lines in enumerate(pages):
        here = headings.get(number, [])
        kept = ["" if _is_edge(i, lines) and _shape(line) in heads else line for i, line in enumerate(lines)]
        width = _width(kept)
        starts = [_Heading(0, 0, path), *here]
        for heading, end in zip(starts, [*(one.start for one in here), len(lines)], strict=True):
            path = heading.path
            if text := _joined(kept[heading.end : end], width):
                sections.append(Section(path, text, {"page": number + 1}))
    return sections


def _reason(error: pypdfium2.PdfiumError) -> str:
    code = getattr(error, "err_code", None)
    if code == _PASSWORD_ERROR or "password" in str(error).lower():
        return "encrypted; it needs a password"
    return f"damaged: {error}"


def _says_something(title: str) -> bool:
    return len(title) > 3 and not _NO_TITLE.search(title)


def _lines(pdf: pypdfium2.PdfDocument, number: int) -> list[str]:
    """Return the lines of a page, with an empty one between paragraphs that are apart."""
    try:
        page = pdf[number]
        textpage = page.get_textpage()
        text = textpage.get_text_range().replace("\r\n", "\n").replace("\r", "\n")
        text = _apart(text, _baselines(textpage, text))
        page.close()
    except pypdfium2.PdfiumError:
        return []
    text = _UNSEEN.sub("", _HYPHEN.sub("", text))
    return [" ".join(line.split()) for line in text.split("\n")]


def _baselines(textpage: pypdfium2.PdfTextPage, text: str) -> list[tuple[float, float] | None]:
    """Return the height on the page at which each line begins and ends; None for empty lines.

    PDFium joins lines at a hyphen, so that one may end below its beginning.
    """
    found: list[tuple[float, float] | None] = []
    at = 0  # where the line begins in PDFium's text, whose line ends have two characters
    for line in text.split("\n"):
        if line.strip():
            first = _height(textpage, at + len(line) - len(line.lstrip()))
            last = _height(textpage, at + len(line.rstrip()) - 1)
            found.append((first, first if abs(last - first) < _LEAST_STEP else last))
        else:
            found.append(None)
        at += len(line.encode("utf-16-le")) // 2 + 2
    return found


def _height(textpage: pypdfium2.PdfTextPage, place: int) -> float:
    x, y = c_double(), c_double()
    FPDFText_GetCharOrigin(textpage, FPDFText_GetCharIndexFromTextIndex(textpage, place), x, y)
    return y.value


def _apart(text: str, baselines: list[tuple[float, float] | None]) -> str:
    """Insert an empty line where the step to the next line is larger than usual; not at the top of a column."""
    steps = [above[1] - below[0] if above and below else 0.0 for above, below in pairwise(baselines)]
    real = sorted(step for step in steps if step > _LEAST_STEP)
    usual = real[int(len(real) * _USUAL)] if real else 0.0
    lines = text.split("\n")
    return lines[0] + "".join(
        ("\n\n" if step > _APART * usual else "\n") + line for step, line in zip(steps, lines[1:], strict=True)
    )


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


def _width(lines: list[str]) -> int:
    """Return the length of a page's full lines."""
    lengths = sorted(len(line) for line in lines if line)
    return lengths[int(len(lengths) * 0.8)] if lengths else 0


def _joined(lines: list[str], width: int) -> str:
    """Join lines to paragraphs: one continues if it is full and ends no sentence, or the next begins in lower case."""
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
