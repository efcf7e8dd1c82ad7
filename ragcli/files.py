"""Write files atomically: a file with its final name is complete and on disk, even if a process is killed."""

import os
from pathlib import Path


def sync(file: Path) -> None:
    """Wait until a file is on disk."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


def put_in_place(file: Path, path: Path) -> None:
    """Move a finished file to `path` once it is on disk; the old file stays intact until then."""
    sync(file)
    file.replace(path)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file atomically; its content is on disk before it gets its name."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    put_in_place(new, path)
