"""Measure a reader on what was held out: python -m recipes.reader.evaluate FOLDER SET... [--reader R] [--questions N].

The product's keyword search finds five passages, the reader ranks their blocks. Of every fourth question the passages
that hold the answer are taken away: these should get the lower scores (AUC). Of a set whose titles are the questions,
titles are neither searched nor read, and every other question is asked in fewer words.
"""

import argparse
import random
import re
import string
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from ragcli.analysis.blocks import headed_blocks
from ragcli.analysis.functions import STOP_WORDS
from ragcli.reader import Reader, open_reader
from ragcli.search import Searcher
from ragcli.store import Hit
from recipes.reader.sets import ALL_ANSWERS, ASKED_TITLES, OWN_ONLY, index, is_held, read

HITS = 5
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Judged(NamedTuple):
    """Hold what came of a question: whether each block is right, best first, the best score, and if the span is."""

    answerable: bool
    right: list[bool]
    score: float
    exact: bool


def judge(reader: Reader, question: str, hits: Sequence[Hit], answers: Sequence[str], whole: bool) -> Judged:
    """Rank the blocks of hits. `whole` answers are sentences, of which a block need hold but a part."""
    blocks = list(dict.fromkeys(block for hit in hits for block in headed_blocks(hit.title, hit.text, "en")))
    readings = reader.read(question, blocks)
    order = sorted(range(len(blocks)), key=lambda place: -readings[place].score)
    right = [is_right(blocks[place][1], answers, whole) for place in order]
    if not order:
        return Judged(True, [], -99.0, False)
    best = readings[order[0]]
    span = plain(blocks[order[0]][1][best.start : best.end])
    return Judged(True, right, best.score, any(span == plain(answer) for answer in answers))


def is_right(text: str, answers: Sequence[str], whole: bool) -> bool:
    """Tell whether a block holds an answer; of an answer of sentences, whether it is part of it or begins with it."""
    block = plain(text)
    if whole:
        return any(
            block in plain(answer) or plain(answer) in block or _share_start(block, plain(answer)) for answer in answers
        )
    return any(f" {plain(answer)} " in f" {block} " for answer in answers)


def _share_start(block: str, answer: str) -> bool:
    return block[:40] in answer or answer[:40] in block


def plain(text: str) -> str:
    """Return a text as SQuAD compares answers: in small letters, without articles and punctuation."""
    return " ".join(re.sub(r"\b(?:a|an|the)\b", " ", text.lower().translate(_PUNCTUATION)).split())


def fewer_words(question: str, rng: random.Random) -> str:
    """Ask in keywords, of a long question without one in five."""
    words = [word for word in re.findall(r"[\w.'/-]+", question.lower()) if word not in STOP_WORDS]
    kept = [word for word in words if len(words) < 5 or rng.random() > 0.2]
    return " ".join(kept) if len(words) > 2 else question


def measure(reader: Reader, folder: Path, name: str, count: int, home: Path) -> list[Judged]:
    """Return what comes of the questions held out of a set."""
    documents = {document["id"]: document for document in read(folder / "documents.jsonl")}
    searcher = index(documents, name, home)
    rng = random.Random(3)
    questions = [question for question in read(folder / "qa.jsonl") if question.get("answers")]
    questions = [q for q in questions if q["doc_id"] in documents and is_held(name, documents[q["doc_id"]])]
    random.Random(11).shuffle(questions)
    whole = name in ASKED_TITLES | ALL_ANSWERS | {"medquad"}
    found = []
    for number, question in enumerate(questions[:count]):
        take_away = number % 4 == 3 and name not in OWN_ONLY
        asked = question["question"]
        if name in ASKED_TITLES and number % 2:
            asked = fewer_words(asked, rng)
        hits = _hits(searcher, asked, question, name, take_away)
        if take_away:
            hits = [hit for hit in hits if not is_right(hit.text, question["answers"], False)][:HITS]
        judged = judge(reader, asked, hits, question["answers"], whole)
        found.append(judged._replace(answerable=not take_away))
    return found


def _hits(searcher: Searcher, asked: str, question: dict[str, Any], name: str, take_away: bool) -> list[Hit]:
    if name in OWN_ONLY:
        return searcher.store.passages(question["doc_id"])
    hits = searcher.search(asked, k=2 * HITS if take_away else HITS)
    return [hit for hit in hits if hit.id != question["doc_id"]] if take_away else hits


def area(high: Sequence[float], low: Sequence[float]) -> float:
    """Return the share of pairs in which the first is the higher one: the area under the ROC curve."""
    return float(np.mean([(a > b) + 0.5 * (a == b) for a in high for b in low])) if high and low else float("nan")


def main() -> None:
    """Print a line of a table for each set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--reader")
    parser.add_argument("--questions", type=int, default=400)
    given = parser.parse_args()
    reader = open_reader(given.reader)
    print("| set | questions | in the passages | first | first two | exact span | AUC |\n|---|---|---|---|---|---|---|")
    for name in given.sets:
        with TemporaryDirectory() as home:
            found = measure(reader, given.folder / name, name, given.questions, Path(home))
        yes = [one for one in found if one.answerable]
        shares = [np.mean([any(one.right[:most]) for one in yes]) for most in (None, 1, 2)]
        shares.append(np.mean([one.exact for one in yes]))
        auc = area([one.score for one in yes], [one.score for one in found if not one.answerable])
        figures = " | ".join(f"{value:.3f}" for value in (*shares, auc))
        print(f"| {name} | {len(yes)} + {len(found) - len(yes)} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
