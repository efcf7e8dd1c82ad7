"""Write files whole: what has its name is on disk, however a process ends."""

import os
from pathlib import Path


def sync(file: Path) -> None:
    """Wait until a file is on disk."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


def put_in_place(file: Path, path: Path) -> None:
    """Give a finished file its name, once it is on disk; what had the name before is whole until then."""
    sync(file)
    file.replace(path)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that is on disk, whole, before it has its name."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    put_in_place(new, path)
