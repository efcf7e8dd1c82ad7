"""Find the passages to answer from."""

from collections.abc import Sequence

from ragcli.errors import NothingFoundError
from ragcli.filters import Filter
from ragcli.search import Searcher
from ragcli.search.diversity import joined
from ragcli.store import Hit
from ragcli.titles import find_title

_PASSAGES = 2  # retrieved for each that is wanted: some are of one document


def retrieve(searcher: Searcher, question: str, k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
    """Return passages of k documents for a question, best first: of each the best one, and those that touch it.

    Raises NothingFoundError where nothing matches, UsageError for an empty question.
    """
    hits = joined(searcher.search(question, _PASSAGES * k, filters))[:k]
    if not hits:
        raise nothing_found()
    return hits


def nothing_found() -> NothingFoundError:
    """Return the error for a question that nothing matches."""
    return NothingFoundError("nothing in the index matches the question", "Ask in other words, or index more texts.")


def retrieve_reviews(searcher: Searcher, title: str, k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
    """Return up to k reviews of the film whose title is `title`, or nearest to it.

    Raises NothingFoundError, with a suggestion, where no title is near.
    """
    found = find_title(searcher.store, title)
    hits = searcher.search(found, k, [Filter("title", "=", found), *filters])
    if not hits:
        raise NothingFoundError(f"no review of {found!r} passes the filters", "Leave out a --where.")
    return hits
