"""Search: from a query to ranked passages."""

from collections.abc import Sequence

from ragcli.errors import UsageError
from ragcli.filters import Filter
from ragcli.store import Hit, Store
from ragcli.text import split_words


def search(store: Store, query: str, k: int = 10, filters: Sequence[Filter] = ()) -> list[Hit]:
    """Return the k passages that match a query best, best first.

    Raises UsageError for an empty query, RagcliError for a filter on a field that no document has.
    """
    if not query.strip():
        raise UsageError("the query is empty", "Say what to look for.")
    english = store.facts is not None and store.facts.language == "en"
    about, light = split_words(query) if english else (query, "")
    return store.search(about, k, filters, light)
