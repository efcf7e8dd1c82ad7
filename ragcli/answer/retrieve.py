"""Find the passages to answer from."""

import re
from collections.abc import Sequence

from ragcli.errors import NothingFoundError, UsageError
from ragcli.filters import Filter
from ragcli.search import Searcher
from ragcli.search.diversity import joined
from ragcli.store import Hit
from ragcli.titles import find_title

_PASSAGES = 2  # retrieved for each wanted one, because some belong to the same document
_RELEASE_NOTES = re.compile(
    r"(?:^|› ?)(?:change ?log|release notes?|releases|what['’]s new)\b"
    r"|(?:更新|变更|變更|修订)(?:日志|日誌|记录|記錄)|(?:发布|發布|发行|發行)(?:说明|說明|日志)",
    re.IGNORECASE,
)
_ASKS_CHANGES = re.compile(
    r"\d\.\d|\b(?:changes|changed|changelog|releases?d?|versions?|news|what.s new|added|removed|deprecated"
    r"|breaking|fixed|since)\b|版本|更新|变更|變更|发布|發布|新增|废弃|移除",
    re.IGNORECASE,
)


def retrieve(searcher: Searcher, question: str, k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
    """Return the best passages of k documents for a question, best first, each joined with adjacent ones that match.

    Release notes come last, unless the question is about changes: they name everything and explain nothing.

    Raises NothingFoundError if nothing matches, UsageError for an empty question.
    """
    if not question.strip():
        raise UsageError("the question is empty", 'Ask something, such as: ragcli ask "What is a lambda?"')
    hits = joined(searcher.search(question, _PASSAGES * k, filters))
    if not hits:
        raise nothing_found()
    if not _ASKS_CHANGES.search(question):
        hits.sort(key=lambda hit: bool(_RELEASE_NOTES.search(hit.title)))
    return [hit._replace(rank=rank) for rank, hit in enumerate(hits[:k], 1)]


def nothing_found() -> NothingFoundError:
    """Return the error for a question that nothing matches."""
    return NothingFoundError("nothing in the index matches the question", "Try other words, or index more texts.")


def retrieve_reviews(searcher: Searcher, title: str, k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
    """Return up to k reviews of the film with the title nearest to `title`.

    Raises NothingFoundError, with a suggestion, if no title is near, UsageError for an empty title.
    """
    if not title.strip():
        raise UsageError("the title is empty", "Name a film.")
    found = find_title(searcher.store, title)
    hits = searcher.search(found, k, [Filter("title", "=", found), *filters])
    if not hits:
        raise NothingFoundError(f"no review of {found!r} matches the filters", "Leave out a --where.")
    return hits
