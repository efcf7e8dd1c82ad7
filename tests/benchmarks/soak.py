"""Work on one store for a while, and watch what it keeps: memory, open files, threads, and scrolls of the server.

    python -m tests.benchmarks.soak [--store local] [--minutes 30] [--every 60]

A process opens the index again and again, as a server does: it adds, changes and deletes documents, searches by words,
by vectors and by filters, asks, lists and counts. A row for each sample; the memory is to be flat after the first ones.
"""

import argparse
import os
import random
import tempfile
import threading
import time
from pathlib import Path

from elasticsearch import Elasticsearch

from ragcli.api import Index
from ragcli.store import LOCAL, drop_index
from tests.benchmarks.serve import memory
from tests.support import write_lines
from tests.tiny_gpt2 import ANIMALS, sentences

DOCUMENTS = 500
NAME = "benchmark-soak"


def some_work(index: Index, folder: Path, chance: random.Random) -> None:
    """Do each kind of work once."""
    changed = [{"id": f"d{chance.randrange(DOCUMENTS)}", "text": sentences(chance.randrange(10**6))} for _ in range(20)]
    index.add(write_lines(folder / "d.jsonl", *{row["id"]: row for row in changed}.values()), language="en")
    query = f"Where does the {chance.choice(ANIMALS)} sleep?"
    index.search(query)
    index.search(query, where=[f"id>=d{chance.randrange(10)}"])
    index.like(changed[0]["id"])
    index.ask(query)
    index.documents()
    index.status()
    index.delete(*(row["id"] for row in changed[:5]))


def sample(store: str, began: float, rounds: int) -> str:
    """Return a row of the table."""
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a path would be opened as well)
    scrolls: object = ""
    if store != LOCAL:
        with Elasticsearch(store) as client:
            nodes = client.nodes.stats(metric="indices", index_metric="search")["nodes"].values()
            scrolls = sum(node["indices"]["search"]["open_contexts"] for node in nodes)
    minutes = (time.monotonic() - began) / 60
    return f"| {minutes:.1f} | {rounds} | {memory(os.getpid())} | {files} | {threading.active_count()} | {scrolls} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default=LOCAL)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=60.0)
    options = parser.parse_args()
    chance, began, rounds, shown = random.Random(0), time.monotonic(), 0, 0.0
    print("| minutes | rounds | MB of memory | open files | threads | contexts |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index = Index(NAME, store=options.store, home=folder)
        drop_index(index.location)
        index.add(write_lines(folder / "d.jsonl", *({"id": f"d{n}", "text": sentences(n)} for n in range(DOCUMENTS))))
        while (passed := time.monotonic() - began) < 60 * options.minutes:
            if passed >= shown:
                print(sample(options.store, began, rounds), flush=True)
                shown += options.every
            some_work(index, folder, chance)
            rounds += 1
        print(sample(options.store, began, rounds), flush=True)
        drop_index(index.location)


if __name__ == "__main__":
    main()
