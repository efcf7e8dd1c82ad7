"""What the models on ONNX Runtime share: checkpoint → graph, written once, kept in a cache → session. Without torch."""

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
    """Load the graphs of a checkpoint's files; write them first where the cache has none, or none that can be used.

    `config` says what else the graphs depend on. Raises RagcliError where there is no room to write them.
    """
    home = cache.engines_home()
    folder = home / cache.graph_key(home, files, f"{config} {precision}")
    if folder.exists():
        try:
            cache.check(folder)
            return load(folder)
        except (cache.UnusableError, LoadError) as error:
            note(f"the prepared model in {folder} cannot be used ({error}); it is prepared anew")
    try:
        cache.build(folder, write)
    except OSError as error:
        note(f"cannot keep the prepared model in {home} ({error.strerror or error}); every run prepares it anew")
        return _open_without_cache(write, load)
    note(f"prepared the model for {precision}, once: {cache.size(folder) / 1e6:.0f} MB in {folder}")
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
