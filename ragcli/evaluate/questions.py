"""Read questions with their accepted answers from JSON Lines or the JSON of SQuAD 1.1 and 2.0."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ragcli.documents import Document, Reject
from ragcli.errors import RagcliError
from ragcli.evaluate.judgments import lines
from ragcli.readers import FieldNames, find_inputs, is_json_lines, read_documents

_SHAPE = (
    'A question is a line of JSON: {"id": "…", "question": "…", "answers": ["…"]}; without any it is not answerable.'
)


class Question(NamedTuple):
    """Hold a question, its accepted answers (none if it is not answerable), and the document with the answer."""

    id: str
    text: str
    answers: tuple[str, ...]
    doc_id: str | None = None


class Questions(NamedTuple):
    """Hold the questions of a file, and the paragraphs in it (SQuAD)."""

    items: list[Question]
    documents: list[dict[str, str]]


def read_questions(path: Path) -> Questions:
    """Read questions from JSON Lines or SQuAD's JSON.

    Raises RagcliError for an invalid line, for a repeated id, and for a file without questions.
    """
    found = _squad(path) if _is_squad(path) else Questions(list(_json_lines(path)), [])
    if not found.items:
        raise RagcliError(f"{path} contains no question", _SHAPE)
    seen: set[str] = set()
    for question in found.items:
        if question.id in seen:
            raise RagcliError(f"{path}: question {question.id} occurs twice", "Give each question its own id.")
        seen.add(question.id)
    return found


def _json_lines(path: Path) -> Iterator[Question]:
    for number, item in enumerate(read_documents(find_inputs([path]), FieldNames(text="question")), 1):
        if isinstance(item, Reject):
            raise RagcliError(f"{path}:{item.line}: {item.reason}", _SHAPE)
        yield _question(item, f"{path}:{number}")


def _question(item: Document, where: str) -> Question:
    answers = item.metadata.get("answers")
    if isinstance(answers, dict):  # the form of SQuAD on the Hugging Face hub
        answers = answers.get("text")
    if isinstance(answers, str):
        answers = [answers]
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        raise RagcliError(f"{where}: 'answers' is not a list of texts", _SHAPE)
    doc_id = item.metadata.get("doc_id")
    accepted = () if item.metadata.get("is_impossible") else tuple(answer for answer in answers if answer.strip())
    return Question(item.id, item.text, accepted, None if doc_id is None else str(doc_id))


def _is_squad(path: Path) -> bool:
    """Return whether a file is one object as in SQuAD, not JSON Lines of questions."""
    if is_json_lines(path):
        return False
    first = next(lines(path), (0, ""))[1]
    try:
        record = json.loads(first)
    except ValueError:
        return first.lstrip().startswith("{")  # an object over several lines
    return isinstance(record, dict) and "data" in record and "question" not in record


def _squad(path: Path) -> Questions:
    try:
        articles = json.loads("\n".join(line for _, line in lines(path)))["data"]
        return _flat(articles)
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise RagcliError(f"{path} is neither JSON Lines nor SQuAD's JSON: {e}", _SHAPE) from e


def _flat(articles: list[dict[str, Any]]) -> Questions:
    found = Questions([], [])
    for article_number, article in enumerate(articles):
        title = str(article.get("title", f"article {article_number}"))
        for number, paragraph in enumerate(article["paragraphs"]):
            doc_id = f"{title}-{number}"
            found.documents.append({"id": doc_id, "title": title.replace("_", " "), "text": paragraph["context"]})
            found.items.extend(_squad_question(entry, doc_id) for entry in paragraph["qas"])
    return found


def _squad_question(entry: dict[str, Any], doc_id: str) -> Question:
    answers = () if entry.get("is_impossible") else tuple(dict.fromkeys(answer["text"] for answer in entry["answers"]))
    return Question(str(entry["id"]), entry["question"], answers, doc_id if answers else None)
