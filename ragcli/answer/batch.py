"""Answer many questions of a file, in batches; an interrupted run can be resumed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import orjson

from ragcli.answer.schema import Answer
from ragcli.documents import Document, Reject, content_hash
from ragcli.errors import RagcliError, UsageError
from ragcli.readers import FieldNames, Input, find_inputs, read_documents

_TOGETHER = 64  # questions: enough to group them by length, few enough to show progress

AnswerAll = Callable[[Sequence[str]], list[Answer | RagcliError]]


def answer_lines(
    questions: Path, answer_all: AnswerAll, done: Iterable[str], reject: Callable[[Reject], None]
) -> Iterator[tuple[str, Answer]]:
    """Yield the id and answer of each question in a file (`-` is standard input), except for ids that are done.

    A question is a line of JSON: {"id": …, "question": …}; a missing id is replaced by a hash. Of a .txt file each line
    is a question. Invalid lines, repeated ids and questions that cannot be asked are rejects.
    """
    [source] = find_inputs([questions])
    source = Input(Path("/dev/stdin"), "-") if source.name == "-" else source
    done, seen = frozenset(done), set[str]()
    is_text = source.path.suffix.lower() == ".txt"
    items = _lines(source) if is_text else read_documents([source], FieldNames(text="question"))
    while batch := list(islice(items, _TOGETHER)):
        asked = [document for document in _new(batch, source.name, seen, reject) if document.id not in done]
        for document, answer in zip(asked, answer_all([document.text for document in asked]), strict=True):
            if isinstance(answer, RagcliError):
                reject(Reject(source.name, 0, document.id, answer.message, document.text))
            else:
                yield document.id, answer


def _lines(source: Input) -> Iterator[Document | Reject]:
    """Read the lines of a text file as questions."""
    with source.path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                question = line.decode("utf-8-sig").strip()
            except UnicodeDecodeError:
                yield Reject(source.name, number, None, "it is not UTF-8", repr(line))
                continue
            if question:
                yield Document(content_hash("", question, {}), "", question, {})


def _new(
    items: Iterable[Document | Reject], file: str, seen: set[str], reject: Callable[[Reject], None]
) -> Iterator[Document]:
    for item in items:
        if isinstance(item, Reject):
            reject(item)
        elif item.id in seen:
            reject(Reject(file, 0, item.id, "this id occurred before", item.text))
        else:
            seen.add(item.id)
            yield item


def read_answers(path: Path) -> dict[str, Answer]:
    """Read the answers that a batch wrote, by the ids of their questions. Raises RagcliError for other files."""
    try:
        lines = [orjson.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
        return {str(line.pop("id")): Answer.from_json(line) for line in lines}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RagcliError(f"{path} is not a file of answers", "Give a file that ragcli ask --batch wrote.") from error


def finished(output: Path | None, resume: bool) -> set[str]:
    """Return the ids of the questions that `output` already answers, for a resumed run.

    Raises UsageError for an output that is not empty without `resume`, and for a file of something else.
    """
    if output is None or not output.exists():
        return set()
    if not resume and output.stat().st_size:
        raise UsageError(f"{output} exists", "Name another --output, or continue it with --resume.")
    return _resumed(output)


def _resumed(output: Path) -> set[str]:
    """Return the ids in a file of answers; cut off a last line that a killed run left incomplete."""
    content = output.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        ids = {str(orjson.loads(line)["id"]) for line in whole.splitlines()}
    except (ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{output} holds no answers", "Name another --output, or one that --batch wrote.") from error
    if len(whole) < len(content):
        with output.open("rb+") as file:
            file.truncate(len(whole))
    return ids
