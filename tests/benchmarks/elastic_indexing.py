"""Measure indexing into Elasticsearch as a ratio against the client's bare helpers.parallel_bulk. Prints Markdown rows.

    python -m tests.benchmarks.elastic_indexing [--runs 7] [--documents 5000]

Each run indexes the same documents by the same mapping into a new index, with two threads, and ends with a refresh:
by parallel_bulk from entries made beforehand, by ElasticStore.write, and by all of `ragcli index` from a file.
The server is the one that RAGCLI_TEST_ELASTICSEARCH names, else the tests' own.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch, helpers

from ragcli.analysis.analyzer import Analyzer
from ragcli.chunking import split_passages
from ragcli.documents import Document, content_hash
from ragcli.indexing import PASSAGE_SIZE, IndexOptions, index_files
from ragcli.readers import FieldNames, find_inputs, read_documents
from ragcli.store import DocumentUpdate, IndexConfig, IndexLocation, drop_index, open_store
from ragcli.store_elastic.layout import index_mapping, written
from tests.benchmarks.corpus import write_corpus
from tests.elastic.server import running_server

CONFIG = IndexConfig("en", PASSAGE_SIZE)


@contextmanager
def server_url() -> Iterator[str]:
    """Yield the URL of a server for the time of the benchmark."""
    if url := os.environ.get("RAGCLI_TEST_ELASTICSEARCH"):
        yield url
        return
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        yield server.url


def updates(documents: list[Document]) -> Iterator[DocumentUpdate]:
    """Yield what brings the documents into an empty index."""
    for document in documents:
        digest = content_hash(document.title, document.text, document.metadata)
        yield DocumentUpdate(document.id, None, document, digest, split_passages(document.text, PASSAGE_SIZE))


def entries(documents: list[Document]) -> list[dict[str, Any]]:
    """Return the very entries that ragcli writes, as parallel_bulk takes them."""
    words = Analyzer(CONFIG.language)
    return [{**action["index"], **body} for update in updates(documents) for action, body in written(update, words, 0)]


def bare(location: IndexLocation, prepared: list[dict[str, Any]]) -> None:
    """Index without ragcli."""
    with Elasticsearch(location.url, request_timeout=60) as client:
        client.indices.create(index=location.name, mappings=index_mapping(CONFIG))
        for _ in helpers.parallel_bulk(client, prepared, thread_count=2, index=location.name):
            pass
        client.indices.refresh(index=location.name)


def by_write(location: IndexLocation, documents: list[Document]) -> None:
    """Index through the store alone."""
    with open_store(location, CONFIG) as store:
        store.write(updates(documents))


def by_index(location: IndexLocation, path: Path) -> None:
    """Index as the command does."""
    index_files([path], location, IndexOptions())


def seconds(work: Callable[[], None], location: IndexLocation, passages: int) -> float:
    """Time the work on a new index, and check that it is complete."""
    started = time.perf_counter()
    work()
    elapsed = time.perf_counter() - started
    with open_store(location) as store:
        if store.counts().passages != passages:
            raise SystemExit("the index is not complete")
    drop_index(location)
    return elapsed


def main() -> None:
    """Print the medians and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--documents", type=int, default=5_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server_url() as url:
        path = Path(folder) / "corpus.jsonl"
        write_corpus(path, options.documents)
        documents = [item for item in read_documents(find_inputs([path]), FieldNames()) if isinstance(item, Document)]
        prepared = entries(documents)
        location = IndexLocation(url, "benchmark", Path(folder))
        drop_index(location)
        work = {
            "helpers.parallel_bulk": lambda: bare(location, prepared),
            "ElasticStore.write": lambda: by_write(location, documents),
            "ragcli index": lambda: by_index(location, path),
        }
        for each in work.values():  # warms the server
            seconds(each, location, len(prepared))
        runs = [
            {name: seconds(each, location, len(prepared)) for name, each in work.items()} for _ in range(options.runs)
        ]
    print(f"{options.documents} documents, {len(prepared)} passages, {options.runs} runs in turn")
    for name in work:
        rates = sorted(run["helpers.parallel_bulk"] / run[name] for run in runs)
        median = statistics.median(run[name] for run in runs)
        print(f"| {name} | {median:.2f} s | {statistics.median(rates):.2f} ({rates[0]:.2f}–{rates[-1]:.2f}) |")


if __name__ == "__main__":
    main()
