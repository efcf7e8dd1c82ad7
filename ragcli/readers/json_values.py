"""Read JSON other than JSON Lines: an array of objects, or one or more pretty-printed objects."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ragcli.documents import Document, Reject
from ragcli.readers.json_lines import MAX_LINE_BYTES, printable, too_long
from ragcli.readers.records import FieldNames, NoDocumentError, parse_record
from ragcli.readers.texts import BOM, DAMAGED

HEAD_BYTES = 2**16  # of a file, to detect its form
_PIECE = 2**18
_BLANK = " \t\r\n" + BOM
_BETWEEN = re.compile(f"[{_BLANK},]*")
_DECODER = json.JSONDecoder()


def is_spread(head: bytes) -> bool:
    """Return by its first bytes whether a file is an array of objects, or has values over several lines."""
    text = head.decode("utf-8", "ignore").lstrip(_BLANK)
    if text.startswith("["):
        inside = text[1:].lstrip(_BLANK)
        return inside.startswith("{") or "\n" in text[: len(text) - len(inside)]
    if not text.startswith("{"):
        return False
    try:
        _, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as e:
        return "\n" in text[: e.pos] and _may_go_on(e, text)
    except RecursionError:
        return False
    return "\n" in text[:end] or text[end:].lstrip(" \t\r").startswith("{")


def _may_go_on(error: json.JSONDecodeError, text: str) -> bool:
    """Return whether more text could make it right: it fails at its very end."""
    return error.msg.startswith("Unterminated string") or error.pos >= len(text) - 6


def read_json_values(file: BinaryIO, name: str, fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield each object as a document or a reject.

    In memory is one object at a time. After an invalid one, reading continues at the next with the same indentation.
    """
    values = _Values(file)
    while True:
        try:
            found = values.next()
            if found is None:
                return
            yield parse_record(found.text.encode("utf-8", "surrogatepass"), fields)
        except NoDocumentError as e:
            yield Reject(name, values.line, e.doc_id, e.reason, printable(values.shown.encode("utf-8", "replace")))
        except UnicodeDecodeError as e:
            yield Reject(name, values.line, None, f"not UTF-8: {e.reason}", "")
            return
        except DAMAGED as e:
            yield Reject(name, values.line, None, f"the compressed file is damaged here: {e}", "")
            return


class _Value(NamedTuple):
    """Hold the text of a JSON value, and its first line."""

    text: str
    line: int


class _Values:
    """Split a file into its outermost values, or those of its outermost array."""

    def __init__(self, file: BinaryIO) -> None:
        self.line = 1
        self.shown = ""
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._at = 0
        self._lines = 1  # the line of `_at`
        self._ended = False
        self._begun = False
        self._inside = False  # an array that has not ended

    def next(self) -> _Value | None:
        """Return the next value, or None at the end. Raises NoDocumentError for anything but a JSON object."""
        self._skip_between()
        if self._at == len(self._text):
            if self._inside:
                self._inside = False
                self.line, self.shown = self._lines, ""
                raise NoDocumentError("the array does not end: the file was cut here")
            return None
        self.line = self._lines
        while True:
            try:
                _, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as e:
                if not self._ended and _may_go_on(e, self._text) and self._held() <= MAX_LINE_BYTES:
                    self._fill()
                    continue
                raise self._lost(too_long("object") if self._held() > MAX_LINE_BYTES else f"not JSON: {e.msg}") from e
            except RecursionError as e:
                raise self._lost("nested too deeply") from e
            return self._taken(end)

    def _taken(self, end: int) -> _Value:
        self.shown = self._text[self._at : end]
        value = _Value(self.shown, self.line)
        self._move_to(end)
        return value

    def _lost(self, reason: str) -> NoDocumentError:
        """Skip to the next object with the same indentation, or to the end of the file."""
        before = self._text[self._text.rfind("\n", 0, self._at) + 1 : self._at]
        following = re.compile(r"\n" + re.escape(before if before.isspace() else "") + r"\{")
        self.shown = self._text[self._at : self._at + 1000]
        start = self._at + 1
        while not (found := following.search(self._text, start)) and not self._ended:
            self._move_to(max(self._at, len(self._text) - len(before) - 2))
            start = self._at
            self._fill()
        self._move_to(found.start() if found else len(self._text))
        return NoDocumentError(reason)

    def _skip_between(self) -> None:
        while True:
            end = self._end_of_blank()
            self._move_to(end)
            if end < len(self._text) or self._ended:
                break
            self._fill()
        if not self._begun and self._text.startswith("[", self._at):
            self._begun = self._inside = True
            self._at += 1
            return self._skip_between()
        self._begun = True
        if self._text.startswith("]", self._at):
            self._inside = False
            self._at += 1
            return self._skip_between()
        return None

    def _end_of_blank(self) -> int:
        found = _BETWEEN.match(self._text, self._at)
        return found.end() if found else self._at

    def _held(self) -> int:
        return len(self._text) - self._at

    def _move_to(self, end: int) -> None:
        self._lines += self._text.count("\n", self._at, end)
        self._at = end

    def _fill(self) -> None:
        """Double the text in memory, so that a long value takes linear time."""
        piece = self._file.read(max(_PIECE, self._held()))
        self._ended = not piece
        self._text = self._text[self._at :] + self._decoder.decode(piece, final=self._ended)
        self._at = 0
