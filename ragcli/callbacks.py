"""Whom a long run tells how it gets on: indexing, evaluation and training alike."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from ragcli.documents import Reject, Skipped

P = TypeVar("P")  # what progress is: a number of documents or queries, or a step of a training


def ignore(*_: object) -> None:
    """Take anything, and do nothing."""


class Callbacks(NamedTuple, Generic[P]):
    """Hold what to call for progress, notes, rejected lines, deletions (by document id), and files left out."""

    progress: Callable[[P], None] = ignore
    note: Callable[[str], None] = ignore
    reject: Callable[[Reject], None] = ignore
    deletion: Callable[[str], None] = ignore
    skip: Callable[[Skipped], None] = ignore
