"""Models that stay open: in a process that answers more than once, none is loaded twice.

Off by default, for a command that loads each model once anyway. A model whose files have changed is loaded anew.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from ragcli.models import ModelFolder, weight_files

Opened = TypeVar("Opened")

_MOST = 8  # models that stay open


class _Kept:
    """Hold open models by what they were made from, the least used first."""

    def __init__(self) -> None:
        self.on = False
        self._lock = threading.Lock()
        self._models: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def get(self, key: tuple[Any, ...], make: Callable[[], Opened]) -> Opened:
        with self._lock:  # so that two who want the same model do not both load it
            if key not in self._models:
                self._models[key] = make()
            self._models.move_to_end(key)
            while len(self._models) > _MOST:
                self._models.popitem(last=False)
            found: Opened = self._models[key]
            return found


_KEPT = _Kept()


def keep_models(keep: bool = True) -> None:
    """Keep what is opened from now on, for the next who wants it; or no longer."""
    _KEPT.on = keep


def opened(folder: ModelFolder, kind: str, make: Callable[[], Opened], alone: bool = False) -> Opened:
    """Return what `make` opens from a folder, or what was opened from it before, if models are kept.

    `kind` says what is made. Each thread has its own of what only one may use at a time (`alone`).
    """
    if not _KEPT.on:
        return make()
    files = tuple((str(file), file.stat().st_mtime_ns) for file in weight_files(folder.path))
    return _KEPT.get((kind, folder.name, files, threading.get_ident() if alone else 0), make)
