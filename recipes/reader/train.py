"""Train on all examples: python -m recipes.reader.train EXAMPLES ENCODER OUTPUT --minutes M [--resume].

EXAMPLES is the folder that sets.py, documentation.py and definitions.py wrote to, ENCODER that of all-MiniLM-L6-v2.
"""

import argparse
import random
from pathlib import Path
from typing import Any

from ragcli.models import ModelFolder
from ragcli.train.config import ReaderTrainConfig
from ragcli.train.reader import ReaderReport, train_reader
from ragcli.train.reader_examples import Example, Examples
from recipes.reader.sets import read

# How often an epoch has the questions of a set; those that are not named once.
SHARES = {
    "squad-v1.1-train-subset": 0.45,
    "squad-train-more": 0.45,
    "tydiqa-goldp-en": 0.8,
    "fairytaleqa": 0.35,
    "medquad": 0.5,
    "dstc11-faq-reviews": 0.45,
    "definitions": 0.6,
    "headings": 0.8,
    "documentation": 1.0,
    "doc-faq-en": 2.5,
}
HIDDEN = 0.75  # of the examples whose titles are the questions: of these the headings are left out


def read_examples(folder: Path, seed: int) -> Examples:
    """Read all examples in a folder, each set as often as its share says."""
    rng = random.Random(seed)
    found = Examples([], [], 0)
    for file in sorted(folder.glob("*.jsonl")):
        for record in read(file):
            if record["held"]:
                found.validation.append(_example(record, record["hide"]))
                continue
            share = SHARES.get(record["set"], 1.0)
            for _ in range(int(share) + (rng.random() < share % 1)):
                found.training.append(_example(record, record["hide"] and rng.random() < HIDDEN))
    rng.shuffle(found.validation)
    return found


def _example(record: dict[str, Any], hide: bool) -> Example:
    """Make an example. Of several right blocks it has the first; the others are neither right nor wrong."""
    count = len(record["spans"])
    kept = [*record["blocks"][:1], *record["blocks"][count or 1 :]]
    blocks = tuple(("" if hide else " › ".join(filter(None, (title, head))), text) for title, head, text in kept)
    span = tuple(record["spans"][0]) if count else None
    return Example(record["doc_id"], record["question"], blocks, span)


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("examples", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()

    def tell(report: ReaderReport) -> None:
        if report.step % 50 == 0 or report.saved:
            print(f"step {report.step} · loss {report.loss:.3f} · {report.seconds:.0f} s", flush=True)

    config = ReaderTrainConfig(batch=8, rate=1e-4, minutes=given.minutes, seed=given.seed)
    examples = read_examples(given.examples, given.seed)
    start = ModelFolder(given.encoder.name, given.encoder)
    print(train_reader(config, start, examples, given.output, resume=given.resume, tell=tell))


if __name__ == "__main__":
    main()
