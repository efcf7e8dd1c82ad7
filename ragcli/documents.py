"""Documents, their passages, and input that was rejected."""

import hashlib
from typing import Any, NamedTuple

import orjson

MAX_ID_BYTES = 480  # an Elasticsearch _id holds 512 bytes, and the passage's number goes there too
PASSAGES = "_passages"  # of exported documents: where their passages are, so that they are cut there again

Span = tuple[int, int]


class Document(NamedTuple):
    """Hold a text and its metadata.

    `whole` are spans of the text (lists, tables, code) that stay in one passage if they fit.
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
    """Describe an input line that is not a document; line 0 stands for the whole file."""

    file: str
    line: int
    id: str | None
    reason: str
    raw: str


class Skipped(Reject):
    """Describe a file that is skipped because nothing reads its format, such as an image."""


class Unread(Skipped):
    """Describe a folder or file that is there, or was, and cannot be read: it may hold any document."""


def content_hash(title: str, text: str, metadata: dict[str, Any]) -> str:
    """Return a hash of a document's content, independent of the order of its fields: 32 hex digits."""
    content = orjson.dumps((title, text, metadata), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=16).hexdigest()
