"""The layout of an Elasticsearch index that ragcli makes, and queries for both kinds of indexes."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Any

from ragcli.analysis.analyzer import Analyzer, analyzer
from ragcli.analysis.scripts import is_single
from ragcli.analysis.spelling import nearest_words
from ragcli.filters import Filter, TermRange, field_prefixes, metadata_terms, ranges
from ragcli.store import MAX_QUERY_WORDS, DocumentUpdate, Hit, IndexConfig, QueryClause
from ragcli.store_elastic.external import BOUNDS, ExternalIndex
from ragcli.store_elastic.vectors import vector_fields, written_vectors

Json = dict[str, Any]

# Options of the suggester: all similar words, because the server orders them differently.
_NEAR = {"suggest_mode": "always", "max_edits": 2, "prefix_length": 1, "size": 50, "shard_size": 200}
_FOUND_BY = ["content", "characters", "spellings"]


def index_mapping(config: IndexConfig) -> Json:
    """Return the mapping of an index that ragcli makes, with its configuration in `_meta`."""
    text = {"type": "text", "index": False}
    words = {"type": "text", "analyzer": "whitespace", "index_options": "freqs"}  # analyzed by ragcli
    looked_up, kept = {"type": "keyword"}, {"type": "integer", "index": False}
    properties = {
        "doc_id": looked_up,
        "part": {"type": "integer"},
        "parts": kept,
        "start": kept,
        "hash": {"type": "keyword", "index": False},
        "title": text,
        "text": text,
        **dict.fromkeys(_FOUND_BY, words),
        "terms": looked_up,
        "fields": {"type": "keyword", "ignore_above": 256},
        "metadata": {"type": "object", "enabled": False},
        **(vector_fields(config.encoder) if config.encoder else {}),
    }
    source = {"excludes": _FOUND_BY}
    return {"dynamic": False, "_source": source, "_meta": {"ragcli": config.as_json()}, "properties": properties}


def written(update: DocumentUpdate, words: Analyzer, dimension: int) -> Iterator[tuple[Json, Json]]:
    """Yield the passages as pairs of a bulk action and its body, the first passage first.

    With a dimension, each has a vector. Raises IndexMismatchError and RagcliError for invalid vectors.
    """
    doc_id, document, passages = update.doc_id, update.document, update.passages
    if document:
        title, metadata = document.title, document.metadata
        common: Json = {"doc_id": doc_id, "parts": len(passages), "hash": update.hash, "title": title}
        if terms := metadata_terms(title, metadata, update.aliases):
            common["terms"] = terms
        if names := [*metadata, *update.aliases]:
            common |= {"fields": names, "metadata": metadata}
        vectors = written_vectors(update, document, dimension) if dimension else repeat({}, len(passages))
        for part, ((start, text), vector) in enumerate(zip(passages, vectors, strict=True)):
            lines = zip(_FOUND_BY, words.indexed(f"{title}\n{text}"), strict=True)
            found_by = {field: line for field, line in lines if line}
            entry = {"part": part, "start": start, "text": text, **common, **found_by, **vector}
            yield {"index": {"_id": f"{doc_id}#{part}"}}, entry


def removed(doc_id: str, parts: range) -> Iterator[Json]:
    """Yield the bulk actions that remove passages; the first passage goes last."""
    for part in reversed(parts):
        yield {"delete": {"_id": f"{doc_id}#{part}"}}


class ManagedIndex:
    """Query an index that ragcli made."""

    always: Sequence[Json] = ()
    texts: Sequence[str] = ("spellings",)
    sort: Sequence[Json] = ({"_score": "desc"}, {"doc_id": "asc"}, {"start": "asc"})
    columns: Sequence[str] | None = ("doc_id", "title", "text", "start", "metadata")

    def __init__(self, language: str) -> None:
        self._analyzer = analyzer(language)

    def words(self, text: str) -> Json:
        """Return the query for passages with any of a text's words."""
        weights = self._analyzer.query(text, MAX_QUERY_WORDS)
        terms = [{"term": {_field(term): {"value": term, "boost": weight}}} for term, weight in weights.items()]
        return {"bool": {"should": terms}} if terms else {"match_none": {}}

    def variants(self, word: str) -> list[tuple[str, ...]]:
        """Return the alternative terms of each part of a word."""
        return self._analyzer.variants(word)

    def holding(self, term: str) -> Json:
        """Return the query for passages with a term."""
        return {"term": {_field(term): term}}

    def whole(self, doc_id: str) -> Json:
        """Return the query for all passages of a document."""
        return {"term": {"doc_id": doc_id}}

    def condition(self, condition: Filter) -> Json:
        """Return the query for passages that match a condition; for `!=`, for those that do not."""
        if condition.field == "id":
            if condition.operator in BOUNDS:
                return {"range": {"doc_id": {BOUNDS[condition.operator]: condition.value}}}
            return {"term": {"doc_id": condition.value}}
        return {"bool": {"should": [_between(wanted) for wanted in ranges(condition)]}}

    def values(self, field: str) -> tuple[str, list[str]]:
        """Return the mapped field with a field's text values, and their prefixes there."""
        return "terms", field_prefixes(field)

    def hit(self, row: Json) -> Hit:
        """Read a search result, without its rank."""
        source = row["_source"]
        end = source["start"] + len(source["text"])
        found = (source["doc_id"], source["title"], source["text"], row["_score"], source["start"], end)
        return Hit(0, *found, source.get("metadata", {}))


def _field(term: str) -> str:
    return "characters" if is_single(term) else "content"


def ranking(layout: ManagedIndex | ExternalIndex, words: Sequence[QueryClause]) -> Json:
    """Return the query for passages with words of the required clauses, ranked by the words of all clauses."""
    if not words:
        return {"match_all": {}}
    required = [_weighted(layout, group) for group in words if group.required]
    matching = {"bool": {"should": required}} if required else {"match_none": {}}
    return {"bool": {"must": matching, "should": [_weighted(layout, group) for group in words if not group.required]}}


def _weighted(layout: ManagedIndex | ExternalIndex, words: QueryClause) -> Json:
    return {"bool": {"must": layout.words(words.text), "boost": words.weight}}


def _between(wanted: TermRange) -> Json:
    if wanted.low == wanted.high:
        return {"term": {"terms": wanted.low}}
    low, high = "gte" if wanted.include_low else "gt", "lte" if wanted.include_high else "lt"
    return {"range": {"terms": {low: wanted.low, high: wanted.high}}}


def pattern(start: str, prefix: str) -> str:
    """Return a Lucene regular expression for `start` followed by the prefix in either case."""
    either = (f"[{c}{c.upper()}]" if len(c.upper()) == 1 and c.isalpha() else _escaped(c) for c in prefix[:64])
    return f"{_escaped(start)}{''.join(either)}.*"


def spelled_nearly(fields: Sequence[str], words: Sequence[str]) -> Json:
    """Return the suggest request for words with similar spelling, for each word and field."""
    return {
        f"{i} {field}": {"text": word, "term": {"field": field, **_NEAR}}
        for i, word in enumerate(words)
        for field in fields
    }


def near_words(found: Json, count: int) -> list[list[str]]:
    """Read the answer to spelled_nearly for `count` words: the nearest ones of each in all fields."""
    entries: list[list[Json]] = [[] for _ in range(count)]
    for name, terms in found.items():
        entries[int(name.partition(" ")[0])] += terms
    return [_nearest(terms) for terms in entries]


def _nearest(terms: Sequence[Json]) -> list[str]:
    if len({(term["text"], term["offset"]) for term in terms}) != 1:
        return []  # not exactly one word to the analyzer
    known: Counter[str] = Counter()
    for option in chain.from_iterable(term["options"] for term in terms):
        known[option["text"]] += option["freq"]
    return nearest_words(terms[0]["text"], known)


def _escaped(text: str) -> str:
    return re.sub(r"(\W)", r"\\\1", text)
