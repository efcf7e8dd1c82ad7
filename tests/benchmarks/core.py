"""Measure indexing, cold start and a cold answer as ratios against a peer in the same run. Prints Markdown rows.

python -m tests.benchmarks.core [--runs 5]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ragcli.models import PACKAGED, ModelFolder
from ragcli.train.model import open_model, write_model
from tests.benchmarks.corpus import write_corpus

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "sample_data" / "python.jsonl"
RAGCLI = [sys.executable, "-m", "ragcli"]
NOTHING = [sys.executable, "-c", "pass"]
WATCHED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def timed(command: Sequence[str], home: Path) -> float:
    """Return the seconds that a command takes as a whole process."""
    env = {**os.environ, "RAGCLI_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    started = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def peak_mib(command: Sequence[str], home: Path) -> int:
    """Return the peak memory of a command in MiB.

    A process of its own starts it, because Linux counts for a child what its parent held when it was started.
    """
    env = {**os.environ, "RAGCLI_HOME": str(home)}
    run = subprocess.run([sys.executable, "-c", WATCHED, *command], env=env, check=True, stdout=subprocess.PIPE)
    return int(run.stdout) // 1024


def ratio(name: str, ours: Sequence[str], peer: Sequence[str], runs: int, tmp: Path) -> None:
    """Print the median of our time over the peer's, run in turn, and its range."""
    pairs = []
    for run in range(runs):
        home = tmp / f"{name}-{run}".replace(" ", "-")
        pairs.append((timed(ours, home if "index" in ours else tmp / "home"), timed(peer, home)))
    ratios = sorted(a / b for a, b in pairs)
    ours_s, peer_s = (statistics.median(times) for times in zip(*pairs, strict=True))
    middle = statistics.median(ratios)
    print(f"| {name} | {ours_s:.2f} s | {peer_s:.2f} s | {middle:.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f}) |", flush=True)


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        tmp = Path(folder)
        for n in (10_000, 100_000):
            write_corpus(tmp / f"{n}.jsonl", n)
        big = str(tmp / "100000.jsonl")
        timed([*RAGCLI, "index", str(SAMPLE)], tmp / "home")
        print("| what | ragcli | peer | time, ragcli / peer |\n|---|---|---|---|")
        ratio(
            "index 100,000, raw tantivy",
            [*RAGCLI, "index", big],
            [sys.executable, str(HERE / "raw_tantivy.py"), big],
            runs,
            tmp,
        )
        ratio("--help, python -c pass", [*RAGCLI, "--help"], NOTHING, runs, tmp)
        ratio("search, python -c pass", [*RAGCLI, "search", "list comprehension"], NOTHING, runs, tmp)
        ask = [*RAGCLI, "ask", "What is a function in Python?", "--max-new-tokens", "50"]
        write_model(open_model(ModelFolder("small_gpt2", PACKAGED), 0.0), tmp / "model")
        plain = [sys.executable, str(HERE / "plain_transformers.py"), str(tmp / "model")]
        ratio("ask, 50 tokens, plain transformers", ask, plain, runs, tmp)
        print("\n| peak memory of `index` | MiB |\n|---|---|")
        for n in (10_000, 100_000):
            print(f"| {n:,} documents | {peak_mib([*RAGCLI, 'index', str(tmp / f'{n}.jsonl')], tmp / f'memory-{n}')} |")


if __name__ == "__main__":
    main()
