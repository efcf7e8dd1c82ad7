"""Measure an index of up to a million passages on either store: rate, memory, disk, cold and warm searches, growth.

    python -m tests.benchmarks.million [--store local] [--counts 10000 100000 1000000] [--folder FOLDER]

Prints a row for each figure, with the exponent of the size by which it grows, fitted on logarithms. Warm searches are
calls of `Searcher.search` on an open index, by one client and by eight threads; cold ones are processes of their own,
the first of them after the index's files were dropped from memory. Queries are three words of a passage.
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from elasticsearch import Elasticsearch

from ragcli.search import Ranking, Searcher
from ragcli.store import LOCAL, IndexLocation, drop_index, open_store
from tests.benchmarks.core import RAGCLI, peak_mib
from tests.benchmarks.corpus import write_corpus
from tests.benchmarks.serve import Cost, percentile

INDEX = "benchmark-million"
QUERIES = 400
CLIENTS = 8
COLD = 5


def indexed(path: Path, store: str, home: Path) -> tuple[float, int]:
    """Index a file in a process of its own; return the seconds that it takes, and its peak memory in MiB."""
    words = [*RAGCLI, "index", str(path), "--index", INDEX, "--store", store, "--language", "en", "--format", "json"]
    began = time.perf_counter()
    memory = peak_mib([*words, "--no-encoder"], home)
    return time.perf_counter() - began, memory


def megabytes(store: str, home: Path) -> float:
    """Return what an index takes on disk."""
    if store == LOCAL:
        return sum(path.stat().st_size for path in (home / "indexes" / INDEX).rglob("*") if path.is_file()) / 1e6
    with Elasticsearch(store) as client:
        client.indices.flush(index=INDEX)
        return float(client.indices.stats(index=INDEX, metric="store")["_all"]["total"]["store"]["size_in_bytes"]) / 1e6


def forget(home: Path) -> None:
    """Drop the files of an index from the memory of the system."""
    for path in (home / "indexes").rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cold(query: str, store: str, home: Path) -> Cost:
    """Return what a search in a process of its own takes."""
    env = {**os.environ, "RAGCLI_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    words = [*RAGCLI, "search", query, "--index", INDEX, "--store", store]
    began, before = time.perf_counter(), os.times()
    subprocess.run(words, env=env, check=True, capture_output=True)
    after = os.times()
    worked = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(1000 * (time.perf_counter() - began), 1000 * worked)


def warm(location: IndexLocation, queries: Sequence[str], clients: int) -> list[Cost]:
    """Return what each search takes by some threads on one open index."""
    with open_store(location) as store, ThreadPoolExecutor(clients) as pool:
        searcher = Searcher(store, Ranking(mode="keyword"))

        def one(query: str) -> Cost:
            began, before = time.perf_counter(), time.thread_time()
            searcher.search(query)
            return Cost(1000 * (time.perf_counter() - began), 1000 * (time.thread_time() - before))

        list(pool.map(one, queries[:50]))
        return list(pool.map(one, queries))


def some_queries(path: Path) -> list[str]:
    """Return three words of some passages, with a fixed seed."""
    chance = random.Random(5)
    queries: list[str] = []
    lines = path.read_text().splitlines()
    while len(queries) < QUERIES:
        words = json.loads(chance.choice(lines))["text"].split()
        at = chance.randrange(len(words) - 3)
        queries.append(" ".join(words[at : at + 3]))
    return queries


def measured(count: int, store: str, folder: Path) -> dict[str, float]:
    """Return all figures of one size."""
    path = folder / "corpus.jsonl"
    write_corpus(path, count, shortest=12, longest=30)
    location = IndexLocation(store, INDEX, folder / "home")
    drop_index(location)
    seconds, memory = indexed(path, store, location.home)
    queries = some_queries(path)
    path.unlink()
    figures = {"index, s": seconds, "documents a second": count / seconds, "peak memory, MiB": memory}
    figures["disk, MB"] = megabytes(store, location.home)
    forget(location.home)
    figures["first search, ms"] = cold(queries[0], store, location.home).wall
    costs = [cold(query, store, location.home) for query in queries[:COLD]]
    figures["cold, ms"], figures["cold, ms of a processor"] = map(statistics.median, zip(*costs, strict=True))
    for clients in (1, CLIENTS):
        costs = warm(location, queries, clients)
        for share in (0.5, 0.95, 0.99):
            named = f"{clients} client{'s' * (clients > 1)}, p{100 * share:.0f}, ms"
            figures[named] = percentile([cost.wall for cost in costs], share)
            figures[f"{named} of a processor"] = percentile([cost.processor for cost in costs], share)
    drop_index(location)
    return figures


def exponent(counts: Sequence[int], values: Sequence[float]) -> float:
    """Fit the power of the count by which values grow."""
    x, y = [math.log(count) for count in counts], [math.log(value) for value in values]
    return statistics.linear_regression(x, y).slope


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default=LOCAL)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        rows = []
        for count in options.counts:
            rows.append(measured(count, options.store, Path(name)))
            print(count, {what: round(value, 2) for what, value in rows[-1].items()}, file=sys.stderr, flush=True)
    print(f"| {options.store} | {' | '.join(f'{count:,}' for count in options.counts)} | exponent |")
    print("|---" * (len(rows) + 2) + "|")
    for what in rows[0]:
        values = [row[what] for row in rows]
        shown = " | ".join(f"{value:,.0f}" if value >= 100 else f"{value:.1f}" for value in values)
        print(f"| {what} | {shown} | {exponent(options.counts, values):.2f} |")


if __name__ == "__main__":
    main()
