"""Search: from a query to ranked passages."""

from collections.abc import Sequence

from ragcli.errors import UsageError
from ragcli.filters import Filter
from ragcli.store import Hit, Store, Words
from ragcli.text import split_words

LIGHT = 0.3  # what a function word weighs; on development sets better than none and than all


def search(store: Store, query: str, k: int = 10, filters: Sequence[Filter] = ()) -> list[Hit]:
    """Return the k passages that match a query best, best first.

    Raises UsageError for an empty query, RagcliError for a filter on a field that no document has.
    """
    if not query.strip():
        raise UsageError("the query is empty", "Say what to look for.")
    english = store.facts is not None and store.facts.language == "en"
    about, light = split_words(query) if english else (query, "")
    words = [Words(about), *([Words(light, LIGHT, required=False)] if light else [])]
    return store.search(words, k, filters)
