"""Measure what of the ten nearest vectors Elasticsearch's graph finds, by the number of candidates it looks at.

    python -m tests.benchmarks.hnsw_recall --store http://localhost:9200 [--vectors PASSAGES.npy --queries QUERIES.npy]

Without files of vectors, clustered ones are made. The graph is measured as it was written, and merged into one.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from elasticsearch import Elasticsearch
from numpy.typing import NDArray

from ragcli.documents import Document, Passage
from ragcli.store import DocumentUpdate, EncoderConfig, IndexConfig, IndexLocation, Store, drop_index, open_store

K = 10
CANDIDATES = (10, 20, 50, 100, 150, 200, 300, 500)

Matrix = NDArray[np.float32]


def scaled(vectors: NDArray[np.floating]) -> Matrix:
    """Give all rows the length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def clustered(count: int, dimension: int, queries: int, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Make vectors around centres, about a hundred to one, and queries near some of them."""
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((max(1, count // 100), dimension), np.float32)
    near = centres[chance.integers(len(centres), size=count + queries)]
    made = scaled(near + 0.7 * chance.standard_normal(near.shape, np.float32))
    return made[:count], made[count:]


def updates(vectors: Matrix) -> Iterator[DocumentUpdate]:
    """Make a document of one passage of each vector."""
    for i, vector in enumerate(vectors):
        yield DocumentUpdate(str(i), None, Document(str(i), "", str(i), {}), "-", [Passage(0, str(i))], vector[None])


def recall(store: Store, queries: Matrix, right: list[set[str]], candidates: int | None) -> tuple[float, float]:
    """Return the share of the nearest that are found, and the milliseconds of a query."""
    start = time.perf_counter()
    found = [{hit.id for hit in store.nearest(query, K, candidates=candidates)} for query in queries]
    seconds = time.perf_counter() - start
    hit = sum(len(a & b) for a, b in zip(found, right, strict=True))
    return hit / (K * len(queries)), 1000 * seconds / len(queries)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", required=True)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--queries", type=Path)
    parser.add_argument("-n", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    options = parser.parse_args()
    vectors, queries = clustered(options.n, options.dimension, 200)
    if options.vectors:
        vectors = scaled(np.load(options.vectors)[: options.n])
    if options.queries:
        queries = scaled(np.load(options.queries)[:200])
    best = np.argpartition(-(queries @ vectors.T), K, axis=1)[:, :K]
    right = [{str(i) for i in row} for row in best.tolist()]
    location = IndexLocation(options.store, "benchmark-recall", Path())
    drop_index(location)
    encoder = EncoderConfig("benchmark", "0", vectors.shape[1], "mean")
    with (
        open_store(location, IndexConfig("en", 100, encoder)) as store,
        Elasticsearch(options.store, request_timeout=3600) as client,
    ):
        start = time.perf_counter()
        store.write(updates(vectors))
        print(f"{len(vectors)} × {vectors.shape[1]} vectors, written in {time.perf_counter() - start:.0f} s")
        measure(store, client, location.name, queries, right)
        client.indices.forcemerge(index=location.name, max_num_segments=1)
        measure(store, client, location.name, queries, right)
    drop_index(location)


def measure(store: Store, client: Elasticsearch, index: str, queries: Matrix, right: list[set[str]]) -> None:
    """Print recall and time by candidates."""
    segments = len(client.cat.segments(index=index, format="json").body)
    print(f"segments: {segments}\n\n| candidates | recall@{K} | ms a query |\n|---|---|---|")
    recall(store, queries, right, None)  # warm
    for candidates in (None, *CANDIDATES):
        share, milliseconds = recall(store, queries, right, candidates)
        print(f"| {candidates or 'default'} | {share:.4f} | {milliseconds:.1f} |", flush=True)
    print()


if __name__ == "__main__":
    main()
