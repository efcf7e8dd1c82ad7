"""Fuzz what reads hostile text, guided by coverage: JSON Lines, --where, queries, passages, settings.

Run: pip install atheris; python -m tests.benchmarks.fuzz [corpus folder] -max_total_time=600
"""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["ragcli"]):
    from ragcli.analysis.analyzer import analyzer
    from ragcli.chunking import split_passages
    from ragcli.documents import Document
    from ragcli.errors import RagcliError
    from ragcli.filters import field_prefixes, metadata_terms, parse_filter, ranges
    from ragcli.readers import FieldNames, Input, read_documents
    from ragcli.search.query import exact_share, first_words, weighted_words
    from ragcli.settings import read_defaults

SCRATCH = Path(tempfile.mkdtemp(prefix="ragcli-fuzz-"))
LANGUAGES = ("en", "zh", "de", "tr", "ru")


def read_json_lines(content: bytes) -> None:
    path = SCRATCH / "d.jsonl"
    path.write_bytes(content)
    for item in read_documents([Input(path, "d.jsonl")], FieldNames()):
        if isinstance(item, Document):
            assert item.id and item.text.strip(), item
            for start, text in split_passages(item.text, 100):
                assert item.text[start : start + len(text)] == text and text, item
            metadata_terms(item.title, item.metadata, {})


def read_filter(content: bytes) -> None:
    condition = parse_filter(content.decode("utf-8", "replace"))
    assert list(ranges(condition)) is not None
    field_prefixes(condition.field)


def read_query(content: bytes) -> None:
    text = first_words(content.decode("utf-8", "replace"))
    language = LANGUAGES[len(content) % len(LANGUAGES)]
    words = analyzer(language)
    weighted_words(text, language)
    assert 0 <= exact_share(text, language) <= 1
    indexed = words.indexed(text).terms.split()
    asked = words.query(text, 1000)
    assert all(weight > 0 for weight in asked.values())
    for start, end in words.match_spans(text, text):
        assert 0 <= start < end <= len(text)
    if asked and not any(term in indexed for term in asked) and len(text) < 200:
        raise AssertionError(f"a text is not found by itself: {text!r}, {asked}, {indexed}")


def read_settings(content: bytes) -> None:
    path = SCRATCH / "ragcli.toml"
    path.write_bytes(content)
    read_defaults(path, {"ask": frozenset({"k", "style"}), "eval": {"answers": frozenset({"k"})}})


TARGETS = (read_json_lines, read_filter, read_query, read_settings)


def one_input(data: bytes) -> None:
    """Give the input to one target; errors of ours are answers."""
    with suppress(RagcliError):
        TARGETS[data[0] % len(TARGETS) if data else 0](data[1:])


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
