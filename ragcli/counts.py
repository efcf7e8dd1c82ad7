"""Numbers with their nouns, and lists, as messages have them."""

from collections.abc import Iterable

_LISTED = 5


def counted(n: int, singular: str, plural: str) -> str:
    """Return a number with its noun."""
    return f"{n:,} {singular if n == 1 else plural}"


def held(documents: int, passages: int) -> str:
    """Return what an index holds."""
    return f"{counted(documents, 'document', 'documents')}, {counted(passages, 'passage', 'passages')}"


def listed(singular: str, plural: str, ids: Iterable[str]) -> str:
    """Return the number of ids with their noun, and the first ids."""
    shown = sorted(ids)
    names = ", ".join(shown[:_LISTED]) + (" …" if len(shown) > _LISTED else "")
    return f"{counted(len(shown), singular, plural)}: {names}"
