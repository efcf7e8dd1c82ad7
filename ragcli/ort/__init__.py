"""The common base of models on ONNX Runtime, without torch: write a checkpoint's graph once, cache it, open it."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ragcli.errors import RagcliError
from ragcli.ort import cache
from ragcli.ort.session import LoadError

Note = Callable[[str], None]
Write = Callable[[Path], None]
Opened = TypeVar("Opened")


def open_graphs(
    files: Sequence[Path], config: str, precision: str, write: Write, load: Callable[[Path], Opened], note: Note
) -> Opened:
    """Load the graphs of a checkpoint's files; write them first if the cache has no usable ones.

    `config` contains everything else that the graphs depend on. Raises RagcliError if there is no room for them.
    """
    home = cache.engines_home()
    folder = home / cache.graph_key(home, files, f"{config} {precision}")
    if folder.exists():
        try:
            cache.check(folder)
            return load(folder)
        except (cache.UnusableError, LoadError) as error:
            note(f"the prepared model in {folder} cannot be used ({error}); it is prepared again")
    try:
        cache.build(folder, write)
    except OSError as error:
        note(f"cannot save the prepared model in {home} ({error.strerror or error}); every run prepares it again")
        return _open_without_cache(write, load)
    return load(folder)


def _open_without_cache(write: Write, load: Callable[[Path], Opened]) -> Opened:
    try:
        with tempfile.TemporaryDirectory(prefix="ragcli-", ignore_cleanup_errors=True) as folder:
            write(Path(folder))
            return load(Path(folder))
    except OSError as error:
        raise RagcliError(
            f"cannot prepare the model: {error.strerror or error}", "Make room in the temporary folder."
        ) from error
