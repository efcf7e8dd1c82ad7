"""How passages lie in a tantivy index: its fields, how text becomes terms, and the entry of each passage."""

from collections.abc import Sequence

import orjson
import tantivy

from ragcli.analysis.analyzer import Analyzer
from ragcli.documents import Document
from ragcli.filters import metadata_terms
from ragcli.store import DocumentUpdate, IndexConfig


def schema(config: IndexConfig) -> tantivy.Schema:
    """Return the fields of an index."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("doc_id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("terms", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("content", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("characters", tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field("spellings", tokenizer_name="whitespace", index_option="basic")
    builder.add_unsigned_field("later", indexed=True)  # of passages after a document's first
    builder.add_bytes_field("record", stored=True)
    if config.encoder:
        builder.add_unsigned_field("vector", indexed=True, fast=True)  # the key of the passage's vector
    return builder.build()


def add_entries(
    writer: tantivy.IndexWriter, analyzer: Analyzer, update: DocumentUpdate, document: Document, keys: Sequence[int]
) -> None:
    """Add an entry for each passage of a document, with the key of its vector if there are any."""
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
        record = [title, passage, start, len(update.passages), update.hash, metadata]
        entry.add_bytes("record", orjson.dumps(record))
        writer.add_document(entry)


def read_names(content: bytes) -> set[str]:
    """Read the names of fields. Raises ValueError for what is none."""
    names = orjson.loads(content)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("fields.json is no list of names")
    return set(names)
