"""Time a search in a process of its own, by each mode, against the import of sentence-transformers alone.

python -m tests.benchmarks.cold_search HOME INDEX [--runs 5]

HOME is a data folder (RAGCLI_HOME) with an index that has vectors, such as quality.py's --home leaves.
"""

import argparse
import statistics
import sys
from pathlib import Path

from tests.benchmarks.core import RAGCLI, timed

PEER = [sys.executable, "-c", "import sentence_transformers"]
QUERY = "boundary layer flow over a flat plate"


def main() -> None:
    """Print a row for each mode: medians, and the range of the ratios within a round."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("index")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    commands = {
        mode: [*RAGCLI, "search", QUERY, "--index", arguments.index, "--mode", mode]
        for mode in ("keyword", "semantic", "hybrid")
    }
    rounds = [
        (timed(PEER, arguments.home), {mode: timed(command, arguments.home) for mode, command in commands.items()})
        for _ in range(arguments.runs)
    ]
    peer = statistics.median(seconds for seconds, _ in rounds)
    for mode in commands:
        ratios = sorted(ours[mode] / seconds for seconds, ours in rounds)
        median = statistics.median(ours[mode] for _, ours in rounds)
        shown = f"{statistics.median(ratios):.3f} ({ratios[0]:.3f}–{ratios[-1]:.3f})"
        print(f"| {mode} | {median:.2f} s | {peer:.2f} s | {shown} |", flush=True)


if __name__ == "__main__":
    main()
