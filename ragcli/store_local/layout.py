"""The layout of a tantivy index: its fields, and the entry of each passage."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import orjson
import tantivy

from ragcli.analysis.analyzer import Analyzer
from ragcli.documents import Document
from ragcli.filters import metadata_terms
from ragcli.store import DocumentUpdate, IndexConfig

_CHECKED = b"\x01"  # what a record with a checksum begins with; older ones are JSON from the start


def schema(config: IndexConfig) -> tantivy.Schema:
    """Return the fields of an index."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("doc_id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("terms", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("content", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("characters", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("spellings", tokenizer_name="whitespace", index_option="basic")
    builder.add_unsigned_field("later", indexed=True)  # set for passages after a document's first
    builder.add_bytes_field("record", stored=True)
    if config.encoder:
        builder.add_unsigned_field("vector", indexed=True, fast=True)  # the key of the passage's vector
    return builder.build()


def make_files(folder: Path, config: IndexConfig) -> None:
    """Make an index without entries in an empty folder."""
    (folder / "text").mkdir()
    tantivy.Index(schema(config), path=str(folder / "text"))
    if config.encoder:
        from ragcli.store_local import vectors  # and NumPy

        vectors.create(folder / "vectors.bin", config.encoder.dimension)
    (folder / "fields.json").write_bytes(b"[]")
    (folder / "facts.json").write_bytes(orjson.dumps(config.as_json()))


class _Counted(Protocol):
    """What tantivy's stubs leave out of a search result."""

    count: int


def count(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    """Return the number of passages that match a query."""
    return cast(_Counted, searcher.search(query, 1)).count


def add_entries(
    writer: tantivy.IndexWriter, analyzer: Analyzer, update: DocumentUpdate, document: Document, keys: Sequence[int]
) -> None:
    """Add an entry for each passage of a document, with the key of its vector, if any."""
    title, metadata = document.title, document.metadata
    terms = metadata_terms(title, metadata, update.aliases)
    for part, (start, passage) in enumerate(update.passages):
        entry = tantivy.Document()
        entry.add_text("doc_id", update.doc_id)
        if part:
            entry.add_unsigned("later", 1)
        for term in terms:
            entry.add_text("terms", term)
        content, characters, spellings = analyzer.indexed(f"{title}\n{passage}")
        entry.add_text("content", content)
        if characters:
            entry.add_text("characters", characters)
        if spellings:
            entry.add_text("spellings", spellings)
        if keys:
            entry.add_unsigned("vector", keys[part])
        record = Record(title, passage, start, len(update.passages), update.hash, metadata)
        entry.add_bytes("record", written_record(update.doc_id, record))
        writer.add_document(entry)


def read_state(folder: Path) -> tuple[tuple[int, ...], ...]:
    """Return what every change of an index changes: which files it has, and since when. Raises OSError."""
    paths = (folder / name for name in ("facts.json", "fields.json", "vectors.bin", "codes.bin", "text/meta.json"))
    found = (path.stat() for path in paths if path.suffix != ".bin" or path.exists())
    return tuple((file.st_ino, file.st_size, file.st_mtime_ns) for file in found)


class Record(NamedTuple):
    """Hold the stored fields of a passage, and the hash of its document."""

    title: str
    text: str
    start: int
    passages: int
    hash: str
    metadata: dict[str, Any]


def written_record(doc_id: str, record: Record) -> bytes:
    """Write a record behind its checksum."""
    content = orjson.dumps(list(record))
    return _CHECKED + _checksum(doc_id, content) + content


def read_record(document: tantivy.Document) -> tuple[str, Record]:
    """Return the document's id and the record of an entry. Raises ValueError for a wrong checksum.

    tantivy reads compressed blocks of texts without checking its own checksums.
    """
    doc_id, content = document["doc_id"][0], document["record"][0]
    if content.startswith(_CHECKED):
        sum_, content = content[1:5], content[5:]
        if sum_ != _checksum(doc_id, content):
            raise ValueError("a text is damaged")
    return doc_id, Record(*orjson.loads(content))


def _checksum(doc_id: str, content: bytes) -> bytes:
    return zlib.crc32(content, zlib.crc32(doc_id.encode())).to_bytes(4, "little")


def read_names(content: bytes) -> set[str]:
    """Read the names of fields. Raises ValueError for anything else."""
    names = orjson.loads(content)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("fields.json is not a list of names")
    return set(names)
