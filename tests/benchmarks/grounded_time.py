"""Time what a grounded answer adds to a warm search: medians, in one process.

python -m tests.benchmarks.grounded_time DATA/python-faq-en [--encoder minilm] [--limit 50]
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ragcli.answer.extractive import extract
from ragcli.answer.retrieve import retrieve
from ragcli.callbacks import Callbacks
from ragcli.evaluate.questions import read_questions
from ragcli.evaluate.retrieval import temporary_index
from ragcli.indexing import IndexOptions
from ragcli.search import Ranking, Searcher
from ragcli.store import IndexLocation


def timed(work: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    """Return what work returns, and its seconds by the clock and by the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    done = work()
    return done, (time.perf_counter() - clock, time.process_time() - processor)


def main() -> None:
    """Print the medians over the first questions of a data set; the very first warms up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder")
    parser.add_argument("--limit", type=int, default=50)
    options = parser.parse_args()
    questions = [question.text for question in read_questions(options.folder / "qa.jsonl").items[: options.limit]]
    indexing = IndexOptions(encoder=options.encoder)
    corpus = options.folder / "documents.jsonl"
    with temporary_index(corpus, IndexLocation("local", "time", Path()), indexing, Callbacks()) as (store, _):
        searcher = Searcher(store, Ranking(), tell_spelling=False)
        rows = []
        for question in [questions[0], *questions]:
            hits, search = timed(lambda: retrieve(searcher, question, 5))  # noqa: B023
            _, chosen = timed(lambda: extract(question, hits, store, searcher.encoder))  # noqa: B023
            rows.append((*search, *chosen))
    medians = np.median(rows[1:], axis=0)
    print("search {:.4f} s ({:.4f} s of processors), choice of sentences {:.4f} s ({:.4f} s)".format(*medians))


if __name__ == "__main__":
    main()
