"""Compare extractors of text from files with texts that are known to be right.

python -m tests.benchmarks.extraction FOLDER TRUTH [--suffix .html]

FOLDER holds NAME.html (or .pdf, .docx, .pptx, .epub), TRUTH the NAME.md or NAME.txt to each. Compared are ragcli's
readers and all other extractors of that kind that are installed. Prints for each, over all files: the share of the
true words that it has (as a multiset), the share of the true pairs of neighbouring words, the share of its own words
that are not true (navigation, running heads, words cut or glued), the mean F1 of the words over the files, how many
files it fails on, and seconds of CPU time.
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

from ragcli.readers.formats import FORMATS
from ragcli.readers.markdown import read_markdown
from ragcli.readers.outline import Page
from ragcli.readers.texts import decode

_WORD = re.compile(r"\w+")
Extract = Callable[[bytes], str]


def ragcli(suffix: str) -> Extract:
    """Return ragcli's reader of a kind of file."""
    found = FORMATS[suffix]
    read = found.load()

    def extract(data: bytes) -> str:
        pages = read(decode(data) if found.takes == "text" else data)
        return "\n".join(map(page_text, [pages] if isinstance(pages, Page) else pages))

    return extract


def page_text(page: Page) -> str:
    """Return the title of a page and its sections, each heading once."""
    lines = [page.title]
    seen: set[tuple[str, ...]] = {(page.title,)}
    for section in page.sections:
        for depth in range(1, len(section.headings) + 1):
            path = section.headings[:depth]
            if path not in seen:
                seen.add(path)
                lines.append(path[-1])
        lines.append(section.text)
    return "\n".join(lines)


def _pdfium(data: bytes) -> str:
    pdf = import_module("pypdfium2").PdfDocument(data)
    return "\n".join(page.get_textpage().get_text_range() for page in pdf)


def _pypdf(data: bytes) -> str:
    return "\n".join(page.extract_text() for page in import_module("pypdf").PdfReader(BytesIO(data)).pages)


def _readability(data: bytes) -> str:
    page: Any = import_module("readability").Document(decode(data))
    return _all_text(page.summary().encode())


def _all_text(data: bytes) -> str:
    tree = import_module("selectolax.lexbor").LexborHTMLParser(decode(data))
    tree.strip_tags(["script", "style", "head"])
    return str(tree.text(separator=" "))


def _resiliparse(data: bytes) -> str:
    extract = import_module("resiliparse.extract.html2text").extract_plain_text
    return str(extract(decode(data), main_content=True))


def _python_docx(data: bytes) -> str:
    return "\n".join(_docx_lines(import_module("docx").Document(BytesIO(data))))


def _docx_lines(parent: Any) -> Iterator[str]:
    for block in parent.iter_inner_content():
        if hasattr(block, "rows"):
            yield from (line for row in block.rows for cell in row.cells for line in _docx_lines(cell))
        else:
            yield block.text


def _mammoth(data: bytes) -> str:
    return str(import_module("mammoth").extract_raw_text(BytesIO(data)).value)


def _markitdown(suffix: str) -> Extract:
    def extract(data: bytes) -> str:
        converted = import_module("markitdown").MarkItDown().convert_stream(BytesIO(data), file_extension=suffix)
        return str(converted.text_content)

    return extract


def extractors(suffix: str) -> dict[str, Extract]:
    """Return the extractors of a kind of file that are installed."""
    others: dict[str, dict[str, tuple[str, Extract]]] = {
        ".pdf": {
            "pdfium": ("pypdfium2", _pdfium),
            "pypdf": ("pypdf", _pypdf),
            "pdfminer": ("pdfminer", lambda data: import_module("pdfminer.high_level").extract_text(BytesIO(data))),
        },
        ".html": {
            "trafilatura": ("trafilatura", lambda data: import_module("trafilatura").extract(decode(data)) or ""),
            "readability": ("readability", _readability),
            "resiliparse": ("resiliparse", _resiliparse),
            "all text": ("selectolax", _all_text),
        },
        ".docx": {
            "python-docx": ("docx", _python_docx),
            "mammoth": ("mammoth", _mammoth),
            "docx2txt": ("docx2txt", lambda data: str(import_module("docx2txt").process(BytesIO(data)))),
        },
    }
    known = {**others.get(suffix, {}), "markitdown": ("markitdown", _markitdown(suffix))}
    installed = {name: extract for name, (module, extract) in known.items() if find_spec(module)}
    return {"ragcli": ragcli(suffix), **installed}


def true_text(path: Path) -> str:
    """Return a text, of Markdown without its marks."""
    text = path.read_text(encoding="utf-8")
    return page_text(read_markdown(text)) if path.suffix == ".md" else text


def shared(some: Iterable[object], others: Iterable[object]) -> int:
    """Return how many of one multiset are in the other as well."""
    return (Counter(some) & Counter(others)).total()


def words_of(text: str) -> list[str]:
    """Return the words of a text."""
    return _WORD.findall(text.lower())


def row(name: str, extract: Extract, known: list[tuple[bytes, list[str]]]) -> str:
    """Return a row of the table: how well an extractor does."""
    found: list[tuple[list[str], list[str]]] = []
    failed = 0
    began = time.process_time()
    for data, words in known:
        try:
            text = extract(data)
        except Exception:  # whatever another program raises
            text, failed = "", failed + 1
        found.append((words, words_of(text)))
    seconds = time.process_time() - began
    hits = [shared(words, got) for words, got in found]
    recall = sum(hits) / sum(len(words) for words, _ in found)
    pairs = sum(shared(pairwise(words), pairwise(got)) for words, got in found)
    order = pairs / sum(len(words) - 1 for words, _ in found)
    garbage = 1 - sum(hits) / sum(len(got) for _, got in found)
    f1 = sum(2 * hit / (len(words) + len(got)) for hit, (words, got) in zip(hits, found, strict=True)) / len(found)
    return f"| {name} | {recall:.3f} | {order:.3f} | {garbage:.3f} | {f1:.3f} | {failed} | {seconds:.1f} |"


def main() -> None:
    """Read the files by each extractor, and print a row of the table for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--suffix", default=".pdf")
    options = parser.parse_args()
    known = []
    for path in sorted(options.folder.glob(f"*{options.suffix}")):
        true = next((one for end in (".md", ".txt") if (one := options.truth / f"{path.stem}{end}").exists()), None)
        if true and len(words := words_of(true_text(true))) > 1:
            known.append((path.read_bytes(), words))
    print(f"{len(known)} files, {sum(len(words) for _, words in known):,} words")
    print("| | recall | pairs | garbage | F1 | failed | CPU s |\n|---|---|---|---|---|---|---|")
    for name, extract in extractors(options.suffix).items():
        print(row(name, extract, known))


if __name__ == "__main__":
    main()
