"""Read archives (zip, tar) as folders, within limits; nested archives are skipped."""

import io
import tarfile
from collections.abc import Iterator
from typing import NamedTuple

from ragcli.readers.packages import MAX_PART, MAX_PARTS, MAX_UNPACKED, open_package
from ragcli.readers.records import NoDocumentError
from ragcli.readers.texts import DAMAGED


class Member(NamedTuple):
    """Hold a file of an archive, or instead of its data the reason why it is not read."""

    name: str
    data: bytes
    reason: str = ""


def read_archive(data: bytes) -> Iterator[Member]:
    """Yield the files of an archive. Raises NoDocumentError for a damaged or too large one."""
    members = _zip(data) if data.startswith(b"PK") else _tar(data)
    for member in members:
        if not any(part.startswith(".") or part == "__MACOSX" for part in member.name.split("/")):
            yield member


def _zip(data: bytes) -> Iterator[Member]:
    with open_package(data) as package:
        for name in sorted(package.names()):
            yield Member(name, package.read(name))


def _tar(data: bytes) -> Iterator[Member]:
    unpacked = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
            for count, entry in enumerate(archive):
                unpacked += entry.size
                if count > MAX_PARTS or unpacked > MAX_UNPACKED:  # before it is read, or passed over
                    raise NoDocumentError("too large when unpacked; unpack it yourself if you trust it")
                if not entry.isfile():  # links and devices too
                    continue
                if entry.size > MAX_PART:
                    yield Member(entry.name, b"", f"larger than {MAX_PART // 2**20} MiB")
                    continue
                file = archive.extractfile(entry)
                yield Member(entry.name, file.read() if file else b"")
            _check_end(archive)
    except (tarfile.TarError, OSError, ValueError, *DAMAGED) as e:
        raise NoDocumentError(f"damaged: {e}") from e


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise NoDocumentError if the block of zeros is missing that ends a whole archive."""
    if file := archive.fileobj:
        file.seek(archive.offset)
        if len(block := file.read(tarfile.BLOCKSIZE)) < tarfile.BLOCKSIZE or block.strip(b"\0"):
            raise NoDocumentError("cut: its end is missing")
