"""Measure what sections and heading paths do for search: the questions that headings of a documentation ask.

python -m tests.benchmarks.headings FOLDERS... [--encoder MODEL]

A question is a heading of five words or more with a question mark; it is answered by a passage that begins with the
first words of what stands under it, or has them. Each folder is an index of its own, made in three ways: sections with
"page › heading" as their titles, as `ragcli index` has them; the same sections with the page's title alone; and whole
pages, cut at 1,200 characters, with their headings as lines of the text. Prints recall at 1 and 5 of each.
"""

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from ragcli.documents import Document
from ragcli.indexing import IndexOptions, index_files
from ragcli.readers import FieldNames, Selection, find_files, read_documents
from ragcli.search import Ranking, Searcher
from ragcli.store import LOCAL, IndexLocation, open_store

_BEGINNING = 60  # characters
_FEWEST_WORDS = 5


class Question(NamedTuple):
    """Hold a heading that asks, and how the text under it begins."""

    text: str
    answer: str


def questions(documents: list[Document]) -> Iterator[Question]:
    """Yield the headings that ask."""
    for document in documents:
        heading = str(document.metadata.get("heading", "")).rpartition(" › ")[2]
        if heading.rstrip().endswith("?") and len(heading.split()) >= _FEWEST_WORDS:
            yield Question(heading, _squeezed(document.text)[:_BEGINNING])


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def ways(documents: list[Document]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield each way to make an index of the sections, and its documents."""
    pages: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        pages[str(document.metadata["source"])].append(document)
    yield "page › heading", [{"id": one.id, "title": one.title, "text": one.text} for one in documents]
    title = {source: part[0].title.partition(" › ")[0] for source, part in pages.items()}
    alone = [{"id": one.id, "title": title[str(one.metadata["source"])], "text": one.text} for one in documents]
    yield "page alone", alone
    whole = [
        {"id": source, "title": title[source], "text": "\n\n".join(map(_with_heading, part))}
        for source, part in pages.items()
    ]
    yield "whole pages", whole


def _with_heading(document: Document) -> str:
    heading = str(document.metadata.get("heading", "")).rpartition(" › ")[2]
    return f"{heading}\n\n{document.text}" if heading else document.text


def ranks(home: Path, rows: list[dict[str, str]], asked: list[Question], encoder: str | None) -> list[int]:
    """Return the rank of the first passage that answers each question, 0 where none of the first five does."""
    (home / "rows.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    location = IndexLocation(LOCAL, "headings", home)
    index_files([home / "rows.jsonl"], location, IndexOptions(language="en", encoder=encoder, rebuild=True))
    with open_store(location) as store:
        searcher = Searcher(store, Ranking())
        found = []
        for question in asked:
            hits = searcher.search(question.text, 5)
            found.append(next((hit.rank for hit in hits if question.answer in _squeezed(hit.text)), 0))
    return found


def main() -> None:
    """Measure each folder, and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--encoder")
    options = parser.parse_args()
    ranked: dict[str, list[int]] = defaultdict(list)
    for folder in options.folders:
        inputs = find_files([folder], Selection()).inputs
        documents = [one for one in read_documents(inputs, FieldNames()) if isinstance(one, Document)]
        documents = [one for one in documents if "source" in one.metadata]
        asked = list(questions(documents))
        for way, rows in ways(documents) if asked else ():
            with tempfile.TemporaryDirectory() as home:
                ranked[way] += ranks(Path(home), rows, asked, options.encoder)
    for way, all_ranks in ranked.items():
        at_one = sum(rank == 1 for rank in all_ranks) / len(all_ranks)
        at_five = sum(rank > 0 for rank in all_ranks) / len(all_ranks)
        print(f"| {way} | {len(all_ranks)} | {at_one:.3f} | {at_five:.3f} |")


if __name__ == "__main__":
    main()
