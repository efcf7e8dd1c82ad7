"""Write a seeded corpus of JSON Lines: words by Zipf's law, 40 to 80 a document, with id, title and year."""

import json
import random
import sys
from pathlib import Path


def write_corpus(path: Path, documents: int) -> None:
    """Write `documents` lines to a file."""
    rng = random.Random(0)
    vocabulary = ["".join(rng.choices("etaoinshrdlucmfwyp", k=rng.randint(2, 10))) for _ in range(50_000)]
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    words = rng.choices(vocabulary, weights, k=1_000_000)
    with path.open("w", encoding="utf-8") as file:
        for i in range(documents):
            at, n = rng.randrange(len(words) - 90), rng.randint(40, 80)
            line = {
                "id": f"doc-{i}",
                "title": " ".join(words[at : at + 5]),
                "text": " ".join(words[at + 5 : at + 5 + n]),
            }
            file.write(json.dumps({**line, "year": 1950 + i % 75}) + "\n")


if __name__ == "__main__":
    write_corpus(Path(sys.argv[1]), int(sys.argv[2]))
