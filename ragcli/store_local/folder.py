"""Create and remove the folder of an index atomically, and clean up after killed processes."""

import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson


def make_whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder under a temporary name, then rename it, unless another process was first.

    That process may already be writing, and have removed the temporary folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = side_folder(folder)
    try:
        fill(work)
        work.rename(folder)
    except (OSError, ValueError):  # tantivy's
        shutil.rmtree(work, ignore_errors=True)
        if not folder.exists():
            raise


def take_away(folder: Path) -> None:
    """Remove a folder; a killed process leaves no incomplete folder under its name."""
    gone = side_folder(folder) / "gone"
    folder.rename(gone)
    shutil.rmtree(gone.parent)


def side_folder(folder: Path) -> Path:
    """Make a temporary folder beside an index; no index name contains a comma."""
    return Path(tempfile.mkdtemp(prefix=f".{folder.name},", dir=folder.parent))


@contextmanager
def readable(text: Path) -> Iterator[Path]:
    """Yield a folder in which tantivy can open an index; it needs a lock file even to read.

    For a read-only index, this is a temporary folder of links to its files.
    """
    if os.access(text, os.W_OK):
        yield text
        return
    with tempfile.TemporaryDirectory(prefix="ragcli-") as name:
        for path in text.iterdir():
            if path.suffix != ".lock":
                Path(name, path.name).symlink_to(path.absolute())
        yield Path(name)


def sweep(folder: Path) -> None:
    """Remove the temporary folders of killed processes. Only the index's single writer may call this."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)},*"):
        shutil.rmtree(left, ignore_errors=True)


def sweep_deletions(text: Path) -> None:
    """Remove uncommitted deletion files that runs killed during a commit left in a tantivy index.

    The next run would use the same names, and tantivy does not overwrite files. Only the index's single writer may call
    this.
    """
    committed = orjson.loads((text / "meta.json").read_bytes())["opstamp"]
    for path in text.glob("*.del"):
        operation = path.stem.rpartition(".")[2]
        if operation.isdecimal() and int(operation) > committed:
            path.unlink()
