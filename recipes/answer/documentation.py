"""Write what is found for questions on the documentation of projects.

python -m recipes.answer.documentation CLONES CASES

CLONES holds a clone of each project in a folder OWNER+NAME. documentation.jsonl beside this file has the questions,
written by hand from the texts, with short strings of which one stands in every text that answers; a quarter have no
answer. CASES/docs-PART.jsonl gets one line a question, as record.py writes them, by the product's hybrid search.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ragcli.answer.terms import words_by_term
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Ranking, Searcher
from ragcli.store import LOCAL, IndexLocation, open_store
from recipes.answer.record import HITS, found, recorded
from recipes.reader.sets import read

QUESTIONS = Path(__file__).with_name("documentation.jsonl")
FITTED_ON = ("benoitc+gunicorn", "helm+helm-www", "pallets+flask", "redis+redis-doc", "celery+celery", "rclone+rclone")


def cases(
    clones: Path, project: str, part: str, questions: list[dict[str, Any]], home: Path
) -> Iterator[dict[str, Any]]:
    """Yield the cases of a project."""
    folders = sorted(
        {clones / project / question["file"].partition("/")[0] for question in questions if question["file"]}
    )
    place = IndexLocation(LOCAL, "cases", home)
    index_files(folders, place, IndexOptions(encoder="minilm", rebuild=True))
    with open_store(place) as store:
        searcher = Searcher(store, Ranking(), tell_spelling=False)
        for question in questions:
            words = list(words_by_term(question["question"], searcher.language).values())
            yield {
                **{"set": "docs", "part": part, "id": question["id"], "question": question["question"]},
                **{"answers": question["answers"], "whole": False, "language": searcher.language},
                "passages": store.counts().passages,
                "frequencies": dict(zip(words, store.frequencies(words), strict=True)),
                "hits": [recorded(hit) for hit in found(searcher, question["question"], [], HITS)],
                "without": [],
            }


def main() -> None:
    """Write the cases of all projects."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clones", type=Path)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--questions", type=Path, default=QUESTIONS)
    options = parser.parse_args()
    for part in ("fit", "report"):
        (options.cases / f"docs-{part}.jsonl").unlink(missing_ok=True)
    for project, questions in groupby(read(options.questions), key=lambda question: question["repo"]):
        part = "fit" if project in FITTED_ON else "report"
        with TemporaryDirectory() as home, (options.cases / f"docs-{part}.jsonl").open("a", encoding="utf-8") as file:
            for one in cases(options.clones, project, part, list(questions), Path(home)):
                file.write(json.dumps(one, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
