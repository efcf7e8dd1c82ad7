"""Find the files to read: named ones, and those in folders."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ragcli.errors import RagcliError
from ragcli.readers.texts import is_json_lines


class Input(NamedTuple):
    """Hold an input file, and its name in messages; one `found` in a folder may be unreadable.

    `kind` is a suffix if the format is not known by the name. The name of a download is its URL.
    """

    path: Path
    name: str
    found: bool = False
    kind: str = ""

    @property
    def is_url(self) -> bool:
        """Return whether this has to be fetched, or was."""
        return is_url(self.name) and not self.found


def is_url(name: str) -> bool:
    """Return whether a name is the address of something on the web."""
    return name.startswith(("http://", "https://"))


def find_inputs(paths: Iterable[Path], written: Iterable[Path] = ()) -> list[Input]:
    """Resolve folders to the JSON Lines files in them, sorted by name; `-` stays.

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
    """Return a path as text, even if its name is not UTF-8."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _walk(folder: Path, real: Path, own: set[Path]) -> Iterator[Path]:
    """Yield the files in a folder, recursively and sorted, except hidden files, broken links and written ones."""
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
    except OSError:  # a cycle of links
        return False
