"""Write a seeded corpus of JSON Lines: slices of the sample passages, 40 to 80 words, with id, title and year."""

import json
import random
from pathlib import Path

SAMPLE = Path(__file__).parents[2] / "sample_data" / "python.jsonl"


def write_corpus(path: Path, documents: int, shortest: int = 40, longest: int = 80) -> None:
    """Write `documents` lines to a file, with texts of so many words."""
    rng = random.Random(0)
    words = [word for line in SAMPLE.read_text().splitlines() for word in json.loads(line)["text"].split()]
    with path.open("w", encoding="utf-8") as file:
        for i in range(documents):
            at, n = rng.randrange(len(words) - 90), rng.randint(shortest, longest)
            title, text = " ".join(words[at : at + 5]), " ".join(words[at + 5 : at + 5 + n])
            file.write(json.dumps({"id": f"doc-{i}", "title": title, "text": text, "year": 1950 + i % 75}) + "\n")
