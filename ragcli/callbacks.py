"""Callbacks by which long runs (indexing, evaluation, training) report their progress."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from ragcli.documents import Reject, Skipped

P = TypeVar("P")  # the type of progress: a number of documents or queries, or a step of a training


def ignore(*_: object) -> None:
    """Do nothing."""


class Callbacks(NamedTuple, Generic[P]):
    """Hold the functions to call for progress, notes, rejected lines, deletions (document ids), and skipped files."""

    progress: Callable[[P], None] = ignore
    note: Callable[[str], None] = ignore
    reject: Callable[[Reject], None] = ignore
    deletion: Callable[[str], None] = ignore
    skip: Callable[[Skipped], None] = ignore
