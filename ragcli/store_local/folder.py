"""The folder of an index: made whole or not at all, taken away whole, and swept of what killed processes left."""

import glob
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import orjson


def make_whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder under another name, then give it its own, unless another process was first.

    That one may have begun to write by now, and have swept away what lies beside its folder.
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
    """Remove a folder; a process killed on the way leaves no half one under the name."""
    gone = side_folder(folder) / "gone"
    folder.rename(gone)
    shutil.rmtree(gone.parent)


def side_folder(folder: Path) -> Path:
    """Make a folder beside an index for what is on its way in or out; no index name has a comma."""
    return Path(tempfile.mkdtemp(prefix=f".{folder.name},", dir=folder.parent))


def sweep(folder: Path) -> None:
    """Remove what killed processes left beside an index. To be called by its only writer: no one else makes it now."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)},*"):
        shutil.rmtree(left, ignore_errors=True)


def sweep_deletions(text: Path) -> None:
    """Remove what runs that were killed in a commit left in a tantivy index: files of deletions that it never counted.

    Such a file has the name that the next run gives to its own, and tantivy writes no file that is there already. To be
    called by the index's only writer.
    """
    committed = orjson.loads((text / "meta.json").read_bytes())["opstamp"]
    for path in text.glob("*.del"):
        operation = path.stem.rpartition(".")[2]
        if operation.isdecimal() and int(operation) > committed:
            path.unlink()
