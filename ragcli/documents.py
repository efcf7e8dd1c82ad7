"""Documents and passages: streaming JSON Lines readers, content hashes, sentence-aware passages."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson

from ragcli.analysis.sentences import sentence_spans
from ragcli.errors import RagcliError

MAX_LINE_BYTES = 16 * 2**20
MAX_ID_BYTES = 480  # an Elasticsearch _id holds 512 bytes, and the passage's number goes there too


class Document(NamedTuple):
    """Hold one text with what is known about it."""

    id: str
    title: str
    text: str
    metadata: dict[str, Any]


class Passage(NamedTuple):
    """Hold a piece of a document: text[start : start + len(passage.text)] of the document's text."""

    start: int
    text: str


class Input(NamedTuple):
    """Hold an input file, and the name by which messages call it."""

    path: Path
    name: str


class Reject(NamedTuple):
    """Describe an input line that is no document."""

    file: str
    line: int
    id: str | None
    reason: str
    raw: str


class FieldNames(NamedTuple):
    """Name the input fields that hold a document's text, title and id."""

    text: str = "text"
    title: str = "title"
    id: str = "id"


class _UnusableError(Exception):
    """Carry the reason why a line is no document."""

    def __init__(self, reason: str, doc_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.doc_id = doc_id


def find_inputs(paths: Iterable[Path]) -> list[Input]:
    """Resolve folders to their .jsonl and .jsonl.gz files, sorted by name; `-` stays as it is.

    Raises RagcliError for a path that does not exist and for a folder without such files.
    """
    found: list[Path] = []
    for path in paths:
        if str(path) != "-" and not path.exists():
            raise RagcliError(f"no such file: {path}", "Check the path; `-` reads standard input.")
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.iterdir() if p.name.endswith((".jsonl", ".jsonl.gz")))
        if not inside:
            raise RagcliError(f"no .jsonl or .jsonl.gz file in the folder {path}", "Name the files themselves.")
        found += inside
    return [Input(path, os.fsencode(path).decode(errors="backslashreplace")) for path in found]


def read_documents(inputs: Iterable[Input], fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield each line of JSON Lines files (gzip too) as a document, or as a reject with its reason.

    Holds one line at a time. Blank lines are skipped. Raises RagcliError for a file that cannot be read.
    """
    for path, name in inputs:
        try:
            with path.open("rb") as file:
                packed = file.peek(2).startswith(b"\x1f\x8b")
                yield from _read_file(cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file, name, fields)
        except OSError as e:
            raise RagcliError(f"cannot read {name}: {e.strerror or e}", "Check the file and its permissions.") from e


def _read_file(file: BinaryIO, name: str, fields: FieldNames) -> Iterator[Document | Reject]:
    number, line = 0, b""
    while True:
        number += 1
        try:
            line = file.readline(MAX_LINE_BYTES)
            if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                _skip_rest_of_line(file)
                raise _UnusableError(f"line longer than {MAX_LINE_BYTES // 2**20} MiB")
            if not line:
                return
            if line.isspace():
                continue
            yield _parse(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, fields)
        except _UnusableError as e:
            yield Reject(name, number, e.doc_id, e.reason, _printable(line))
        except (EOFError, zlib.error, gzip.BadGzipFile) as e:
            yield Reject(name, number, None, f"the compressed file is damaged here: {e}", "")
            return


def _skip_rest_of_line(file: BinaryIO) -> None:
    while (piece := file.readline(MAX_LINE_BYTES)) and not piece.endswith(b"\n"):
        pass


def _printable(line: bytes) -> str:
    kept = line.rstrip(b"\r\n")
    return (kept if len(line) < MAX_LINE_BYTES else kept[:1000]).decode("utf-8", errors="backslashreplace")


def _parse(line: bytes, fields: FieldNames) -> Document:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as e:
        raise _UnusableError(_why_not_json(line, e)) from e
    if not isinstance(record, dict):
        raise _UnusableError("not a JSON object")
    doc_id = record.pop(fields.id, None)
    if doc_id is not None:
        doc_id = _checked_id(doc_id)
    text = record.pop(fields.text, None)
    if not isinstance(text, str):
        raise _UnusableError(
            f"no {fields.text!r} field" if text is None else f"{fields.text!r} is not a string", doc_id
        )
    if not text or text.isspace():
        raise _UnusableError(f"{fields.text!r} is empty", doc_id)
    title = record.pop(fields.title, None)
    if not isinstance(title, str):
        title = _checked_title(title, fields.title, doc_id)
    for value in record.values():
        if isinstance(value, (dict, list)):
            _check_depth(record, doc_id)
            break
    if doc_id is not None:
        return Document(doc_id, title, text, record)
    return Document(content_hash(title, text, record), title, text, record)


def _check_depth(record: dict[str, Any], doc_id: str | None) -> None:
    try:
        orjson.dumps([[record]])  # two levels are for what stores wrap around it
    except TypeError as e:
        raise _UnusableError("nested too deeply", doc_id) from e


def _checked_title(value: object, field: str, doc_id: str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _UnusableError(f"{field!r} is not a string", doc_id)
    return str(value)


def _why_not_json(line: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as e:
        return f"not UTF-8 (byte {e.start + 1})"
    return f"not JSON: {error}"


def _checked_id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise _UnusableError("the id is neither a string nor a whole number")
    doc_id = str(value)
    if not doc_id:
        raise _UnusableError("the id is empty")
    if len(doc_id) * 4 > MAX_ID_BYTES and len(doc_id.encode()) > MAX_ID_BYTES:
        raise _UnusableError(f"the id is longer than {MAX_ID_BYTES} bytes", doc_id[:100])
    return doc_id


def content_hash(title: str, text: str, metadata: dict[str, Any]) -> str:
    """Hash a document's content, the same whatever the order of its fields: 32 hex digits."""
    content = orjson.dumps((title, text, metadata), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def split_passages(text: str, size: int) -> list[Passage]:
    """Cut a text into passages of at most `size` characters, at sentence ends where there are any.

    Passages follow each other without overlap, begin and end with no white space, and together hold every other
    character. A sentence longer than `size` is cut at white space, or anywhere if it has none.
    """
    if len(text) <= size and text.strip() == text:
        return [Passage(0, text)]
    passages: list[Passage] = []
    start = end = -1
    for left, right in _pieces(text, size):
        if start >= 0 and right - start > size:
            passages.append(Passage(start, text[start:end]))
            start = left
        start = left if start < 0 else start
        end = right
    if start >= 0:
        passages.append(Passage(start, text[start:end]))
    return passages


def _pieces(text: str, size: int) -> Iterator[tuple[int, int]]:
    for start, end in sentence_spans(text):
        while end - start > size:
            cut = max(text.rfind(" ", start, start + size + 1), text.rfind("\n", start, start + size + 1))
            cut = cut if cut > start else start + size
            yield start, start + len(text[start:cut].rstrip())
            start = cut
            while start < end and text[start].isspace():
                start += 1
        if start < end:
            yield start, end
