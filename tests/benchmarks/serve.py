"""Serving: a command by the server in the background against one alone, searches, and many clients for a while.

    python -m tests.benchmarks.serve [--seconds 120] [--clients 20]

Prints a line for each figure. An index of the sample data is made for the occasion.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import tantivy

from ragcli.api import Index
from ragcli.search import Ranking
from tests.benchmarks.raw_tantivy import build
from tests.support import ROOT, environment

QUESTIONS = ("What is a lambda?", "What does EAFP mean?", "How do I copy an object?", "What is a list comprehension?")
_WORDS = ("list comprehension", "copy object", "anonymous function", "global interpreter lock", "iterate file lines")
_RUNS = 9
_SEARCHES = 200


class Cost(NamedTuple):
    """Hold the milliseconds that a command takes, and those of them that a processor worked for its own process."""

    wall: float
    processor: float


def cost(words: list[str], env: dict[str, str]) -> Cost:
    """Return the medians of what a command takes."""
    costs = []
    for _ in range(_RUNS):
        started, before = time.perf_counter(), os.times()
        # In a session of its own, as the server is: some systems share processors among sessions.
        subprocess.run(words, env=env, check=True, capture_output=True, start_new_session=True)
        after = os.times()
        worked = after.children_user + after.children_system - before.children_user - before.children_system
        costs.append(Cost(1000 * (time.perf_counter() - started), 1000 * worked))
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def compare_commands(env: dict[str, str]) -> None:
    """Print what `ask` and `search` take alone, by the server, and what of that is the work and the interpreter."""
    ragcli = [sys.executable, "-m", "ragcli"]
    lines = {"ask": [*ragcli, "ask", QUESTIONS[0]], "search": [*ragcli, "search", "list comprehension"]}
    alone = {name: cost(words, env) for name, words in lines.items()}
    subprocess.run([*ragcli, "serve", "--background"], env=env, check=True, capture_output=True)
    for words in lines.values():  # loads the models
        subprocess.run(words, env=env, check=True, capture_output=True)
    empty = cost([sys.executable, "-c", "pass"], env)
    print(f"empty interpreter: {empty.wall:.0f} ms, {empty.processor:.0f} ms of a processor")
    for name, words in lines.items():
        served, before = cost(words, env), alone[name]
        times = before.wall / served.wall
        print(f"{name}: alone {before.wall:.0f} ms, by the server {served.wall:.0f} ms: {times:.1f} times as fast")
        print(f"  its own process works {before.processor:.0f} ms alone, {served.processor:.0f} ms beside the server")
    subprocess.run([*ragcli, "serve", "--stop"], env=env, check=True, capture_output=True)


@contextmanager
def serving(env: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Run a server with its models loaded; yield its process and address."""
    words = [sys.executable, "-m", "ragcli", "serve", "--port", "0"]
    with subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        address = next(line for line in server.stderr if " at http" in line).partition(" at ")[2].split()[0]
        with httpx2.Client(base_url=address, timeout=60) as client:
            for question in QUESTIONS:
                client.get("/ask", params={"question": question})
        yield server.pid, address
        server.terminate()


def compare_searches(env: dict[str, str], corpus: Path) -> None:
    """Print what a search takes by the server and one client, in this process, and by tantivy alone, in turn."""
    index = Index(home=env["RAGCLI_HOME"])
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(env) as (_, address),
        httpx2.Client(base_url=address) as client,
    ):
        raw = build(folder, corpus)
        searches: dict[str, Callable[[str], object]] = {
            "tantivy alone": lambda query: read(raw, query),
            "by words, in process": lambda query: index.search(query, ranking=Ranking("keyword")),
            "by words, by the server": lambda query: client.get("/search", params={"query": query, "mode": "keyword"}),
            "by words and vectors, in process": index.search,
            "by words and vectors, by the server": lambda query: client.get("/search", params={"query": query}),
        }
        times: dict[str, list[float]] = {name: [] for name in searches}
        for turn in range(_SEARCHES):
            for name, search in searches.items():
                started = time.perf_counter()
                search(_WORDS[turn % len(_WORDS)])
                times[name].append(time.perf_counter() - started)
    for name, taken in times.items():
        p50, p95 = (1000 * percentile(taken, share) for share in (0.5, 0.95))
        print(f"search {name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms")


def read(raw: tantivy.Index, query: str) -> list[dict[str, Any]]:
    """Return the ten best documents by tantivy's own means."""
    searcher = raw.searcher()
    found = searcher.search(raw.parse_query(query, ["title", "text"]), 10).hits
    return [searcher.doc(address).to_dict() for _, address in found]


def load(env: dict[str, str], clients: int, duration: float) -> None:
    """Print how long searches and questions of many clients took, what failed, and how the memory grew."""
    with serving(env) as (process, address):
        before = memory(process)
        times: dict[str, list[float]] = {"search": [], "ask": []}
        statuses: Counter[int] = Counter()
        end = time.monotonic() + duration
        threads = [threading.Thread(target=ask_on, args=(address, n, end, times, statuses)) for n in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = memory(process)
    print(f"{clients} clients for {duration:.0f} s: {dict(statuses)}; memory {before} MB before, {after} MB after")
    for name, taken in times.items():
        p50, p95 = (1000 * percentile(taken, share) for share in (0.5, 0.95))
        print(f"{name}: {len(taken)} answers, p50 {p50:.0f} ms, p95 {p95:.0f} ms")


def ask_on(address: str, n: int, end: float, times: dict[str, list[float]], statuses: "Counter[int]") -> None:
    """Search three times and ask once, again and again; wait where the server says so."""
    turn = n
    with httpx2.Client(base_url=address, timeout=60) as client:
        while time.monotonic() < end:
            turn += 1
            question = QUESTIONS[turn % len(QUESTIONS)]
            name, key = ("ask", "question") if turn % 4 == 0 else ("search", "query")
            started = time.perf_counter()
            status = client.get(f"/{name}", params={key: question}).status_code
            statuses[status] += 1
            if status == 200:
                times[name].append(time.perf_counter() - started)
            else:
                time.sleep(1)


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of all values does not exceed."""
    return sorted(values)[int(share * (len(values) - 1))] if values else 0.0


def memory(process: int) -> int:
    """Return the resident megabytes of a process."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        env = environment({"RAGCLI_HOME": folder, "HF_HUB_OFFLINE": "1"})
        data = ROOT / "sample_data" / "python.jsonl"
        subprocess.run([sys.executable, "-m", "ragcli", "index", str(data)], env=env, check=True, capture_output=True)
        compare_commands(env)
        compare_searches(env, data)
        load(env, chosen.clients, chosen.seconds)


if __name__ == "__main__":
    main()
