"""Read recorded cases: a question's candidates as the product judges them, and which of them answer.

What the encoder and the reader say is kept beside the cases, in CASES/SET.scores.jsonl, and made where it is not there.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ragcli.answer.judge import Judged, Models, judge
from ragcli.reader import Reading
from ragcli.store import Counts, Hit, IndexConfig
from recipes.reader.evaluate import is_right

Vectors = NDArray[np.float32]


class Case(NamedTuple):
    """Hold a question's candidates, which of them answer, and whether its document was there."""

    record: dict[str, Any]
    hits: list[Hit]
    judged: Judged
    right: NDArray[np.bool_]
    answerable: bool


class Scores:
    """Be the store, the encoder and the reader of one case: what they say is kept, and asked for once."""

    def __init__(self, record: dict[str, Any], kept: dict[str, Any], live: Models) -> None:
        self.config = IndexConfig(record["language"], 0)
        self._record, self.kept, self._live = record, kept, live
        self.asked = False

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return how many passages hold each word."""
        return [self._record["frequencies"].get(word, 0) for word in words]

    def counts(self) -> Counts:
        """Return the size of the index."""
        return Counts(self._record["passages"], self._record["passages"])

    def vectors(self, _: Sequence[int]) -> dict[int, Vectors]:
        """Know no vectors."""
        return {}

    def queries(self, texts: Sequence[str]) -> Vectors:
        """Return the vector of which a cosine is the product with itself."""
        return np.ones((len(texts), 1), dtype=np.float32)

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return cosines as vectors of one number."""
        cosines = self.kept.setdefault("cosines", {})
        new = [text for text in dict.fromkeys(texts) if text not in cosines]
        if new and self._live.encoder:
            self.asked = True
            asked = self._live.encoder.queries([self._record["question"]])[0]
            values = self._live.encoder.passages(new) @ asked
            cosines.update((text, round(float(value), 5)) for text, value in zip(new, values, strict=True))
        return np.array([[cosines[text]] for text in texts], dtype=np.float32)

    def read(self, question: str, blocks: Sequence[tuple[str, str]]) -> list[Reading]:
        """Return the reader's scores."""
        readings = self.kept.setdefault("readings", {})
        new = [block for block in dict.fromkeys(blocks) if "\0".join(block) not in readings]
        if new and self._live.reader:
            self.asked = True
            for block, reading in zip(new, self._live.reader.read(question, new), strict=True):
                readings["\0".join(block)] = [float(x) for x in reading]
        found = (readings["\0".join(block)] for block in blocks)
        return [Reading(score, int(start), int(end), sure) for score, start, end, sure in found]


def read_cases(
    path: Path, part: str, use: Sequence[str] = (), live: Models = Models(), limit: int | None = None
) -> Iterator[Case]:
    """Yield the cases of a part, each with its own document and without; `use` names encoder and reader."""
    kept_path = path.with_suffix(".scores.jsonl")
    lines = kept_path.read_text(encoding="utf-8").splitlines() if kept_path.exists() else []
    kept: dict[str, dict[str, Any]] = {record.pop("id"): record for record in map(json.loads, lines)}
    changed = False
    with path.open(encoding="utf-8") as file:
        records = [record for record in map(json.loads, file) if part in (record["part"], "all")][:limit]
    for number, record in enumerate(records):
        for variant in ("hits", "without"):
            if variant == "without" and use and number % 2:
                continue  # reading takes long
            scores: Any = Scores(record, kept.setdefault(f"{record['id']} {variant}", {}), live)
            models = Models(scores if "encoder" in use else None, scores if "reader" in use else None)
            yield _case(record, variant, scores, models)
            changed = changed or scores.asked
        if changed and (number % 40 == 39 or number == len(records) - 1):
            kept_path.write_text("".join(json.dumps({"id": key} | value) + "\n" for key, value in kept.items()))
            changed = False


def _case(record: dict[str, Any], variant: str, store: Any, models: Models) -> Case:
    names = ("id", "title", "text", "score", "start", "end")
    hits = [Hit(n, **{name: hit[name] for name in names}, metadata={}) for n, hit in enumerate(record[variant], 1)]
    judged = judge(record["question"], hits, store, models)
    answerable = variant == "hits" and bool(record["answers"])
    right = [answerable and answers(record, candidate.text) for candidate in judged.candidates]
    return Case(record, hits, judged, np.array(right, dtype=bool), answerable)


def answers(record: dict[str, Any], text: str) -> bool:
    """Tell whether a text holds an accepted answer."""
    if record["language"] == "en":
        return is_right(text, record["answers"], record["whole"])
    flat = "".join(text.split())
    found = ["".join(answer.split()) for answer in record["answers"]]
    if record["whole"]:
        return any(flat in answer or answer in flat or flat[:20] in answer or answer[:20] in flat for answer in found)
    return any(answer in flat for answer in found)
