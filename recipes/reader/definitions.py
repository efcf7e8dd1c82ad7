"""Make examples without questions by people: python -m recipes.reader.definitions FOLDER OUTPUT.

Of the terms in a book's glossary, with the sentence of the book that says most of their definition; and of the headings
in a manual, with the sentence below them. FOLDER holds openstax and python-docs; the manual's FAQ is left out.
"""

import argparse
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import md5
from pathlib import Path
from typing import Any

from ragcli.analysis.blocks import find_blocks
from recipes.reader.sets import read

LEAST = 0.42  # of a definition's words, that the sentence must have
WINDOW = 1100  # characters of a book around the sentence
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"“(])")
_WORD = re.compile(r"[a-z]{3,}")
_TERMS = (
    "What is {0}{1}?|What is {1}?|what does {1} mean|define {1}|{1}|What is meant by {1}?|Explain {1}|{1} definition"
)
_PLURALS = "What are {1}?|what are {1}|define {1}|{1}|What does {1} mean?"
_HEADINGS = "What is {1}?|Explain {1}|{1}|What are {1}?|How does {1} work?|tell me about {1}"
_DOINGS = "How do I go about {1}?|how to do {1}|What about {1}?|{1}|how does {1} work"


def terms(folder: Path, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield an example for each term that a sentence of its book defines."""
    pages = defaultdict(list)
    for document in read(folder / "openstax" / "documents.jsonl"):
        pages[document["book"]].append((document["title"].split(" — ")[0], document["text"]))
    sentences = {book: list(_sentences(found)) for book, found in pages.items()}
    for entry in read(folder / "openstax" / "glossary.jsonl"):
        term = re.sub(r"\(.*?\)", "", entry["term"]).strip()
        wanted = _words(entry["definition"]) - _words(term)
        if not 3 <= len(term) <= 40 or len(wanted) < 4:
            continue
        with_term = [found for found in sentences.get(entry["book"], []) if term.lower() in found[1].lower()]
        rated = sorted(((_rate(term, wanted, found[1]), found) for found in with_term), key=lambda pair: -pair[0])
        if not rated or rated[0][0] < LEAST:
            continue
        (title, sentence, text), others = rated[0][1], [found for rate, found in rated[:0:-1] if rate < 0.25][:3]
        near = [(other_title, _around(other, said, rng)) for other_title, said, other in others if other != text]
        article = "" if term.endswith("s") or " of " in term else "an " if term[0].lower() in "aeiou" else "a "
        question = rng.choice((_PLURALS if term.endswith("s") else _TERMS).split("|")).format(article, term)
        example = _example(question, title, _around(text, sentence, rng), sentence, near)
        if example:
            yield {**example, "set": "definitions"}


def _sentences(pages: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    for title, text in pages:
        for sentence in _SENTENCE.split(text):
            if 40 <= len(sentence) <= 320:
                yield title, sentence, text


def _rate(term: str, wanted: set[str], sentence: str) -> float:
    low = term.lower()
    begins = sentence.lower().startswith((low, f"a {low}", f"an {low}", f"the {low}"))
    return len(wanted & _words(sentence)) / len(wanted) + 0.15 * begins


def headings(folder: Path, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield an example for half of the headings that a sentence follows."""
    sections: list[tuple[str, str, str, str]] = []
    before = None
    for row in read(folder / "python-docs" / "documents-en.jsonl"):
        heading = row.get("section") or ""
        if heading != before and not row["id"].startswith("faq/") and 6 <= len(heading) <= 90:
            body = row["text"].removeprefix(heading).lstrip().replace("\n", " ")
            lead = _SENTENCE.split(body)[0]
            if 30 <= len(lead) <= 350 and len(body) > len(lead):
                sections.append((heading, row["title"], body[:1200], lead))
        before = heading
    for place, (heading, title, text, lead) in enumerate(sections):
        others = (place + 1, place - 1, rng.randrange(len(sections)))
        near = [sections[other][1:3] for other in others if 0 <= other < len(sections)]
        doing = heading.split()[0].endswith("ing")
        low = heading if heading.isupper() else heading[0].lower() + heading[1:]
        asked = heading if heading.endswith("?") else rng.choice((_DOINGS if doing else _HEADINGS).split("|"))
        path = title if rng.random() < 0.5 else f"{title} › {heading}"
        example = _example(asked.format("", low), path, text, lead, near)
        if example and rng.random() < 0.5:
            yield {**example, "set": "headings"}


def _example(
    question: str, title: str, text: str, answer: str, near: Sequence[tuple[str, str]]
) -> dict[str, Any] | None:
    at = text.find(answer)
    blocks = find_blocks(text)
    right = next((block for block in blocks if block.start <= at < block.end), None)
    if right is None:
        return None
    end = at + len(answer)
    wrong = [(title, b.head_of(text), text[b.start : b.end]) for b in blocks if b.start >= end or b.end <= at][:5]
    asked = _words(question)
    for other_title, other in near:
        found = [(other_title, b.head_of(other), other[b.start : b.end]) for b in find_blocks(other)]
        wrong += sorted(found, key=lambda piece: -len(asked & _words(piece[2])))[:3]
    if len(wrong) < 3:
        return None
    first = (title, right.head_of(text), text[right.start : right.end])
    span = [at - right.start, min(end, right.end) - right.start]
    held = int(md5(title.encode(), usedforsecurity=False).hexdigest()[:8], 16) % 100 < 6
    key = md5(question.encode(), usedforsecurity=False).hexdigest()[:12]
    record = {"id": key, "doc_id": title, "question": question, "blocks": [first, *wrong], "spans": [span]}
    return {**record, "held": held, "hide": False}


def _around(text: str, sentence: str, rng: random.Random) -> str:
    """Return part of a text, from the beginning of a sentence on, with a sentence somewhere in it."""
    if len(text) <= WINDOW + 200:
        return text
    at = text.find(sentence)
    begin = max(0, at - rng.randint(0, WINDOW - min(len(sentence), WINDOW)))
    begin = text.rfind(". ", 0, begin) + 2 if ". " in text[:begin] else 0
    return text[begin : max(begin + WINDOW, at + len(sentence))]


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def main() -> None:
    """Write definitions.jsonl and headings.jsonl."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    rng = random.Random(2)
    given.output.mkdir(parents=True, exist_ok=True)
    for name, make in (("definitions", terms), ("headings", headings)):
        examples = list(make(given.folder, rng))
        lines = (json.dumps(example, ensure_ascii=False) + "\n" for example in examples)
        (given.output / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(name, len(examples))


if __name__ == "__main__":
    main()
