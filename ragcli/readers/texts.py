"""Open files of any compression and encoding (gzip, byte order marks, UTF-16), and read them as plain text."""

import codecs
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import BinaryIO, cast

from ragcli.errors import RagcliError, UsageError
from ragcli.readers.records import NoDocumentError

BOM = "\ufeff"
_GZIP = b"\x1f\x8b"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JSON_LINES = (".jsonl", ".ndjson")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), *((mark, "utf-16") for mark in _UTF16))
_SAMPLE = 2**16
_ENCODINGS = ("gb18030 cp950 cp932 euc_jp euc_kr cp1252 cp1251 koi8_r").split()
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


def kind_of(path: PurePath) -> str:
    """Return a file's suffix, in small letters and without that of gzip; with `.tar` before one of another packer."""
    name = path.name.lower().removesuffix(".gz")
    start = len(name.removesuffix(name[name.rfind(".") :])) if "." in name[1:] else len(name)
    return name[start - 4 :] if name[:start].endswith(".tar") else name[start:]


def is_json_lines(path: Path) -> bool:
    """Return by its name whether a file is JSON Lines."""
    return kind_of(path) in _JSON_LINES


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacking gzip, and converting UTF-16 with a byte order mark to UTF-8."""
    with path.open("rb") as file:
        packed = file.peek(2).startswith(_GZIP)
        # A pipe may have only a single byte so far, and cannot be read again.
        recoded = path.is_file() and _mark(file, packed) in _UTF16
        plain = _unpacked(file) if packed else file
        yield _Recoded(plain) if recoded else plain


def _unpacked(file: BinaryIO) -> BinaryIO:
    return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=file)))


def _mark(file: io.BufferedReader, packed: bool) -> bytes:
    """Return the first two bytes of a file; none if it is damaged, which its reader will find too."""
    if not packed:
        return file.peek(2)[:2]
    try:
        return _unpacked(file).read(2)
    except DAMAGED:
        return b""
    finally:
        file.seek(0)


class _Recoded(io.BytesIO):
    """A UTF-16 file converted to UTF-8."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file.read().decode("utf-16", "replace").encode())


def decode(data: bytes) -> str:
    """Decode bytes by their byte order mark, as UTF-8, or else in the most likely encoding.

    Raises NoDocumentError if it is not text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace").removeprefix(BOM)
    if b"\0" in data[:_SAMPLE]:
        raise NoDocumentError("not text")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        import charset_normalizer  # which few texts need

        best = charset_normalizer.from_bytes(data[:_SAMPLE], cp_isolation=_ENCODINGS).best()
    if best is None:
        raise NoDocumentError("in an unknown encoding; convert it to UTF-8")
    return data.decode(best.encoding, "replace")


def read_text(path: Path) -> str:
    """Return the text of a file (gzip too), or of standard input for `-`.

    Raises UsageError for standard input that is not UTF-8, RagcliError for a file that cannot be read.
    """
    try:
        return _decoded(path).removeprefix(BOM)
    except UnicodeError as e:
        hint = "Convert it first, for example by iconv -t utf-8."
        if str(path) == "-":
            raise UsageError("standard input is not UTF-8", hint) from e
        raise RagcliError(f"cannot read {path}: it is not UTF-8", hint) from e
    except (OSError, *DAMAGED) as e:
        raise _unreadable(path, e) from e


def _decoded(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n")
    with open_bytes(path) as file:
        return file.read().decode("utf-8")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank with its number; gzip too. Raises RagcliError for unreadable files."""
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(file, 1):
                text = line.decode("utf-8").removeprefix(BOM).rstrip("\r\n")
                if text and not text.isspace():
                    yield number, text
    except (OSError, UnicodeDecodeError, *DAMAGED) as e:
        raise _unreadable(path, e) from e


def _unreadable(path: Path, error: Exception) -> RagcliError:
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return RagcliError(f"cannot read {path}: {reason}", "Check the file and its permissions.")
