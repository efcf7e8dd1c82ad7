"""Texts to learn from: read them, drop duplicates, and split off a validation set."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from ragcli.documents import Document, content_hash
from ragcli.encoding import passage_text
from ragcli.errors import RagcliError, UsageError
from ragcli.evaluate.judgments import field_names
from ragcli.evaluate.questions import read_questions
from ragcli.filters import Filter, metadata_terms, ranges
from ragcli.readers import FieldNames, find_inputs, is_json_lines, read_documents, read_text
from ragcli.train.overlap import Overlap

END = "<|endoftext|>"
_WHAT = "Give JSON Lines with a text in each, plain text, or questions with answers."


class Text(NamedTuple):
    """Hold a text to learn from document `doc_id`. For a question, `text` is the answer."""

    id: str
    text: str
    question: str | None = None
    doc_id: str | None = None

    @property
    def content(self) -> str:
        """Return the question, if there is one, and the text."""
        return self.text if self.question is None else f"{self.question} {self.text}"


class Read(NamedTuple):
    """Hold the texts of some files, and the number of lines without one."""

    texts: list[Text]
    rejected: int


class Split(NamedTuple):
    """Hold the texts for training and validation, and the number of duplicates dropped from both."""

    training: list[Text]
    validation: list[Text]
    duplicates: int
    near_duplicates: int


def read_texts(paths: Iterable[Path], filters: Sequence[Filter] = ()) -> Read:
    """Read documents or questions from JSON Lines, and plain text, in which `<|endoftext|>` ends a document; gzip too.

    Documents must pass the filters; a missing field passes only `!=`. Raises RagcliError for a file that cannot be
    read, and if there is no text at all.
    """
    read = Read([], 0)
    for source in find_inputs(paths):
        path, name = source.path, source.name
        if str(path) == "-":
            raise UsageError(
                "training cannot read standard input, because it reads its files more than once", "Name a file."
            )
        if not is_json_lines(path):
            read.texts.extend(_plain(path, name))
        elif holds_questions(path):
            read.texts.extend(_questions(path, name))
        else:
            items = list(read_documents([source], FieldNames()))
            documents = (item for item in items if isinstance(item, Document))
            read.texts.extend(_titled(item, name) for item in documents if _passes(item, filters))
            read = read._replace(rejected=read.rejected + sum(not isinstance(item, Document) for item in items))
    if not read.texts:
        raise RagcliError("the training data contain no text", _WHAT)
    return read


def holds_questions(path: Path) -> bool:
    """Return whether a file holds questions, by its first line."""
    return is_json_lines(path) and field_names(path).text == "question"


def _titled(document: Document, name: str) -> Text:
    # As in a prompt: the title is the first line.
    text = passage_text(document.title, document.text)
    return Text(f"{name}:{document.id}", text.strip(), doc_id=document.id)


def _passes(document: Document, filters: Sequence[Filter]) -> bool:
    terms = metadata_terms(document.title, document.metadata)
    return all(
        any(wanted.holds(term) for wanted in ranges(one) for term in terms) != (one.operator == "!=") for one in filters
    )


def _plain(path: Path, name: str) -> Iterator[Text]:
    for number, document in enumerate(read_text(path).split(END)):
        if document.strip():
            yield Text(f"{name}:{number}", document.strip())


def _questions(path: Path, name: str) -> Iterator[Text]:
    for question in read_questions(path).items:
        if question.answers:
            answer = " ".join(question.answers[0].split())
            yield Text(f"{name}:{question.id}", answer, question.text.strip(), question.doc_id)


def split_texts(texts: list[Text], share: float, seed: int) -> Split:
    """Drop duplicates, hold out a share of the documents, and drop near duplicates of held-out texts.

    Questions about one document stay together. Raises UsageError if either side would be empty.
    """
    first: dict[str, Text] = {}
    for text in texts:
        first.setdefault(content_hash("", text.content, {}), text)
    unique = list(first.values())
    groups = sorted({text.doc_id or text.id for text in unique})
    out = _hold_out(groups, share, seed)
    validation = [text for text in unique if (text.doc_id or text.id) in out]
    rest = [text for text in unique if (text.doc_id or text.id) not in out]
    overlap = Overlap(text.content for text in validation)
    training = [text for text in rest if not overlap.holds(text.content)]
    if not training:
        hint = f"Give more texts, or train without validation: --val-split 0 (it is {share:g})."
        raise UsageError("no document is left to train on", hint)
    return Split(training, validation, len(texts) - len(unique), len(rest) - len(training))


def _hold_out(groups: list[str], share: float, seed: int) -> frozenset[str]:
    if not share:
        return frozenset()
    if len(groups) < 2:
        hint = f"Give more documents ({END} ends one in plain text), or train without validation: --val-split 0."
        raise UsageError("there is only one document, and none is left for validation", hint)
    # By a hash of each, so that the choice does not depend on the other documents.
    ordered = sorted(groups, key=lambda group: blake2b(f"{seed} {group}".encode()).digest())
    return frozenset(ordered[: max(1, round(share * len(groups)))])
