"""Whom an evaluation tells of its progress and of what is noteworthy, and how it lists ids."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

_LISTED = 5


class Listener(NamedTuple):
    """Hold whom to tell of progress (queries done) and of what is noteworthy."""

    progress: Callable[[int], None] = lambda done: None
    note: Callable[[str], None] = lambda text: None


def counted(n: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{n:,} {one if n == 1 else many}"


def listed(one: str, many: str, ids: Iterable[str]) -> str:
    """Return how many ids there are, with their noun, and the first of them by name."""
    shown = sorted(ids)
    names = ", ".join(shown[:_LISTED]) + (" …" if len(shown) > _LISTED else "")
    return f"{counted(len(shown), one, many)}: {names}"
