"""Read inputs, each by the reader that its name or content calls for."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ragcli.documents import Document, Reject
from ragcli.errors import RagcliError
from ragcli.readers.inputs import Input, find_inputs
from ragcli.readers.json_lines import read_json_lines
from ragcli.readers.json_values import HEAD_BYTES, is_spread, read_json_values
from ragcli.readers.records import FieldNames
from ragcli.readers.spool import rereadable
from ragcli.readers.texts import DAMAGED, is_json_lines, open_bytes, read_text


def read_documents(inputs: Iterable[Input], fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield what files hold as documents, or as rejects with their reasons.

    Holds one line at a time. Raises RagcliError for a file that cannot be read.
    """
    for source in inputs:
        try:
            yield from _read(source, fields)
        except OSError as e:
            raise RagcliError(
                f"cannot read {source.name}: {e.strerror or e}", "Check the file and its permissions."
            ) from e


def _read(source: Input, fields: FieldNames) -> Iterator[Document | Reject]:
    spread = source.path.is_file() and is_spread(_head(source))  # a pipe is read once only
    with open_bytes(source.path) as file:
        yield from (read_json_values if spread else read_json_lines)(file, source.name, fields)


def _head(source: Input) -> bytes:
    try:
        with open_bytes(source.path) as file:
            return file.read(HEAD_BYTES)
    except DAMAGED:
        return b""


def read_whole(path: Path, reject: Callable[[Reject], None]) -> list[Document]:
    """Return a file's text as one document, or those that JSON Lines hold; `-` is standard input.

    A folder stands for its JSON Lines files. What is no document goes to `reject`. Raises RagcliError for a file that
    cannot be read.
    """
    documents: list[Document] = []
    with rereadable(find_inputs([path])) as inputs:
        for source in inputs:
            if not path.is_dir() and not _holds_documents(source):
                return [Document(path.name, "", read_text(source.path), {})]
            for item in read_documents([source], FieldNames()):
                documents.append(item) if isinstance(item, Document) else reject(item)
    return documents


def _holds_documents(source: Input) -> bool:
    """Tell by the name, of standard input by how it begins."""
    if source.name == "-":
        return _head(source).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[{"))
    return is_json_lines(source.path)
