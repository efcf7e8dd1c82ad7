"""Parse a line of JSON as a document, or find the reason why it is not one."""

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from ragcli.documents import MAX_ID_BYTES, PASSAGES, Document, Span, content_hash


class FieldNames(NamedTuple):
    """Name the input fields that hold a document's text, title and id; of a database, the query that has them."""

    text: str = "text"
    title: str = "title"
    id: str = "id"
    query: str = ""


class NoDocumentError(Exception):
    """Report why a line is not a document, with its id if it has one."""

    def __init__(self, reason: str, doc_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.doc_id = doc_id


def parse_record(line: bytes, fields: FieldNames) -> Document:
    """Return the document in a line of JSON. Raises NoDocumentError."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as e:
        raise _invalid_json(line, e, fields) from e
    if not isinstance(record, dict):
        raise NoDocumentError("not a JSON object")
    doc_id = record.pop(fields.id, None)
    if isinstance(doc_id, float):
        doc_id = _exact(line, fields.id)
    if doc_id is not None:
        doc_id = _checked_id(doc_id)
    text = record.pop(fields.text, None)
    if not isinstance(text, str):
        raise NoDocumentError(
            f"no {fields.text!r} field" if text is None else f"{fields.text!r} is not a string", doc_id
        )
    if not text or text.isspace():
        raise NoDocumentError(f"{fields.text!r} is empty", doc_id)
    title = record.pop(fields.title, None)
    if not isinstance(title, str):
        title = _checked_title(title, fields.title, doc_id)
    whole = _passages(record.pop(PASSAGES), len(text)) if PASSAGES in record else ()
    for value in record.values():
        if isinstance(value, (dict, list)):
            _check_depth(record, doc_id)
            break
    if doc_id is not None:
        return Document(doc_id, title, text, record, whole)
    return Document(content_hash(title, text, record), title, text, record, whole)


def _passages(spans: Any, length: int) -> tuple[Span, ...]:
    """Return the passages of an exported document, which are not to be cut; none for anything else."""
    try:
        found = tuple((int(start), int(end)) for start, end in spans)
    except (TypeError, ValueError):
        return ()
    ends = [place for span in found for place in span]
    return found if ends == sorted(ends) and min(ends, default=0) >= 0 and max(ends, default=0) <= length else ()


def _exact(line: bytes, field: str) -> object:
    """Return a number with all its digits, because orjson reads whole numbers above 64 bits as floats."""
    return json.loads(line)[field]


def _check_depth(record: dict[str, Any], doc_id: str | None) -> None:
    try:
        orjson.dumps([[record]])  # stores add two levels
    except TypeError as e:
        raise NoDocumentError("nested too deeply", doc_id) from e


def _checked_title(value: object, field: str, doc_id: str | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NoDocumentError(f"{field!r} is not a string", doc_id)
    return str(value)


def _checked_id(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise NoDocumentError("the id is neither a string nor a whole number")
    doc_id = str(value)
    if not doc_id:
        raise NoDocumentError("the id is empty")
    if len(doc_id) * 4 > MAX_ID_BYTES and len(doc_id.encode()) > MAX_ID_BYTES:
        raise NoDocumentError(f"the id is longer than {MAX_ID_BYTES} bytes", doc_id[:100])
    return doc_id


def _invalid_json(line: bytes, error: orjson.JSONDecodeError, fields: FieldNames) -> NoDocumentError:
    """Return what is wrong with a line. Python's more tolerant parser finds the field and the id."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as e:
        return NoDocumentError(f"not UTF-8 (byte {e.start + 1})")
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return NoDocumentError(f"not JSON: {error}")
    if not isinstance(record, dict):
        return NoDocumentError(f"not JSON: {error}")
    doc_id = record.get(fields.id)
    known = str(doc_id) if isinstance(doc_id, (str, int)) and not _is_broken(str(doc_id)) else None
    found = next(((name, why) for name, value in record.items() if (why := _fault(value))), None)
    return NoDocumentError(f"not JSON: {found[0]!r} is {found[1]}" if found else f"not JSON: {error}", known)


def _fault(value: object) -> str:
    """Return what in a value is not valid JSON."""
    for part in _parts(value):
        if isinstance(part, float) and not math.isfinite(part):
            return "NaN" if math.isnan(part) else "infinite, or a number too large"
        if isinstance(part, str) and _is_broken(part):
            return "text with half a surrogate pair"
    return ""


def _parts(value: object) -> Iterator[object]:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
        else:
            yield part


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
