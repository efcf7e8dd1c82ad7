"""Measure `ask --batch` as a ratio against one run for each question. Prints Markdown rows.

python -m tests.benchmarks.batch DATA [--runs 3] [--singles 20] [--model MODEL]

DATA is a folder with documents.jsonl and qa.jsonl. In each round as many questions as `--singles` says are asked one by
one, other ones each time, and then all 200 as a batch; the time of the single runs is scaled to 200.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from ragcli.models import PACKAGED
from tests.benchmarks.core import RAGCLI, timed
from tests.support import write_lines

QUESTIONS = 200


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--singles", type=int, default=20)
    parser.add_argument("--model", default=str(PACKAGED))
    options = parser.parse_args()
    lines = (options.data / "qa.jsonl").read_bytes().splitlines()
    chosen = lines[:: len(lines) // QUESTIONS][:QUESTIONS]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        batch = write_lines(home / "all.jsonl", *chosen)
        timed([*RAGCLI, "index", str(options.data / "documents.jsonl")], home)
        print("| style | 200 single runs | batch of 200 | times as fast |\n|---|---|---|---|")
        for style in ("grounded", "free", "copy"):
            ask = [*RAGCLI, "ask", "--style", style, "--min-confidence", "0", "--model", options.model, "--batch"]
            timed([*ask, str(write_lines(home / "one.jsonl", chosen[0]))], home)  # prepares the model
            pairs = []
            for run in range(options.runs):
                some = chosen[run :: QUESTIONS // options.singles][: options.singles]
                alone = sum(timed([*ask, str(write_lines(home / "one.jsonl", one))], home) for one in some)
                pairs.append((alone * QUESTIONS / len(some), timed([*ask, str(batch)], home)))
            ratios = sorted(alone / together for alone, together in pairs)
            one, all_ = (statistics.median(times) for times in zip(*pairs, strict=True))
            spread = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f}–{ratios[-1]:.1f})"
            print(f"| `{style}` | {one:.0f} s | {all_:.1f} s | {spread} |", flush=True)


if __name__ == "__main__":
    main()
