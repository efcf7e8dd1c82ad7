"""How passages lie in an Elasticsearch index, ragcli's own or another's, and how each is asked for them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat
from typing import Any
from unicodedata import normalize

from ragcli.analysis.languages import HAN, STEMMED
from ragcli.analysis.spelling import nearest_words
from ragcli.analysis.words import cjk_bigrams
from ragcli.filters import Filter, TermRange, field_prefixes, metadata_terms, ranges
from ragcli.store import MAX_QUERY_WORDS, DocumentUpdate, Hit, IndexConfig, QueryClause
from ragcli.store_elastic.external import BOUNDS, ExternalIndex
from ragcli.store_elastic.vectors import vector_fields, written_vectors

Json = dict[str, Any]

# How a word's neighbours are asked for; all within reach, since the server's own order is another.
_NEAR = {"suggest_mode": "always", "max_edits": 2, "prefix_length": 1, "size": 50, "shard_size": 200}
# What an analyzer makes at most one word of: from U+2000 on a single character, as in Chinese.
_CHARACTERS = re.compile(f"[{HAN}\u3041-\u309f]{{2,}}")
_WORD = re.compile(r"[\u2000-\U0010ffff]|[^\W\u2000-\U0010ffff]{1,255}")


def index_mapping(config: IndexConfig) -> Json:
    """Return the mapping of an index that ragcli makes, its facts inside."""
    text = {"type": "text", "analyzer": STEMMED.get(config.language, "cjk")}
    looked_up, kept = {"type": "keyword"}, {"type": "integer", "index": False}
    properties = {
        "doc_id": looked_up,
        "part": {"type": "integer"},
        "parts": kept,
        "start": kept,
        "hash": {"type": "keyword", "index": False},
        "title": text,
        "text": text,
        "terms": looked_up,
        "fields": {"type": "keyword", "ignore_above": 256},
        "metadata": {"type": "object", "enabled": False},
        **(vector_fields(config.encoder) if config.encoder else {}),
    }
    return {"dynamic": False, "_meta": {"ragcli": config.as_json()}, "properties": properties}


def written(update: DocumentUpdate, dimension: int) -> Iterator[tuple[Json, Json]]:
    """Yield the passages as pairs of a bulk action and its body: first the one that counts as the document.

    With a dimension, each has a vector. Raises IndexMismatchError, RagcliError for bad ones.
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
            entry = {"part": part, "start": start, "text": text, **common, **vector}
            yield {"index": {"_id": f"{doc_id}#{part}"}}, entry


def removed(doc_id: str, parts: range) -> Iterator[Json]:
    """Yield the bulk actions that remove passages; the first passage goes last."""
    for part in reversed(parts):
        yield {"delete": {"_id": f"{doc_id}#{part}"}}


class ManagedIndex:
    """Ask for passages in an index that ragcli made."""

    always: Sequence[Json] = ()
    texts: Sequence[str] = ("title", "text")
    sort: Sequence[Json] = ({"_score": "desc"}, {"doc_id": "asc"}, {"start": "asc"})
    columns: Sequence[str] | None = ("doc_id", "title", "text", "start", "metadata")

    def __init__(self, language: str) -> None:
        self._has_bigrams = language not in STEMMED

    def words(self, text: str, operator: str = "or") -> Json:
        """Return the query for passages that have any of a text's words, or (`and`) all."""
        text = text if self._has_bigrams else normalize("NFKC", text)
        if self._has_bigrams or not (pairs := list(_character_pairs(text))):
            return {"combined_fields": {"query": text, "fields": ["title", "text"], "operator": operator}}
        wanted = [{"multi_match": {"query": pair, "fields": ["title", "text"], "type": "phrase"}} for pair in pairs]
        if rest := _CHARACTERS.sub(" ", text).strip():
            wanted.append(self.words(rest, operator))
        return {"bool": {"should" if operator == "or" else "must": wanted}}

    def terms(self, word: str) -> list[str]:
        """Return what the index has of a word, as far as can be said here."""
        return cjk_bigrams(word).split()

    def whole(self, doc_id: str) -> Json:
        """Return the query for all of a document."""
        return {"term": {"doc_id": doc_id}}

    def condition(self, condition: Filter) -> Json:
        """Return the query for what satisfies a condition; for `!=`, for what does not."""
        if condition.field == "id":
            if condition.operator in BOUNDS:
                return {"range": {"doc_id": {BOUNDS[condition.operator]: condition.value}}}
            return {"term": {"doc_id": condition.value}}
        return {"bool": {"should": [_between(wanted) for wanted in ranges(condition)]}}

    def values(self, field: str) -> tuple[str, list[str]]:
        """Return which mapped field holds a field's text values, if any, and what they begin with there."""
        return "terms", field_prefixes(field)

    def hit(self, row: Json) -> Hit:
        """Read a search result; its rank is not known yet."""
        source = row["_source"]
        end = source["start"] + len(source["text"])
        found = (source["doc_id"], source["title"], source["text"], row["_score"], source["start"], end)
        return Hit(0, *found, source.get("metadata", {}))


def _character_pairs(text: str) -> Iterator[str]:
    """Yield the pairs of Chinese characters and hiragana, which the analyzers of other languages take one by one."""
    for run in _CHARACTERS.finditer(text):
        yield from (run[0][i : i + 2] for i in range(len(run[0]) - 1))


def ranking(layout: ManagedIndex | ExternalIndex, words: Sequence[QueryClause]) -> Json:
    """Return the query for passages that have words of the required texts, ranked by the words of all."""
    if not words:
        return {"match_all": {}}
    required = [_weighted(layout, group) for group in words if group.required]
    matching = {"bool": {"should": required}} if required else {"match_none": {}}
    return {"bool": {"must": matching, "should": [_weighted(layout, group) for group in words if not group.required]}}


def _weighted(layout: ManagedIndex | ExternalIndex, words: QueryClause) -> Json:
    return {"bool": {"must": layout.words(first_words(words.text)), "boost": words.weight}}


def _between(wanted: TermRange) -> Json:
    if wanted.low == wanted.high:
        return {"term": {"terms": wanted.low}}
    low, high = "gte" if wanted.include_low else "gt", "lte" if wanted.include_high else "lt"
    return {"range": {"terms": {low: wanted.low, high: wanted.high}}}


def first_words(query: str) -> str:
    """Cut a query after as many words as a store looks for."""
    last = next(islice(_WORD.finditer(query), MAX_QUERY_WORDS - 1, None), None)
    return query[: last.end()] if last else query


def pattern(start: str, prefix: str) -> str:
    """Write a Lucene regular expression: what begins with `start` and, in capitals or small letters, the prefix."""
    either = (f"[{c}{c.upper()}]" if len(c.upper()) == 1 and c.isalpha() else _escaped(c) for c in prefix[:64])
    return f"{_escaped(start)}{''.join(either)}.*"


def spelled_nearly(fields: Sequence[str], words: Sequence[str]) -> Json:
    """Return what asks, for each word and field, for what the field has that is spelled nearly like the word."""
    return {
        f"{i} {field}": {"text": word, "term": {"field": field, **_NEAR}}
        for i, word in enumerate(words)
        for field in fields
    }


def near_words(found: Json, count: int) -> list[list[str]]:
    """Read what the server answers to spelled_nearly for so many words: of each what is nearest in all fields."""
    entries: list[list[Json]] = [[] for _ in range(count)]
    for name, terms in found.items():
        entries[int(name.partition(" ")[0])] += terms
    return [_nearest(terms) for terms in entries]


def _nearest(terms: Sequence[Json]) -> list[str]:
    if len({(term["text"], term["offset"]) for term in terms}) != 1:
        return []  # no word for the analyzer, or several
    known: Counter[str] = Counter()
    for option in chain.from_iterable(term["options"] for term in terms):
        known[option["text"]] += option["freq"]
    return nearest_words(terms[0]["text"], known)


def _escaped(text: str) -> str:
    return re.sub(r"(\W)", r"\\\1", text)
