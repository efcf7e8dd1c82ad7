"""Put passages first that are named as the query is written: by their title (It, The Who), by an option (--amend)."""

import re
from collections.abc import Sequence
from itertools import chain

from ragcli.filters import Filter, fold
from ragcli.search.query import with_other_numerals
from ragcli.store import Hit, QueryClause, Store, ranked

_MOST_WORDS = 6  # of a query that may be a title; longer titles have words enough to be found by
_OPTION = re.compile(r"(?<!\S)--?\w[\w-]*(?!\S)")


def titled_first(
    store: Store, query: str, words: Sequence[QueryClause], hits: list[Hit], k: int, filters: Sequence[Filter]
) -> list[Hit]:
    """Return the k best hits, those whose title is the query, in either way to write numerals, before all others.

    Short titles need it: their few words are frequent, or longer titles have them as well. IT is not the title "It".
    """
    title = query.strip()
    names = dict.fromkeys((title, with_other_numerals(title)))
    if not hits or not store.config or fold(hits[0].title) in map(fold, names) or len(title.split()) > _MOST_WORDS:
        return hits
    found = [store.search(words, k, [*filters, Filter("title", "=", name)]) for name in names]
    titled = [hit for hit in chain.from_iterable(found) if hit.title.isupper() or not title.isupper()]
    known = {(hit.id, hit.start) for hit in titled}
    raised = [hit._replace(score=hit.score + hits[0].score) for hit in titled]
    return ranked([*raised, *(hit for hit in hits if (hit.id, hit.start) not in known)])[:k] if titled else hits


def options_of(query: str) -> list[str]:
    """Return the words of a query that begin with a hyphen, which no term keeps: --amend, -0054."""
    return _OPTION.findall(query)


def with_options_first(options: Sequence[str], hits: list[Hit]) -> list[Hit]:
    """Put hits first whose text has the options as written, those with most of them before all others."""
    if not options or not hits:
        return hits
    patterns = [_as_written(option) for option in options]
    found = [sum(bool(pattern.search(hit.text)) for pattern in patterns) for hit in hits]
    return ranked(hit._replace(score=hit.score + hits[0].score * n) for hit, n in zip(hits, found, strict=True))


def _as_written(option: str) -> re.Pattern[str]:
    before = "" if option.strip("-").isdigit() else r"(?<![\w-])"  # -0054 is in RFQ-0054, but -men not in X-men
    return re.compile(rf"{before}{re.escape(option)}(?![\w-])")
