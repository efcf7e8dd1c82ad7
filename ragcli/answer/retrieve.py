"""Find the passages to answer from."""

from collections.abc import Sequence

from ragcli.errors import NothingFoundError, UsageError
from ragcli.filters import Filter
from ragcli.search import Searcher
from ragcli.search.diversity import joined
from ragcli.store import Hit
from ragcli.titles import find_title

_PASSAGES = 2  # retrieved for each wanted one, because some belong to the same document


def retrieve(searcher: Searcher, question: str, k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
    """Return the best passages of k documents for a question, best first, each joined with adjacent ones that match.

    Raises NothingFoundError if nothing matches, UsageError for an empty question.
    """
    if not question.strip():
        raise UsageError("the question is empty", 'Ask something, such as: ragcli ask "What is a lambda?"')
    hits = joined(searcher.search(question, _PASSAGES * k, filters))[:k]
    if not hits:
        raise nothing_found()
    return hits


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
