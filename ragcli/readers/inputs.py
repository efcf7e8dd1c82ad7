"""Find the files to read: those that are named, and those in folders and the folders in them."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ragcli.errors import RagcliError
from ragcli.readers.texts import is_json_lines


class Input(NamedTuple):
    """Hold an input file, and the name by which messages call it; `found` in a folder, it may fail to be read.

    `kind` is a suffix, where something else than the name tells it. The name of what is to be fetched is its URL.
    """

    path: Path
    name: str
    found: bool = False
    kind: str = ""

    @property
    def is_url(self) -> bool:
        """Tell whether this has to be fetched, or was."""
        return is_url(self.name) and not self.found


def is_url(name: str) -> bool:
    """Tell whether a name is the address of something on the web."""
    return name.startswith(("http://", "https://"))


def find_inputs(paths: Iterable[Path], written: Iterable[Path] = ()) -> list[Input]:
    """Resolve folders to the JSON Lines files in them, sorted by name; `-` stays as it is.

    What the run itself writes (files, folders) is never found in a folder. Raises RagcliError for a path that does not
    exist and for a folder without such files.
    """
    found: list[Path] = []
    own = {Path(os.path.realpath(path)) for path in written}
    for path in paths:
        if str(path) != "-" and not os.path.lexists(path):
            raise RagcliError(f"no such file: {path}", "Check the path; `-` reads standard input.")
        if not path.is_dir():
            found.append(path)
            continue
        inside = [file for file in _walk(path, Path(os.path.realpath(path)), own) if is_json_lines(file)]
        if not inside:
            raise RagcliError(f"no .jsonl or .jsonl.gz file in the folder {path}", "Name the files themselves.")
        found += inside
    return [Input(path, printable_name(path)) for path in found]


def printable_name(path: Path) -> str:
    """Return a path as text, also where its name is not UTF-8."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _walk(folder: Path, real: Path, own: set[Path]) -> Iterator[Path]:
    """Yield the files of a folder and of those in it, sorted, but hidden ones, broken links and what is written."""
    with os.scandir(folder) as entries:
        inside = sorted(entries, key=lambda entry: entry.name)
    for entry in inside:
        here = real / entry.name
        if entry.name.startswith(".") or here in own:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), here, own)
        elif _is_file(entry):
            yield Path(entry.path)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a loop of links
        return False
