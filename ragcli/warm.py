"""Keep models open in a process that answers more than once, so that none is loaded twice.

This is off by default, because a command loads each model only once. A model whose files have changed is loaded
again.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from ragcli.models import ModelFolder, weight_files

Opened = TypeVar("Opened")

_MOST = 8  # models


class _Kept:
    """Hold open models by key, the least recently used first."""

    def __init__(self) -> None:
        self.on = False
        self._lock = threading.Lock()
        self._models: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    def get(self, key: tuple[Any, ...], make: Callable[[], Opened]) -> Opened:
        with self._lock:  # so that two threads do not load the same model
            if key not in self._models:
                self._models[key] = make()
            self._models.move_to_end(key)
            while len(self._models) > _MOST:
                self._models.popitem(last=False)
            found: Opened = self._models[key]
            return found


_KEPT = _Kept()


def keep_models(keep: bool = True) -> None:
    """Keep models that are opened from now on, or stop doing so."""
    _KEPT.on = keep


def opened(folder: ModelFolder, kind: str, make: Callable[[], Opened], alone: bool = False) -> Opened:
    """Return the model that `make` opens from a folder or file, or if models are kept, the one opened before.

    `kind` distinguishes models of the same folder. With `alone`, each thread has its own.
    """
    if not _KEPT.on:
        return make()
    weights = [folder.path] if folder.path.is_file() else weight_files(folder.path)
    files = tuple((str(file), file.stat().st_mtime_ns) for file in weights)
    return _KEPT.get((kind, folder.name, files, threading.get_ident() if alone else 0), make)
