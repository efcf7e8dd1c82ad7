"""Measure the embedded store's search by vectors as a ratio to one pass over the matrix in memory, and its recall.

    python -m tests.benchmarks.vectors [-n 100000] [--dimension 384] [--runs 15] [--vectors FILE.npy --queries FILE.npy]

All are warm and take turns. The pass is `matrix @ vector` alone; the searches end with their hits, texts and all.
Without files of vectors, clustered ones are made. If a file has less than n, more are made between pairs of them.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ragcli.filters import Filter
from ragcli.store import LOCAL, EncoderConfig, Hit, IndexConfig, IndexLocation, open_store
from tests.benchmarks.hnsw_recall import K, Matrix, clustered, scaled, updates

DEEP = 200  # hits of each half of a hybrid search
_PART = 50_000


def extended(vectors: Matrix, count: int, seed: int = 0) -> Matrix:
    """Return the first `count` vectors; if there are less, with vectors between random pairs of them, and noise."""
    chance = np.random.default_rng(seed)
    parts = [vectors[:count]]
    while (missing := count - sum(map(len, parts))) > 0:
        one, other = vectors[chance.integers(len(vectors), size=(2, min(missing, _PART)))]
        noise = chance.standard_normal(one.shape, np.float32) / one.shape[1] ** 0.5
        parts.append(scaled(one + 0.5 * other + 0.3 * noise))
    return np.concatenate(parts)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return the milliseconds that a call takes, and what it returns."""
    start = time.perf_counter()
    made = call()
    return 1000 * (time.perf_counter() - start), made


def recall(found: list[list[Hit]], right: list[list[Hit]]) -> float:
    """Return the mean share of the right hits that are found."""
    shares = (len({h.id for h in a} & {h.id for h in b}) / len(b) for a, b in zip(found, right, strict=True))
    return statistics.mean(shares)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--queries", type=Path)
    options = parser.parse_args()
    if options.vectors and options.queries:
        matrix = extended(scaled(np.load(options.vectors)), options.n)
        queries = scaled(np.load(options.queries))[: options.runs + 1]
    else:
        matrix, queries = clustered(options.n, options.dimension, options.runs + 1)
    config = IndexConfig("en", 100, EncoderConfig("benchmark", "0", matrix.shape[1], "mean"))
    some = [Filter("id", "!=", "0")]
    with (
        tempfile.TemporaryDirectory() as home,
        open_store(IndexLocation(LOCAL, "benchmark", Path(home)), config) as store,
    ):
        start = time.perf_counter()
        store.write(updates(matrix))
        print(f"{matrix.shape[0]} × {matrix.shape[1]} vectors, written in {time.perf_counter() - start:.1f} s\n")

        def searches(q: Matrix) -> dict[str, Callable[[], list[Hit]]]:
            return {
                f"nearest {K}, exact": lambda: store.nearest(q, K, candidates=options.n),
                f"nearest {DEEP}, exact": lambda: store.nearest(q, DEEP, candidates=options.n),
                f"nearest {K}": lambda: store.nearest(q, K),
                f"nearest {DEEP}": lambda: store.nearest(q, DEEP),
                f"nearest {K}, all but one pass a filter": lambda: store.nearest(q, K, some),
            }

        passes, rows = [], []
        for query in queries:
            passes.append(timed(partial(np.matmul, matrix, query))[0])
            rows.append({what: timed(call) for what, call in searches(query).items()})
    print("| what | ms | ratio to the pass | recall |\n|---|---|---|---|")
    print(f"| the pass | {statistics.median(passes[1:]):.1f} | | |")
    for what in rows[0]:
        ratios = sorted(row[what][0] / whole for row, whole in zip(rows[1:], passes[1:], strict=True))
        right = f"nearest {DEEP if str(DEEP) in what else K}, exact"
        share = recall([row[what][1] for row in rows], [row[right][1] for row in rows])
        middle = statistics.median(row[what][0] for row in rows[1:])
        ratio = f"{statistics.median(ratios):.3f} ({ratios[0]:.3f}–{ratios[-1]:.3f})"
        print(f"| {what} | {middle:.1f} | {ratio} | {share:.4f} |")


if __name__ == "__main__":
    main()
