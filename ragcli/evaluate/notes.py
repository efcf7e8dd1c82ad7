"""How an evaluation counts and lists in its notes."""

from collections.abc import Iterable

_LISTED = 5


def counted(n: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{n:,} {one if n == 1 else many}"


def listed(one: str, many: str, ids: Iterable[str]) -> str:
    """Return how many ids there are, with their noun, and the first of them by name."""
    shown = sorted(ids)
    names = ", ".join(shown[:_LISTED]) + (" …" if len(shown) > _LISTED else "")
    return f"{counted(len(shown), one, many)}: {names}"
