"""Measure the embedded store's exact search by vectors as a ratio to one pass over the matrix in memory.

    python -m tests.benchmarks.vectors [-n 100000] [--dimension 384] [--runs 15]

Both are warm and take turns. The pass is `matrix @ vector` alone; the search ends with ten hits, texts and all.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ragcli.filters import Filter
from ragcli.store import LOCAL, EncoderConfig, IndexConfig, IndexLocation, open_store
from tests.benchmarks.hnsw_recall import K, clustered, updates


def milliseconds(call: Callable[[], Any]) -> float:
    """Return what one call takes."""
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    matrix, queries = clustered(options.n, options.dimension, options.runs + 1)
    config = IndexConfig("en", 100, EncoderConfig("benchmark", "0", options.dimension, "mean"))
    with (
        tempfile.TemporaryDirectory() as home,
        open_store(IndexLocation(LOCAL, "benchmark", Path(home)), config) as store,
    ):
        writing = milliseconds(lambda: store.write(updates(matrix)))
        print(f"{options.n} × {options.dimension} vectors, written in {writing / 1000:.1f} s\n")
        some = [Filter("id", "!=", "0")]
        times = [
            (
                milliseconds(lambda q=query: matrix @ q),  # type: ignore[misc]
                milliseconds(lambda q=query: store.nearest(q, K)),  # type: ignore[misc]
                milliseconds(lambda q=query: store.nearest(q, K, some)),  # type: ignore[misc]
            )
            for query in queries
        ][1:]
    print("| what | ms | ratio to the pass |\n|---|---|---|")
    for what, column in zip(("the pass", "nearest", "nearest, all but one pass a filter"), range(3), strict=True):
        ratios = sorted(row[column] / row[0] for row in times)
        middle = statistics.median(row[column] for row in times)
        print(f"| {what} | {middle:.1f} | {statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}) |")


if __name__ == "__main__":
    main()
