"""Put documents first whose title is the whole query: "It", "Us", "The Who"."""

from collections.abc import Sequence

from ragcli.filters import Filter, fold
from ragcli.store import Hit, QueryClause, Store, ranked

_MOST_WORDS = 6  # of a query that may be a title; longer titles have words enough to be found by


def titled_first(
    store: Store, query: str, words: Sequence[QueryClause], hits: list[Hit], k: int, filters: Sequence[Filter]
) -> list[Hit]:
    """Return the k best hits, those whose title is the query before all others.

    Short titles need it: their few words are frequent, or longer titles have them as well. IT is not the title "It".
    """
    title = query.strip()
    if not hits or not store.config or fold(hits[0].title) == fold(title) or len(title.split()) > _MOST_WORDS:
        return hits
    titled = store.search(words, k, [*filters, Filter("title", "=", title)])
    titled = [hit for hit in titled if hit.title.isupper() or not title.isupper()]
    known = {(hit.id, hit.start) for hit in titled}
    raised = [hit._replace(score=hit.score + hits[0].score) for hit in titled]
    return ranked([*raised, *(hit for hit in hits if (hit.id, hit.start) not in known)])[:k] if titled else hits
