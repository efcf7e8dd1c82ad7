"""Filters as queries: what a passage must, or must not, have."""

import tantivy
from tantivy import Occur, Query

from ragcli.filters import Filter, TermRange, in_order, ranges

NOTHING = Occur.Must, Query.empty_query()  # the condition that no passage meets


def condition(searcher: tantivy.Searcher, schema: tantivy.Schema, wanted: Filter) -> tuple[Occur, Query]:
    """Return the query for a filter on a known field, which adds nothing to the score."""
    field = "doc_id" if wanted.field == "id" else "terms"
    values = _ids(searcher, wanted) if wanted.field == "id" else _terms(searcher, wanted)
    if not values and wanted.operator != "!=":
        return NOTHING
    query = Query.const_score_query(Query.term_set_query(schema, field, values), 0.0)
    return Occur.MustNot if wanted.operator == "!=" else Occur.Must, query


def _terms(searcher: tantivy.Searcher, wanted: Filter) -> list[str]:
    return [term for one in ranges(wanted) for term in _terms_in(searcher, one)]


def _terms_in(searcher: tantivy.Searcher, wanted: TermRange) -> list[str]:
    if wanted.low == wanted.high:
        known = searcher.doc_freq("terms", wanted.low)  # most titles asked for are of no document
        return [wanted.low] if known else []
    found = searcher.terms_with_prefix("terms", wanted.prefix)
    return [term for term, _ in found if wanted.holds(term)]


def _ids(searcher: tantivy.Searcher, wanted: Filter) -> list[str]:
    if wanted.operator in ("=", "!="):
        return [wanted.value]
    return [doc_id for doc_id, _ in searcher.terms_with_prefix("doc_id", "") if in_order(doc_id, wanted)]
