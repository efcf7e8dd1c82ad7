"""Words that are spelled nearly like another: read from passages, since the list of all words may be long."""

import tantivy
from tantivy import Query

from ragcli.analysis.analyzer import Analyzer
from ragcli.analysis.spelling import most_edits, nearest_words
from ragcli.store_local.layout import read_record

_LOOKED_AT = 100  # passages, each the first of a run with a word that is near

_MOST_EDITS = 2  # of a fuzzy query


def near_words(searcher: tantivy.Searcher, schema: tantivy.Schema, language: str, word: str) -> list[str]:
    """Return the words nearest to one in spelling, which passages have, by distance."""
    words = Analyzer(language)  # a new one, to which each word of these passages is new
    known: dict[str, int] = {}
    most = most_edits(word) if language == "en" else _MOST_EDITS  # an accent that is left out is an edit here
    for distance in range(1, most + 1) if word else ():
        query = Query.fuzzy_term_query(schema, "spellings", word, distance)
        known |= {other: 1 for text in _texts(searcher, query) for other in words.indexed(text).spellings.split()}
    return nearest_words(word, known)


def _texts(searcher: tantivy.Searcher, query: Query) -> list[str]:
    hits = searcher.search(query, _LOOKED_AT, count=False).hits
    records = [read_record(searcher.doc(address))[1] for _, address in hits]
    return [f"{record.title}\n{record.text}" for record in records]
