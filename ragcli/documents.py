"""What is read, indexed and found: documents, their passages, and what turned out to be no document."""

import hashlib
from typing import Any, NamedTuple

import orjson

MAX_ID_BYTES = 480  # an Elasticsearch _id holds 512 bytes, and the passage's number goes there too

Span = tuple[int, int]


class Document(NamedTuple):
    """Hold one text with what is known about it.

    `whole` are spans of the text that stay in one passage where they fit: lists, tables, code.
    """

    id: str
    title: str
    text: str
    metadata: dict[str, Any]
    whole: tuple[Span, ...] = ()


class Passage(NamedTuple):
    """Hold a piece of a document: text[start : start + len(passage.text)] of the document's text."""

    start: int
    text: str


class Reject(NamedTuple):
    """Describe an input line that is no document; line 0 stands for the whole file."""

    file: str
    line: int
    id: str | None
    reason: str
    raw: str


class Skipped(Reject):
    """Describe a file that is left out, since it is not meant to be read: an image, a kind without a reader."""


def content_hash(title: str, text: str, metadata: dict[str, Any]) -> str:
    """Hash a document's content, the same whatever the order of its fields: 32 hex digits."""
    content = orjson.dumps((title, text, metadata), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=16).hexdigest()
