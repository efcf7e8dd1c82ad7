"""Compare extractors of text from PDF files with texts that are known to be right.

python -m tests.benchmarks.pdf_text FOLDER TRUTH

FOLDER holds NAME.pdf, TRUTH the NAME.md to each. Compared are ragcli's reader, the plain text of PDFium below it, and
pypdf and pdfminer where they are installed. Prints for each, over all files: the share of the true words that it has
(as a multiset), the share of the true pairs of neighbouring words, the share of its own words that are not true
(running heads, page numbers, words cut or glued), and seconds of CPU time.
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from itertools import pairwise
from pathlib import Path

from ragcli.readers.markdown import read_markdown
from ragcli.readers.pdf import read_pdf

_WORD = re.compile(r"\w+")
Extract = Callable[[bytes], str]


def ragcli(data: bytes) -> str:
    """Return what ragcli's reader makes of a file."""
    return "\n".join(section.text for section in read_pdf(data).sections)


def pdfium(data: bytes) -> str:
    """Return the text of PDFium as it is."""
    import pypdfium2

    pdf = pypdfium2.PdfDocument(data)
    return "\n".join(page.get_textpage().get_text_range() for page in pdf)


def pypdf(data: bytes) -> str:
    """Return the text of pypdf as it is."""
    pages = import_module("pypdf").PdfReader(BytesIO(data)).pages
    return "\n".join(page.extract_text() for page in pages)


def pdfminer(data: bytes) -> str:
    """Return the text of pdfminer.six as it is."""
    return str(import_module("pdfminer.high_level").extract_text(BytesIO(data)))


def true_text(path: Path) -> str:
    """Return a Markdown file without its marks."""
    page = read_markdown(path.read_text(encoding="utf-8"))
    return "\n".join(" ".join((*section.headings[-1:], section.text)) for section in page.sections)


def shared(some: Iterable[object], others: Iterable[object]) -> int:
    """Return how many of one multiset are in the other as well."""
    return (Counter(some) & Counter(others)).total()


def main() -> None:
    """Read the files by each extractor, and print a row of the table for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("truth", type=Path)
    options = parser.parse_args()
    pairs = [(pdf.read_bytes(), options.truth / f"{pdf.stem}.md") for pdf in sorted(options.folder.glob("*.pdf"))]
    known = [(data, _WORD.findall(true_text(path).lower())) for data, path in pairs if path.exists()]
    print(f"{len(known)} files, {sum(len(words) for _, words in known):,} words")
    for extract in (ragcli, pdfium, pypdf, pdfminer):
        if extract not in (ragcli, pdfium) and find_spec(extract.__name__) is None:
            continue
        began = time.process_time()
        found = [(words, _WORD.findall(extract(data).lower())) for data, words in known]
        seconds = time.process_time() - began
        true = sum(len(words) for words, _ in found)
        recall = sum(shared(words, got) for words, got in found)
        order = sum(shared(pairwise(words), pairwise(got)) for words, got in found) / sum(len(w) - 1 for w, _ in found)
        garbage = 1 - recall / sum(len(got) for _, got in found)
        print(f"| {extract.__name__} | {recall / true:.3f} | {order:.3f} | {garbage:.3f} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
