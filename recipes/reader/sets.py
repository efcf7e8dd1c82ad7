"""Make examples of sets of questions: python -m recipes.reader.sets FOLDER OUTPUT SET...

FOLDER holds a folder for each set with documents.jsonl and qa.jsonl, of which files over 5 MB are gzipped. Written is
OUTPUT/SET.jsonl: an example a line, the block that answers first, others that the product's keyword search finds.
"""

import argparse
import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from ragcli.analysis.analyzer import analyzer
from ragcli.analysis.blocks import Block, find_blocks
from ragcli.analysis.functions import STOP_WORDS
from ragcli.analysis.sentences import sentence_spans
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Ranking, Searcher
from ragcli.store import LOCAL, IndexLocation, open_store

MOST = 13  # blocks of an example
# Sizes of blocks, so that the reader learns no length by heart.
SIZES = {"en": (400, 400, 400, 250), "zh": (180, 180, 180, 110)}
CHINESE = {"cmrc2018-trial", "drcd-dev", "doc-faq-zh"}
# Sets whose titles are the questions: they are not searched, and hidden in training.
ASKED_TITLES = {"doc-faq-en", "doc-faq-zh"}
# Weak ones: the answer's first block counts, and its first sentence.
LONG_ANSWERS = {"doc-faq-en", "doc-faq-zh", "medquad"}
ALL_ANSWERS = {"dstc11-faq-reviews", "clapnq-dev"}  # every block with one of the answers is right
OWN_ONLY = {"dstc11-faq-reviews", "hotpotqa-part"}  # questions that make sense with their own document only
# Sets whose documents are parts of articles or stories: these are held out whole.
BY_TITLE = ("squad", "fairy", "cmrc", "drcd")
# How many in 100 are held out: of articles 8, of other documents 10, of the few Chinese ones more.
HELD = {"cmrc2018-trial": 30, "drcd-dev": 20, "doc-faq-zh": 25}

_WORD = re.compile(r"[^\W_]+")


class Piece(NamedTuple):
    """Hold a block of a document with what stands above it."""

    title: str
    head: str
    text: str
    start: int


def make(folder: Path, name: str, home: Path) -> Iterator[dict[str, Any]]:
    """Yield the examples of a set."""
    rng = random.Random(name)
    documents = {document["id"]: document for document in read(folder / "documents.jsonl")}
    searcher = None if name in OWN_ONLY else index(documents, name, home)
    for question in read(folder / "qa.jsonl"):
        document = documents.get(question["doc_id"])
        answers = [answer for answer in question.get("answers") or [] if answer.strip()]
        if document is None or (not answers and question.get("answerable", True)):
            continue
        if name in LONG_ANSWERS and answers[0].rstrip().endswith("?"):
            continue  # the question itself
        example = _example(question, answers, document, documents, searcher, name, rng)
        if example:
            yield {**example, "set": name, "held": is_held(name, document), "hide": name in ASKED_TITLES}


def is_held(name: str, document: dict[str, Any]) -> bool:
    """Tell by a hash whether a document is held out, with all of its project, article or story."""
    by_title = name.startswith(BY_TITLE)
    key = document.get("title" if by_title else "project") or document["id"]
    return int(md5(key.encode(), usedforsecurity=False).hexdigest()[:8], 16) % 100 < HELD.get(
        name, 8 if by_title else 10
    )


def language_of(name: str) -> str:
    """Return the language of a set."""
    return "zh" if name in CHINESE else "en"


def index(documents: dict[str, dict[str, Any]], name: str, home: Path) -> Searcher:
    """Index the documents of a set, without titles where these are the questions."""
    file = home / f"{name}.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for document in documents.values():
            title = "" if name in ASKED_TITLES else document.get("title") or ""
            out.write(json.dumps({"id": document["id"], "title": title, "text": document["text"]}) + "\n")
    place = IndexLocation(LOCAL, name, home)
    index_files([file], place, IndexOptions(language=language_of(name)))
    return Searcher(open_store(place), Ranking(lenient=True))


def _example(
    question: dict[str, Any],
    answers: Sequence[str],
    document: dict[str, Any],
    documents: dict[str, dict[str, Any]],
    searcher: Searcher | None,
    name: str,
    rng: random.Random,
) -> dict[str, Any] | None:
    language = language_of(name)
    asked, size = question["question"].strip(), rng.choice(SIZES[language])
    own = _pieces(document, document["text"], size)
    right, unclear = _right(own, answers, document["text"], asked, name)
    if answers and not right:
        return None
    stems = _stems(asked, language)
    wrong = [(len(stems & _stems(f"{piece.head} {piece.text}", language)) + 0.5, piece) for piece in own]
    wrong = [pair for place, pair in enumerate(wrong) if place not in right and place not in unclear]
    if name in ASKED_TITLES:  # what follows the beginning of an answer may answer as well
        wrong = [pair for pair in wrong if rng.random() < 0.5]
    for rank, hit in enumerate(searcher.search(asked, k=5) if searcher else ()):
        if hit.id != document["id"]:
            for piece in _pieces(documents[hit.id], hit.text, size):
                if not _holds(piece.text, answers, language):
                    wrong.append((len(stems & _stems(f"{piece.head} {piece.text}", language)) - 0.1 * rank, piece))
    wrong.sort(key=lambda pair: -pair[0])
    chosen = [piece for _, piece in wrong[: MOST - len(right)]]
    if len(right) + len(chosen) < 3:
        return None
    blocks = [[piece.title, piece.head, piece.text] for piece in (*(own[place] for place in right), *chosen)]
    spans = [_span(own[place].text, span, name) for place, span in right.items()]
    return {"id": question["id"], "doc_id": document["id"], "question": asked, "blocks": blocks, "spans": spans}


def _right(
    own: Sequence[Piece], answers: Sequence[str], text: str, asked: str, name: str
) -> tuple[dict[int, tuple[int, int]], set[int]]:
    """Return the places of the blocks that answer with the answer's span, and those that may or may not."""
    if name in ALL_ANSWERS | LONG_ANSWERS or any(len(answer) > 120 for answer in answers):
        found = _overlapping(own, answers, text)
        if name in LONG_ANSWERS and found:
            first = min(found)
            return {first: found[first]}, set(found) - {first}
        return found, set()
    places = [(place, answer) for place, piece in enumerate(own) for answer in answers if answer in piece.text]
    if not places:
        return {}, set()
    language = language_of(name)
    stems = _stems(asked, language)
    place, answer = max(places, key=lambda pair: (len(stems & _stems(own[pair[0]].text, language)), len(pair[1])))
    pattern = re.escape(answer) if language == "zh" else rf"(?<!\w){re.escape(answer)}(?!\w)"
    near = {
        m.start(): len(stems & _stems(own[place].text[max(0, m.start() - 90) : m.start() + 90], language))
        for m in re.finditer(pattern, own[place].text)
    }
    at = max(near, key=near.__getitem__, default=own[place].text.find(answer))
    return {place: (at, at + len(answer))}, {other for other, _ in places if other != place}


def _overlapping(own: Sequence[Piece], answers: Sequence[str], text: str) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for answer in answers:
        at = text.find(answer)
        for place, piece in enumerate(own if at >= 0 else ()):
            start, end = max(at, piece.start), min(at + len(answer), piece.start + len(piece.text))
            if end - start >= min(25, len(answer)):
                found.setdefault(place, (start - piece.start, end - piece.start))
    return found


def _span(text: str, span: tuple[int, int], name: str) -> list[int]:
    """Return an answer's span; of a long one its first sentence."""
    start, end = span
    if name in LONG_ANSWERS:
        first = next(sentence_spans(text[start:end]), (0, end - start))
        start, end = start + first[0], start + min(first[1], 240)
    return [start, end]


def _pieces(document: dict[str, Any], text: str, size: int) -> list[Piece]:
    title = document.get("title") or ""

    def piece(block: Block) -> Piece:
        return Piece(title, block.head_of(text), text[block.start : block.end], block.start)

    return [piece(block) for block in find_blocks(text, size)]


def _stems(text: str, language: str) -> set[str]:
    if language == "zh":
        return set(analyzer(language).stems(text))
    return {word.lower()[:6] for word in _WORD.findall(text)} - STOP_WORDS


def _holds(text: str, answers: Sequence[str], language: str) -> bool:
    """Tell whether a text holds an answer; English ones as whole words."""
    between = "" if language == "zh" else " "
    found, *wanted = (between.join(["", *_WORD.findall(part.lower()), ""]) for part in (text, *answers))
    return any(answer in found for answer in wanted)


def read(file: Path) -> list[dict[str, Any]]:
    """Read JSON Lines, gzipped or not."""
    zipped = file.with_name(f"{file.name}.gz")
    with gzip.open(zipped, "rt", encoding="utf-8") if zipped.is_file() else file.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def main() -> None:
    """Write the examples of the sets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("sets", nargs="+")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    for name in given.sets:
        with TemporaryDirectory() as home, (given.output / f"{name}.jsonl").open("w", encoding="utf-8") as out:
            examples = list(make(given.folder / name, name, Path(home)))
            out.writelines(json.dumps(example, ensure_ascii=False) + "\n" for example in examples)
            print(name, len(examples))


if __name__ == "__main__":
    main()
