"""Walk folders: find the files to read, and skip others with a reason."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ragcli.documents import Skipped, Unread
from ragcli.errors import RagcliError
from ragcli.readers.formats import FORMATS, NO_TEXT, PLAIN_NAMES
from ragcli.readers.inputs import Input, is_url, printable_name
from ragcli.readers.texts import kind_of

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_IGNORE_FILES = (".gitignore", ".ragcliignore")
_NEVER = frozenset(("node_modules", "__pycache__"))


class Selection(NamedTuple):
    """Select the files in folders by patterns as in .gitignore; without `include`, all with a reader."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow_symlinks: bool = False


class FoundFiles(NamedTuple):
    """Hold the files to read, and the skipped ones with reasons."""

    inputs: list[Input]
    skipped: list[Skipped]


def find_files(paths: Iterable[Path | str], selection: Selection, written: Iterable[Path] = ()) -> FoundFiles:
    """Resolve folders to the files in them that are to be read, sorted by name.

    What is named itself, URLs too, stays as it is. Files that the run itself writes are never found.
    Raises RagcliError for a path that does not exist.
    """
    found = FoundFiles([], [])
    for named in paths:
        if is_url(str(named)):
            found.inputs.append(Input(Path(), str(named)))
            continue
        path = Path(named)
        if str(path) != "-" and not os.path.lexists(path):
            raise RagcliError(f"no such file: {path}", "Check the path; `-` reads standard input.")
        if path.is_dir():
            _Walk(path, selection, {Path(os.path.realpath(one)) for one in written}, found).walk()
        else:
            found.inputs.append(Input(path, printable_name(path)))
    return found


class _Ignoring(NamedTuple):
    """Hold the patterns of an ignore file, and its folder."""

    folder: str
    patterns: "GitIgnoreSpec"


class _Walk:
    """Walk one folder."""

    def __init__(self, top: Path, selection: Selection, own: set[Path], found: FoundFiles) -> None:
        self._top = Path(os.path.normpath(top))
        self._include = _patterns(selection.include) if selection.include else None
        self._exclude = _patterns(selection.exclude) if selection.exclude else None
        self._follow = selection.follow_symlinks
        self._own = own
        self._found = found
        self._seen: set[tuple[int, int]] = set()

    def walk(self) -> None:
        """Add all files of the folder."""
        real = Path(os.path.realpath(self._top))
        self._folder(self._top, real, [*_ignoring_above(real)])

    def _folder(self, folder: Path, real: Path, ignoring: list[_Ignoring]) -> None:
        try:
            status = os.stat(real)  # noqa: PTH116
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as e:
            self._skip(folder, f"a folder that cannot be read: {e.strerror}", Unread)
            return
        if (status.st_dev, status.st_ino) in self._seen:
            return
        self._seen.add((status.st_dev, status.st_ino))
        ignoring = [*ignoring, *_ignoring_of(real, {entry.name for entry in inside})]
        for entry in inside:
            self._entry(entry, real / entry.name, ignoring)

    def _entry(self, entry: os.DirEntry[str], real: Path, ignoring: list[_Ignoring]) -> None:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name in _NEVER or real in self._own:
            return
        try:
            folder, link = entry.is_dir(), entry.is_symlink()
            file = entry.is_file()
        except OSError:
            folder = file = False
            link = True
        if folder and link and not self._follow:
            self._skip(path, "a link to a folder; --follow-symlinks follows it")
        elif _is_ignored(f"{real}/" if folder else str(real), ignoring):
            self._skip(path, "ignored by .gitignore or .ragcliignore")
        elif folder:
            if not (self._exclude and self._exclude.match_file(f"{self._inside(path)}/")):
                self._folder(path, Path(os.path.realpath(path)) if link else real, ignoring)
        elif not file and link:
            wanted = self._follow or not _why_not(path)
            self._skip(path, "a link that leads nowhere", Unread if wanted else Skipped)
        elif not file:
            self._skip(path, "neither a file nor a folder")
        else:
            self._file(path)

    def _file(self, path: Path) -> None:
        inside = self._inside(path)
        if (self._exclude and self._exclude.match_file(inside)) or (
            self._include and not self._include.match_file(inside)
        ):
            return
        if not self._include and (reason := _why_not(path)):
            self._skip(path, reason)
        else:
            self._found.inputs.append(Input(path, printable_name(path), found=True))

    def _inside(self, path: Path) -> str:
        return path.relative_to(self._top).as_posix()

    def _skip(self, path: Path, reason: str, kind: type[Skipped] = Skipped) -> None:
        self._found.skipped.append(kind(printable_name(path), 0, None, reason, ""))


def _why_not(path: Path) -> str:
    """Return why a file in a folder is skipped; empty if it is read."""
    kind = kind_of(path)
    if kind in FORMATS or (not kind and path.stem.lower() in PLAIN_NAMES):
        return ""
    if kind in NO_TEXT:
        return f"no text: {kind}"
    if not kind:
        return "its name has no suffix; name the file itself to read it as plain text"
    return f"no reader for {kind}; --include '*{kind}' reads such files as plain text"


def _ignoring_above(folder: Path) -> Iterator[_Ignoring]:
    """Yield the ignore files of the parent folders, up to the top of the git repository."""
    above: list[Path] = []
    for parent in (folder, *folder.parents):
        if parent != folder:
            above.append(parent)
        if (parent / ".git").exists():
            for one in reversed(above):
                yield from _ignoring_of(one, set(_IGNORE_FILES))
            return


def _patterns(lines: Iterable[str]) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec  # which takes as long to import as all the readers

    return GitIgnoreSpec.from_lines(lines)


def _ignoring_of(folder: Path, names: set[str]) -> Iterator[_Ignoring]:
    for name in _IGNORE_FILES:
        if name in names:
            try:
                lines = (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue
            yield _Ignoring(f"{folder}/", _patterns(lines))


def _is_ignored(path: str, ignoring: list[_Ignoring]) -> bool:
    """Return whether a file is ignored; the nearest ignore file that matches decides."""
    for one in reversed(ignoring):
        decided = one.patterns.check_file(path.removeprefix(one.folder)).include
        if decided is not None:
            return decided
    return False
