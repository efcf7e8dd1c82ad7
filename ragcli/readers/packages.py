"""Open zip files with limits on their unpacked size and number of parts."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from xml.etree import ElementTree

from ragcli.readers.records import NoDocumentError
from ragcli.readers.texts import DAMAGED

MAX_UNPACKED = 2**29
MAX_PART = 2**26
MAX_PARTS = 100_000
MAX_RATIO = 200
_SMALL = 2**20
_OLE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


class Package:
    """An open zip file, and the size of what was unpacked."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._unpacked = 0
        if len(file.filelist) > MAX_PARTS:
            raise NoDocumentError(f"an archive of more than {MAX_PARTS:,} parts")

    def names(self) -> list[str]:
        """Return the names of all parts except folders."""
        return [info.filename for info in self._file.infolist() if not info.is_dir()]

    def read(self, name: str) -> bytes:
        """Unpack a part. Raises NoDocumentError if it is damaged, encrypted, missing or too large."""
        try:
            info = self._file.getinfo(name)
            if info.flag_bits & 1:
                raise NoDocumentError("encrypted; it needs a password")
            with self._file.open(info) as part:
                content = part.read(MAX_PART + 1)
        except KeyError as e:
            raise NoDocumentError(f"damaged: it lacks {name}") from e
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, *DAMAGED) as e:
            raise NoDocumentError(f"damaged: {e}") from e
        self._unpacked += len(content)
        bloated = len(content) > _SMALL and len(content) > MAX_RATIO * max(1, info.compress_size)
        if len(content) > MAX_PART or self._unpacked > MAX_UNPACKED or bloated:
            raise NoDocumentError("too large when unpacked; unpack it yourself if you trust it")
        return content

    def xml(self, name: str) -> ElementTree.Element:
        """Return a part as XML. Raises NoDocumentError for invalid XML or entity definitions."""
        return parse_xml(self.read(name))


def parse_xml(content: bytes) -> ElementTree.Element:
    """Parse XML without entity definitions, which can expand to gigabytes. Raises NoDocumentError."""
    known = content.replace(b"\0", b"")  # UTF-16 has these between letters
    if b"<!ENTITY" in known or b"<!DOCTYPE" in known[:4000]:
        raise NoDocumentError("XML with entity definitions")
    try:
        return ElementTree.fromstring(content)  # noqa: S314 (no definitions, bounded)
    except ElementTree.ParseError as e:
        raise NoDocumentError(f"damaged: {e}") from e


def is_encrypted(data: bytes) -> bool:
    """Return whether an office file is encrypted: it is then a part of an OLE file."""
    return data.startswith(_OLE) and _ENCRYPTED in data


@contextmanager
def open_package(data: bytes) -> Iterator[Package]:
    """Open a zip file. Raises NoDocumentError for other files."""
    if is_encrypted(data):
        raise NoDocumentError("encrypted; it needs a password")
    try:
        file = zipfile.ZipFile(BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as e:
        raise NoDocumentError(f"damaged: {e}") from e
    with file:
        yield Package(file)
