"""Read inputs, each by the reader for its format."""

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path, PurePath

from ragcli.documents import Document, Reject, Skipped
from ragcli.errors import RagcliError
from ragcli.readers.formats import FORMATS, HEAD_BYTES, JSON, SQLITE, Format, format_of
from ragcli.readers.inputs import Input, find_inputs
from ragcli.readers.json_lines import read_json_lines
from ragcli.readers.json_values import is_spread, read_json_values
from ragcli.readers.outline import Page
from ragcli.readers.records import FieldNames, NoDocumentError
from ragcli.readers.sections import documents_of
from ragcli.readers.spool import rereadable
from ragcli.readers.texts import DAMAGED, decode, kind_of, open_bytes, read_text

MAX_FILE_BYTES = 2**28


def read_documents(inputs: Iterable[Input], fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield the documents and rejects of files.

    In memory is one line or object of JSON at a time, or one file of another format. Raises RagcliError for a file
    that cannot be read.
    """
    for source in inputs:
        try:
            yield from _read(source, fields)
        except OSError as e:
            if source.found:
                yield Reject(source.name, 0, None, f"it cannot be read: {e.strerror or e}", "")
                continue
            raise RagcliError(
                f"cannot read {source.name}: {e.strerror or e}", "Check the file and its permissions."
            ) from e


def _read(source: Input, fields: FieldNames) -> Iterator[Document | Reject]:
    if not source.path.is_file():  # a pipe, which can be read only once
        with source.path.open("rb") as file:
            yield from read_json_lines(file, source.name, fields)
        return
    head = _head(source.path)
    found = format_of(source.kind or kind_of(PurePath(source.name)), head)
    if found == JSON:
        yield from _read_json(source, fields, spread=is_spread(head))
    elif found is None:
        yield Reject(source.name, 0, None, "not text, nor another format that ragcli reads", "")
    elif found.takes == "mailbox":
        yield from documents_of(found.load()(source.path), source.name)
    elif found == SQLITE and source.found and not fields.query:
        yield Skipped(source.name, 0, None, "a database, which needs --query 'SELECT …'", "")
    elif found.takes == "rows":
        yield from _one_reject(found.load()(source.path, source.name, fields), source.name)
    else:
        yield from _read_whole_file(source, found, fields)


def _read_json(source: Input, fields: FieldNames, *, spread: bool) -> Iterator[Document | Reject]:
    try:
        with open_bytes(source.path) as file:
            items = (read_json_values if spread else read_json_lines)(file, source.name, fields)
            yield from _documents_of_folder(items, source, fields) if source.found else items
    except DAMAGED as e:
        yield Reject(source.name, 0, None, f"the compressed file is damaged: {e}", "")


def _documents_of_folder(
    items: Iterator[Document | Reject], source: Input, fields: FieldNames
) -> Iterator[Document | Reject]:
    """Skip a .json file in a folder whose first value has no text; one that begins with no JSON is one reject."""
    if kind_of(source.path) != ".json":
        yield from items
        return
    begin = list(islice(items, 2))
    reasons = [item.reason for item in begin if isinstance(item, Reject)]
    if reasons[:1] == [f"no {fields.text!r} field"] or reasons[:1] == ["not a JSON object"]:
        yield Skipped(source.name, 0, None, f"JSON without a field {fields.text!r}", "")
    elif len(reasons) == 2 and all(reason.startswith("not JSON") for reason in reasons):
        yield begin[0]
    else:
        yield from chain(begin, items)


def _head(path: Path) -> bytes:
    try:
        with open_bytes(path) as file:
            return file.read(HEAD_BYTES)
    except DAMAGED:
        return b""


def _read_whole_file(source: Input, found: Format, fields: FieldNames) -> Iterator[Document | Reject]:
    try:
        with open_bytes(source.path) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except DAMAGED as e:
        yield Reject(source.name, 0, None, f"the compressed file is damaged: {e}", "")
        return
    if len(data) > MAX_FILE_BYTES:
        yield Reject(source.name, 0, None, f"larger than {MAX_FILE_BYTES // 2**20} MiB", "")
        return
    yield from read_content(data, source.name, found, fields)


def read_content(data: bytes, name: str, found: Format, fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield the documents in the content of a file, or one reject."""
    yield from _one_reject(_items(data, name, found, fields), name)


def _one_reject(items: Iterator[Document | Reject], name: str) -> Iterator[Document | Reject]:
    """Yield the output of a reader, or one reject with the reason if it fails or yields nothing."""
    some = False
    try:
        for item in items:
            some = True
            yield item
    except NoDocumentError as e:
        yield Reject(name, 0, None, e.reason, "")
    except RecursionError:
        yield Reject(name, 0, None, "nested too deeply", "")
    else:
        if not some:
            yield Skipped(name, 0, None, "it holds no text", "")


def _items(data: bytes, name: str, found: Format, fields: FieldNames) -> Iterator[Document | Reject]:
    read = found.load()
    if found.takes == "archive":
        for member in read(data):
            yield from _member(f"{name}/{member.name}", member.data, member.reason, fields)
    elif found.takes == "table":
        yield from read(decode(data), name, fields)
    elif found.takes == "sheet":
        yield from read(data, name, fields)
    else:
        pages = read(decode(data).replace("\r\n", "\n") if found.takes == "text" else data)
        yield from documents_of([pages] if isinstance(pages, Page) else pages, name)


def _member(name: str, data: bytes, reason: str, fields: FieldNames) -> Iterator[Document | Reject]:
    kind = kind_of(PurePath(name))
    found = FORMATS.get(kind)
    if reason:
        yield Reject(name, 0, None, reason, "")
    elif found is None or found.takes in ("archive", "mailbox", "rows"):
        yield Skipped(name, 0, None, f"no reader for {kind or 'it'} in an archive", "")
    elif found == JSON:
        spread = is_spread(data[:HEAD_BYTES])
        yield from (read_json_values if spread else read_json_lines)(io.BytesIO(data), name, fields)
    else:
        yield from read_content(data, name, found, fields)


def read_whole(path: Path, reject: Callable[[Reject], None]) -> list[Document]:
    """Return a file's text as one document, or the documents of JSON Lines; `-` is standard input.

    For a folder, its JSON Lines files are read. `reject` receives invalid lines. Raises RagcliError for an unreadable
    file.
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
    """Return whether a file is JSON, by its name, or for standard input by its beginning."""
    if source.name == "-":
        return _head(source.path).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[{"))
    known = FORMATS.get(kind_of(source.path))
    return known is not None and known not in (FORMATS[".txt"], FORMATS[".md"])
