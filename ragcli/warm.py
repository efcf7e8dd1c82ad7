"""Keep models and indexes open in a process that answers more than once, so that none is loaded twice.

This is off by default, because a command loads each only once. One whose files have changed is loaded again.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ragcli.store import IndexLocation, Store, open_store, read_state

if TYPE_CHECKING:
    from ragcli.models import ModelFolder

Opened = TypeVar("Opened")

_MOST = 12


class _Kept:
    """Hold what is open by key, the least recently used first."""

    def __init__(self) -> None:
        self.on = False
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[Any, ...], tuple[object, Any]] = OrderedDict()

    def get(self, key: tuple[Any, ...], state: object, make: Callable[[], Opened]) -> Opened:
        """Return what was made for a key in this state, or make it."""
        with self._lock:  # so that two threads do not load the same model
            if key not in self._held or self._held[key][0] != state:
                self._held[key] = state, make()
            self._held.move_to_end(key)
            while len(self._held) > _MOST:
                self._held.popitem(last=False)
            found: Opened = self._held[key][1]
            return found


_KEPT = _Kept()


def keep_models(keep: bool = True) -> None:
    """Keep models and indexes that are opened from now on, or stop doing so."""
    _KEPT.on = keep


def opened(folder: "ModelFolder", kind: str, make: Callable[[], Opened], alone: bool = False) -> Opened:
    """Return the model that `make` opens from a folder or file, or if models are kept, the one opened before.

    `kind` distinguishes models of the same folder. With `alone`, each thread has its own.
    """
    if not _KEPT.on:
        return make()
    return _KEPT.get((kind, folder.name, threading.get_ident() if alone else 0), folder.read_state(), make)


def opened_index(location: IndexLocation) -> Store:
    """Return an index to read, or if indexes are kept and it has not changed, the one opened before."""
    state = read_state(location) if _KEPT.on else None
    if state is None:
        return open_store(location)
    return _KEPT.get(("index", location.folder, location.name), state, lambda: open_store(location))
