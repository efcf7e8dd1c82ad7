"""Read the input of a retrieval evaluation: queries, relevance judgments (qrels), and runs in TREC format."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import orjson

from ragcli.documents import Document
from ragcli.errors import RagcliError, UsageError
from ragcli.readers import FieldNames, find_inputs, is_json_lines, read_documents, read_lines

_CORPUS = ("corpus.jsonl", "corpus.jsonl.gz", "documents.jsonl", "documents.jsonl.gz")
_QUERIES = ("queries.jsonl", "queries.jsonl.gz", "queries.tsv")
_QRELS = ("qrels/test.tsv", "qrels.tsv", "qrels.txt")
_QUESTIONS = "qa.jsonl"
_SPLIT = re.compile(r"(?:qrels[/-])(.+)\.tsv")
_TAG = "ragcli"
_QUERY_SHAPE = 'A query is a line of JSON: {"id": "…", "text": "…"}.'


class Judged(NamedTuple):
    """Name the files of a test collection; None for missing ones."""

    documents: Path | None
    queries: Path | None
    qrels: Path | None


class Qrels(NamedTuple):
    """Hold relevance by query and document, and the number of repeated lines."""

    by_query: dict[str, dict[str, int]]
    repeated: int


def find_collection(
    folder: Path | None, queries: Path | None = None, qrels: Path | None = None, split: str | None = None
) -> Judged:
    """Find the files of a test collection in a folder with BEIR's layout, or with all files side by side.

    `queries` and `qrels` take precedence over the folder's; `split` chooses among several judgments (by default the
    test split, or the only one). Raises RagcliError if it is not a folder, UsageError for a split that is missing or
    must be named.
    """
    if folder is None:
        return Judged(None, queries, qrels)
    if not folder.is_dir():
        hint = "Name a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv, or give --queries and --qrels."
        raise RagcliError(f"no such folder: {folder}", hint)
    qrels = qrels or _find_qrels(folder, split)
    return Judged(find_corpus(folder), queries or _find_queries(folder, qrels), qrels)


def _find_qrels(folder: Path, split: str | None) -> Path | None:
    splits = {_split(folder, path): path for path in sorted([*folder.glob("qrels/*.tsv"), *folder.glob("qrels-*.tsv")])}
    if split is not None and split not in splits:
        raise UsageError(f"{folder} has no judgments of a split {split!r}", f"It has: {', '.join(splits) or 'none'}.")
    found = splits[split] if split is not None else _first(folder, _QRELS)
    if not found and len(splits) > 1:
        raise UsageError(f"{folder} has judgments of several splits", f"Name one with --split: {', '.join(splits)}.")
    return found or next(iter(splits.values()), None) or _first(folder, [_QUESTIONS])


def _find_queries(folder: Path, qrels: Path | None) -> Path | None:
    split = _split(folder, qrels) if qrels else ""
    return _first(folder, [*_QUERIES, f"queries-{split}.jsonl", f"queries-{split}.jsonl.gz", _QUESTIONS])


def _split(folder: Path, qrels: Path) -> str:
    named = _SPLIT.fullmatch(qrels.relative_to(folder).as_posix()) if qrels.is_relative_to(folder) else None
    return named[1] if named else ""


def find_corpus(folder: Path) -> Path | None:
    """Find the documents in a folder, or None."""
    return _first(folder, _CORPUS)


def _first(folder: Path, names: Iterable[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def field_names(path: Path) -> FieldNames:
    """Return the field names of a JSON Lines file by its first line: `_id` in BEIR, `question` in test sets."""
    first = next(lines(path), (0, "{}"))[1]
    try:
        record = orjson.loads(first)
    except orjson.JSONDecodeError:
        record = None
    names = record if isinstance(record, dict) else {}
    return FieldNames(
        text="question" if "question" in names and "text" not in names else "text",
        id="_id" if "_id" in names and "id" not in names else "id",
    )


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank with its number; gzip too. Raises RagcliError for unreadable files."""
    if path.is_dir():
        raise RagcliError(f"{path} is a folder", "Name a file.")
    [found] = find_inputs([path])
    yield from read_lines(found.path)


def read_queries(path: Path) -> dict[str, str]:
    """Return the queries by id, from JSON Lines or tab-separated lines (id, text).

    Raises RagcliError for an invalid line, for an id with two texts, and for a file without queries.
    """
    queries: dict[str, str] = {}
    for number, query_id, text in _tsv_queries(path) if ".tsv" in path.suffixes else _json_queries(path):
        if queries.setdefault(query_id, text) != text:
            raise _wrong(path, number, f"query {query_id} has another text above", "Give each query its own id.")
    if not queries:
        raise RagcliError(f"{path} contains no query", _QUERY_SHAPE)
    return queries


def _json_queries(path: Path) -> Iterator[tuple[int, str, str]]:
    names = field_names(path)
    for number, line in lines(path):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as e:
            raise _wrong(path, number, f"not JSON: {e}", _QUERY_SHAPE) from e
        query_id = record.get(names.id) if isinstance(record, dict) else None
        text = record.get(names.text) if isinstance(record, dict) else None
        if not isinstance(query_id, str | int) or not isinstance(text, str):
            raise _wrong(path, number, "not a query", _QUERY_SHAPE)
        yield number, str(query_id), text  # an empty text too, which fails in the search


def _tsv_queries(path: Path) -> Iterator[tuple[int, str, str]]:
    for number, line in lines(path):
        query_id, tab, text = line.partition("\t")
        if not tab or not text.strip():
            raise _wrong(path, number, "not a query", "A query is a line with two fields separated by a tab: id, text.")
        yield number, query_id, text


def read_qrels(path: Path) -> Qrels:
    """Return relevance judgments, from tab-separated lines (query, document, relevance) or TREC's four columns.

    In JSON Lines of questions, each `doc_id` is relevant. Raises RagcliError for an invalid line, for contradictory
    judgments, and for a file without judgments.
    """
    by_query: dict[str, dict[str, int]] = {}
    repeated = 0
    found = _question_judgments(path) if is_json_lines(path) else _line_judgments(path)
    for number, query_id, doc_id, relevance in found:
        judged = by_query.setdefault(query_id, {})
        repeated += doc_id in judged
        if judged.setdefault(doc_id, relevance) != relevance:
            reason = f"document {doc_id} has another relevance for query {query_id} above"
            raise _wrong(path, number, reason, "Keep one of the two lines.")
    if not by_query:
        raise RagcliError(
            f"{path} contains no judgment", "A judgment is: query, document, relevance, separated by tabs."
        )
    return Qrels(by_query, repeated)


def _line_judgments(path: Path) -> Iterator[tuple[int, str, str, int]]:
    for number, line in lines(path):
        fields = line.split("\t") if "\t" in line else line.split()
        if len(fields) not in (3, 4):
            raise _wrong(
                path, number, "not a judgment", "A judgment is: query, document, relevance, separated by tabs."
            )
        relevance = _whole(fields[-1])
        if relevance is not None:
            yield number, fields[0], fields[-2], relevance
        elif number > 1:  # the first line may be a header
            raise _wrong(path, number, f"the relevance {fields[-1]!r} is not a whole number", "Use 0, 1, 2 …")


def _question_judgments(path: Path) -> Iterator[tuple[int, str, str, int]]:
    for number, item in enumerate(read_documents(find_inputs([path]), field_names(path)), 1):
        doc_id = item.metadata.get("doc_id") if isinstance(item, Document) else None
        if isinstance(item, Document) and doc_id is not None:
            yield number, item.id, str(doc_id), 1


def _whole(text: str) -> int | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if math.isfinite(value) and value == int(value) else None


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Return the scores of a run in TREC format (query, Q0, document, rank, score, tag), by query and document.

    Raises RagcliError for an invalid line, for a repeated document of a query, and for a file without a run.
    """
    run: dict[str, dict[str, float]] = {}
    hint = "A line of a run is: query Q0 document rank score tag."
    for number, line in lines(path):
        fields = line.split("\t") if line.count("\t") == 5 else line.split()
        score = _finite(fields[4]) if len(fields) == 6 else None
        if score is None:
            raise _wrong(path, number, "not a line of a run", hint)
        if fields[2] in run.setdefault(fields[0], {}):
            raise _wrong(path, number, f"query {fields[0]} has document {fields[2]} twice", "Keep the better one.")
        run[fields[0]][fields[2]] = score
    if not run:
        raise RagcliError(f"{path} contains no run", hint)
    return run


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def write_run(path: Path, run: Mapping[str, Mapping[str, float]]) -> None:
    """Write a run in TREC format, best document first. Raises RagcliError for ids with white space."""
    check_trec_ids(run)
    check_trec_ids(doc_id for scores in run.values() for doc_id in scores)
    with path.open("w", encoding="utf-8") as file:
        for query_id, scores in run.items():
            for rank, (doc_id, score) in enumerate(scores.items(), 1):
                file.write(f"{query_id} Q0 {doc_id} {rank} {score!r} {_TAG}\n")


def check_trec_ids(ids: Iterable[str]) -> None:
    """Raise RagcliError for an id with white space."""
    for name in ids:
        if len(name.split()) != 1:
            raise RagcliError(f"a TREC run cannot contain the id {name!r}", "Use ids without white space.")


def _wrong(path: Path, number: int, reason: str, hint: str) -> RagcliError:
    return RagcliError(f"{path}:{number}: {reason}", hint)
