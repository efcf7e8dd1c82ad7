"""Measure a warm keyword search beside tantivy alone: the same terms on the same open index, ten passages read.

python -m tests.benchmarks.warm [--documents 100000]
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tantivy
from tantivy import Occur, Query

from ragcli.analysis.analyzer import analyzer
from ragcli.search import Ranking, Searcher
from ragcli.store import LOCAL, IndexLocation, open_store
from tests.benchmarks.core import RAGCLI
from tests.benchmarks.corpus import write_corpus
from tests.benchmarks.million import some_queries

INDEX = "benchmark-warm"
ROUNDS = 5


def raw_search(folder: Path) -> Callable[[str], object]:
    """Return a search of the same index by tantivy, which reads the ten best passages."""
    index = tantivy.Index.open(str(folder))
    searcher, schema = index.searcher(), index.schema

    def search(query: str) -> object:
        terms = analyzer("en").query(query, len(query))
        parts = [
            (Occur.Should, Query.boost_query(Query.term_query(schema, "content", term, "freq"), weight))
            for term, weight in terms.items()
        ]
        found = searcher.search(Query.boolean_query(parts), 10, count=False).hits
        return [searcher.doc(address) for _, address in found]

    return search


def worked(search: Callable[[str], object], query: str) -> float:
    """Return the milliseconds that a processor works on a search."""
    began = time.thread_time()
    search(query)
    return 1000 * (time.thread_time() - began)


def main() -> None:
    """Print a row: medians of both, of the queries in turn, and their ratio in each round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    documents = parser.parse_args().documents
    with tempfile.TemporaryDirectory() as folder:
        corpus, home = Path(folder, "corpus.jsonl"), Path(folder, "home")
        write_corpus(corpus, documents)
        command = [*RAGCLI, "index", str(corpus), "--index", INDEX, "--no-encoder"]
        subprocess.run(command, env={**os.environ, "RAGCLI_HOME": str(home)}, check=True)
        queries = some_queries(corpus)
        raw = raw_search(home / "indexes" / INDEX / "text")
        with open_store(IndexLocation(LOCAL, INDEX, home)) as store:
            searcher = Searcher(store, Ranking(mode="keyword"))
            rounds = []
            for _ in range(ROUNDS + 1):
                pairs = [(worked(searcher.search, query), worked(raw, query)) for query in queries]
                rounds.append([statistics.median(times) for times in zip(*pairs, strict=True)])
    ours, peer = (statistics.median(times) for times in zip(*rounds[1:], strict=True))
    ratios = sorted(a / b for a, b in rounds[1:])
    print("| ragcli, p50 | tantivy, p50 | ragcli / tantivy |\n|---|---|---|")
    print(f"| {ours:.2f} ms | {peer:.2f} ms | {statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}) |")


if __name__ == "__main__":
    main()
