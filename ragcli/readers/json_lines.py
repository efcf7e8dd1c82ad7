"""Read JSON Lines, one line at a time."""

from collections.abc import Iterator
from typing import BinaryIO

from ragcli.documents import Document, Reject
from ragcli.readers.records import FieldNames, NoDocumentError, parse_record
from ragcli.readers.texts import DAMAGED

MAX_LINE_BYTES = 16 * 2**20
_SHOWN_BYTES = 1000
_BOM = b"\xef\xbb\xbf"


def read_json_lines(file: BinaryIO, name: str, fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield each line as a document or a reject. Blank lines are skipped.

    In memory is one line at a time. Any line may begin with byte order marks, as after `cat`.
    """
    number, line = 0, b""
    while True:
        number += 1
        try:
            line = file.readline(MAX_LINE_BYTES)
            if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                _skip_rest_of_line(file)
                raise NoDocumentError(too_long("line"))
            if not line:
                return
            if not line.startswith(b"{") and not line.strip().strip(_BOM):
                continue
            yield parse_record(line.lstrip(_BOM), fields)
        except NoDocumentError as e:
            yield Reject(name, number, e.doc_id, e.reason, printable(line))
        except DAMAGED as e:
            yield Reject(name, number, None, f"the compressed file is damaged here: {e}", "")
            return


def too_long(what: str) -> str:
    """Return the reason for rejecting something that is too long to be read at once."""
    return f"{what} longer than {MAX_LINE_BYTES // 2**20} MiB"


def printable(line: bytes) -> str:
    """Return a rejected line as text; only the beginning of a very long one."""
    kept = line.rstrip(b"\r\n")
    return (kept if len(line) < MAX_LINE_BYTES else kept[:_SHOWN_BYTES]).decode("utf-8", errors="backslashreplace")


def _skip_rest_of_line(file: BinaryIO) -> None:
    while (piece := file.readline(MAX_LINE_BYTES)) and not piece.endswith(b"\n"):
        pass
