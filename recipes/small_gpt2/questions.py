"""Make questions out of texts, to learn copying from: `python -m recipes.small_gpt2.questions DATA OUTPUT`.

A sentence loses a name, a number or a term, and asks for it (Lewis et al. 2019, Unsupervised Question Answering by
Cloze Translation); a glossary's term asks for its definition. OUTPUT gets `documents.jsonl` and `qa.jsonl`, as `train`
reads them.
"""

import random
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ragcli.analysis.functions import STOP_WORDS
from ragcli.analysis.sentences import sentence_spans
from ragcli.documents import Document
from ragcli.readers import FieldNames, find_inputs, read_documents

# Share of each file's documents that ask.
SOURCES = {
    "openstax/documents.jsonl.gz": 1.0,
    "film-wikipedia-extracts/documents.jsonl.gz": 0.4,
    "python-docs/documents-en.jsonl.gz": 0.7,
}
GLOSSARY = "openstax/glossary.jsonl"
# Books that quote texts of others, which nobody may pass on.
QUOTING = {"us-history", "world-history", "life-liberty-and-pursuit-happiness", "writing-guide"}

_WORDS = range(8, 46)  # of a sentence that asks
_BEFORE, _AFTER = 9, 14  # words of it that are kept at most
_DROPPED = 0.2  # of the function words
_DEFINITIONS = ("What is {}?", "What is {}?", "What does {} mean?", "Define {}.")


class Kind(NamedTuple):
    """Say what an answer looks like, and how it is asked for."""

    answer: re.Pattern[str]
    asked: tuple[str, ...]


KINDS = (
    Kind(re.compile(r"(?<=[a-z,] )(?:in )?(?:1\d{3}|20\d\d)\b(?!s)"), ("when", "what year", "in what year")),
    Kind(re.compile(r"(?<=[a-z] )\d[\d,.]*\d?(?: (?:million|billion|percent|thousand))?(?= [a-z])"), ("how many",)),
    Kind(re.compile(r"(?<=[a-z,] )[A-Z][\w’'-]+ [A-Z][\w’'-]+(?: [A-Z][\w’'-]+)*"), ("who", "what", "which")),
    Kind(re.compile(r"(?<=[a-z,] )[A-Z][\w’'-]{3,}"), ("what", "who", "which")),
    Kind(
        re.compile(
            r"(?<=\b(?:the|ing|led|and) )(?!(?:the|an?|this|that|their|its)\b)[a-z][a-z-]{3,}(?: [a-z-]{4,}){0,2}"
            r"(?=[,.;:)]| (?:is|are|was|were|and|or|of|in|to|that|which|who|for|by|with|on|from|can)\b)"
        ),
        ("what",),
    ),
)


def questions_of(document: Document) -> Iterator[dict[str, Any]]:
    """Yield a question on a document that the document answers, if one is found."""
    rng = random.Random(document.id)
    sentences = [document.text[start:end] for start, end in sentence_spans(document.text)]
    rng.shuffle(sentences)
    for sentence in sentences:
        if len(sentence.split()) in _WORDS and (asked := ask_for(" ".join(sentence.split()), rng)):
            question, answer = asked
            yield {"id": f"cloze {document.id}", "question": question, "answers": [answer], "doc_id": document.id}
            return


def ask_for(sentence: str, rng: random.Random) -> tuple[str, str] | None:
    """Return a question that a piece of the sentence answers, and that piece; None where no piece will do."""
    found = [(kind, match) for kind in KINDS if (match := kind.answer.search(sentence))]
    if not found:
        return None
    kind, match = rng.choice(found)
    before = _thinned(sentence[: match.start()], rng)[-_BEFORE:]
    after = _thinned(sentence[match.end() :].rstrip(".!? "), rng)[:_AFTER]
    asking = rng.choice(kind.asked)
    words = [asking, *after, *before] if rng.random() < 0.5 else [*before, asking, *after]
    question = " ".join(words)
    if match[0].lower() in question.lower() or len(words) < 5:
        return None
    return question[0].upper() + question[1:] + "?", match[0]


def _thinned(text: str, rng: random.Random) -> list[str]:
    return [word for word in text.split() if word.lower() not in STOP_WORDS or rng.random() >= _DROPPED]


def definitions(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each entry of a glossary as a document, and a question for it."""
    rng = random.Random(0)
    seen: set[str] = set()
    for line in path.read_bytes().splitlines():
        entry = orjson.loads(line)
        term, definition = entry["term"].strip(), " ".join(entry["definition"].split())
        key = f"glossary {term.lower()}"
        if entry["book"] not in QUOTING and term and len(definition) > 20 and key not in seen:
            seen.add(key)
            text = definition[0].upper() + definition[1:].rstrip(".") + "."
            question = rng.choice(_DEFINITIONS).format(term)
            yield (
                {"id": key, "title": term, "text": text},
                {"id": f"define {key}", "question": question, "answers": [text], "doc_id": key},
            )


def chosen(data: Path) -> Iterator[tuple[Document, bool]]:
    """Yield the documents, and whether they ask."""
    for name, share in SOURCES.items():
        rng = random.Random(name)
        for document in read_documents(find_inputs([data / name]), FieldNames()):
            if isinstance(document, Document) and document.metadata.get("book") not in QUOTING:
                yield document, rng.random() < share


def main(data: Path, output: Path) -> None:
    """Write both files."""
    documents: dict[str, dict[str, Any]] = {}
    questions: list[dict[str, Any]] = []
    for document, asks in chosen(data):
        documents[document.id] = {"id": document.id, "title": document.title, "text": document.text}
        questions += questions_of(document) if asks else ()
    for entry, question in definitions(data / GLOSSARY):
        documents[entry["id"]] = entry
        questions.append(question)
    output.mkdir(parents=True, exist_ok=True)
    _write(output / "documents.jsonl", documents.values())
    _write(output / "qa.jsonl", questions)


def _write(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
