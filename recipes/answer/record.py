"""Write what the product's own search finds for questions, for fit.py to fit on and to measure.

python -m recipes.answer.record FOLDER CASES SET... [--encoder minilm]; FOLDER holds a folder for each set.

CASES/SET.jsonl has one line a question: what `ask` would retrieve with the question's own document in the index
(`hits`) and without any text that holds the answer (`without`), and how many passages hold each of its words. Only
documents that the reader's recipe holds out are asked about, so that its scores are honest; half of them are `fit`,
the others `report`. A set is written twice where its titles are the questions: with hidden and with shown titles.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ragcli.answer.retrieve import retrieve
from ragcli.answer.terms import words_by_term
from ragcli.errors import NothingFoundError
from ragcli.filters import Filter
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Ranking, Searcher
from ragcli.store import LOCAL, Hit, IndexLocation, open_store
from recipes.reader.evaluate import fewer_words, is_right
from recipes.reader.sets import is_held, read

SEED = 11
HITS = 5
SHOWN = "+titles"  # behind the name of a set: titles that are the questions are indexed as well
ASKED_TITLES = ("doc-faq-en", "doc-faq-zh")
WHOLE = {*ASKED_TITLES, "dstc11-faq-reviews", "clapnq-dev", "medquad", "python-faq-en", "python-faq-zh"}
ALL = ("python-faq-en", "python-faq-zh")  # nothing has learnt from them


def part_of(key: str) -> str:
    """Return the part of a document, by a hash of what must not be in both parts."""
    return "fit" if int(md5(f"answer {key}".encode(), usedforsecurity=False).hexdigest()[:8], 16) % 2 else "report"


def cases(folder: Path, name: str, count: int, encoder: str | None, home: Path) -> Iterator[dict[str, Any]]:
    """Yield the cases of a set."""
    plain = name.removesuffix(SHOWN)
    documents = {document["id"]: document for document in read(folder / plain / "documents.jsonl")}
    hidden = name in ASKED_TITLES
    file = home / f"{name}.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for document in documents.values():
            title = "" if hidden else document.get("title") or ""
            out.write(json.dumps({"id": document["id"], "title": title, "text": document["text"]}) + "\n")
    place = IndexLocation(LOCAL, "cases", home)
    index_files([file], place, IndexOptions(encoder=encoder, rebuild=True))
    questions = [question for question in read(folder / plain / "qa.jsonl") if question.get("doc_id") in documents]
    if plain not in ALL:
        questions = [question for question in questions if is_held(plain, documents[question["doc_id"]])]
    random.Random(SEED).shuffle(questions)
    rng = random.Random(SEED)
    with open_store(place) as store:
        searcher = Searcher(store, Ranking(), tell_spelling=False)
        for number, question in enumerate(questions[:count]):
            document = documents[question["doc_id"]]
            text = question["question"].strip()
            if plain == "doc-faq-en" and number % 2:
                text = fewer_words(text, rng)
            yield case(searcher, {**question, "question": text}, document, plain)


def case(searcher: Searcher, question: dict[str, Any], document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what is known of a question."""
    text, answers = question["question"], [answer for answer in question.get("answers") or [] if answer.strip()]
    words = list(words_by_term(text, searcher.language).values())
    bare = [hit for hit in found(searcher, text, [question["doc_id"]], 2 * HITS) if not holds(hit, answers)]
    key = document.get("project") or document.get("title") or document["id"]
    return {
        **{"set": name, "part": part_of(key), "id": question["id"], "question": text, "answers": answers},
        **{"whole": name in WHOLE, "language": searcher.language, "passages": searcher.store.counts().passages},
        "frequencies": dict(zip(words, searcher.store.frequencies(words), strict=True)),
        "hits": [recorded(hit) for hit in found(searcher, text, [], HITS)],
        "without": [recorded(hit) for hit in bare[:HITS]],
    }


def holds(hit: Hit, answers: Sequence[str]) -> bool:
    """Tell whether a hit holds an answer as it stands."""
    return bool(answers) and is_right(hit.text, answers, whole=False)


def found(searcher: Searcher, question: str, leave_out: Sequence[str], k: int) -> list[Hit]:
    """Return what is retrieved for a question, as the product does it."""
    try:
        return retrieve(searcher, question, k, [Filter("id", "!=", doc_id) for doc_id in leave_out])
    except NothingFoundError:
        return []


def recorded(hit: Hit) -> dict[str, Any]:
    """Return what the choice of blocks looks at."""
    return {name: getattr(hit, name) for name in ("id", "title", "text", "score", "start", "end")}


def main() -> None:
    """Write the cases of some sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("cases", type=Path)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--encoder")
    parser.add_argument("--questions", type=int, default=600)
    options = parser.parse_args()
    for name in options.sets:
        with TemporaryDirectory() as home, (options.cases / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            for one in cases(options.folder, name, options.questions, options.encoder, Path(home)):
                file.write(json.dumps(one, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
