"""Indexes that ragcli did not make: find their text fields, query them, and read their hits."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from ragcli.errors import IndexMismatchError, RagcliError, UsageError
from ragcli.filters import Filter
from ragcli.store import MAX_QUERY_WORDS, Hit

Json = dict[str, Any]

BOUNDS = {">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}
_EXACT = ("keyword", "constant_keyword", "wildcard")
_ANALYZED = ("text", "match_only_text", "annotated_text", "search_as_you_type")
_NAMED = 10
# At most one word to an analyzer: from U+2000 on a single character, as in Chinese.
_WORD = re.compile(r"[\u2000-\U0010ffff]|[^\W\u2000-\U0010ffff]{1,255}")


class ExternalIndex:
    """Query an index that ragcli did not make, by the fields in its mapping."""

    sort: Sequence[Json] = ({"_score": "desc"}, {"_index": "asc"}, {"_seq_no": "asc"})
    columns: Sequence[str] | None = None

    def __init__(self, mapping: Json, index: str, text_field: str = "text", title_field: str = "title") -> None:
        """Find the fields. Raises IndexMismatchError if no field can be searched by words."""
        properties = mapping.get("properties", {})
        self.index = index
        self.fields = dict(_flat(properties))
        self.text_field, self.title_field = text_field, title_field
        text = _analyzed(properties, text_field)
        if text is None:
            raise _no_text(properties, index, text_field, self.fields)
        title = _analyzed(properties, title_field)
        self.text = text
        self.texts = (title, text) if title else (text,)
        self.always: Sequence[Json] = ({"exists": {"field": text}},)

    def words(self, text: str, operator: str = "or") -> Json:
        """Return the query for documents with any of a text's words, or (`and`) all, in text and title."""
        asked = {"query": _first_words(text), "operator": operator}
        if len(self.texts) > 1:
            return {"multi_match": {**asked, "fields": list(self.texts), "type": "cross_fields"}}
        return {"match": {self.text: asked}}

    def variants(self, word: str) -> list[tuple[str, ...]]:
        """Return the word itself, because the index's analyzer is unknown."""
        return [(word,)]

    def holding(self, term: str) -> Json:
        """Return the query for documents with all words of a term."""
        return self.words(term, "and")

    def whole(self, doc_id: str) -> Json:
        """Return the query for all passages of a document."""
        return {"ids": {"values": [doc_id]}}

    def condition(self, condition: Filter) -> Json:
        """Return the query for documents that match a condition; for `!=`, for those that do not."""
        field, operator, value = condition
        if field == "id":
            if operator in BOUNDS:
                hint = "Use id=VALUE or id!=VALUE, or another field."
                raise UsageError(f"ids of an index that ragcli did not make cannot be compared: id{operator}", hint)
            return {"ids": {"values": [value]}}
        target, kind = self.fields[field]
        if operator in BOUNDS:
            return {"range": {target: {BOUNDS[operator]: value}}}
        if kind in _EXACT:
            return {"term": {target: {"value": value, "case_insensitive": True}}}
        if kind in _ANALYZED:
            return {"match_phrase": {target: value}}
        return {"term": {target: value.lower() if kind == "boolean" else value}}

    def values(self, field: str) -> tuple[str, list[str]]:
        """Return the mapped field with a field's text values, if any, and their prefixes: none."""
        target, kind = self.fields.get(field, ("", ""))
        return (target if kind in _EXACT else "", [""])

    def hit(self, row: Json) -> Hit:
        """Read a search result, without its rank. Raises RagcliError if its text is not in _source."""
        metadata = dict(row.get("_source", {}))
        title, text = (_plain(_taken(metadata, field)) for field in (self.title_field, self.text_field))
        if not text:
            raise RagcliError(
                f"index {self.index} does not keep field {self.text_field!r} in _source, so its text cannot be shown",
                "Search an index that keeps it, or name another field: --text-field NAME",
            )
        return Hit(0, row["_id"], title, text, row["_score"], 0, len(text), metadata)


def merged(mappings: Sequence[Json]) -> Json:
    """Merge the mappings of several indexes; for a common field, the first one wins."""
    properties: Json = {}
    for mapping in mappings:
        for name, spec in mapping.get("properties", {}).items():
            if name in properties and "properties" in properties[name] and "properties" in spec:
                properties[name] = {**properties[name], **merged([properties[name], spec])}
            else:
                properties.setdefault(name, spec)
    return {"properties": properties}


def _analyzed(properties: Json, path: str) -> str | None:
    """Return the analyzed field at a path, or its analyzed subfield; None if there is none."""
    spec = _spec(properties, path)
    if spec is None:
        return None
    if spec.get("type") in _ANALYZED:
        return path
    parts = spec.get("fields", {}).items()
    return next((f"{path}.{part}" for part, field in parts if field.get("type") in _ANALYZED), None)


def _spec(properties: Json, path: str) -> Json | None:
    """Return the mapping of a dotted path; None if it is unknown or inside a nested object."""
    name, _, rest = path.partition(".")
    spec = properties.get(name)
    if not isinstance(spec, dict) or spec.get("type") == "nested":
        return None
    return _spec(spec.get("properties", {}), rest) if rest else spec


def _no_text(properties: Json, index: str, field: str, known: Json) -> RagcliError:
    others = [path for path in known if _analyzed(properties, path)]
    if field in known and known[field][1] in _EXACT:
        message = f"field {field!r} of index {index} holds whole values (keyword), not words that can be searched"
    elif field in known:
        message = f"field {field!r} of index {index} holds no text that can be searched by words"
    else:
        message = f"index {index} has no field {field!r} of text"
    named = f"Fields with text: {', '.join(others[:_NAMED])}. " if others else ""
    choose = "Name one: --text-field NAME" if others else "Choose another index: --index NAME"
    return IndexMismatchError(message, named + choose)


def _flat(properties: Json, prefix: str = "") -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each mapped field with the one to query for it, preferably an exact subfield, and the type of that."""
    for name, spec in properties.items():
        path = prefix + name
        if "properties" in spec:
            yield from _flat(spec["properties"], path + ".")
            continue
        kinds = {path: spec.get("type", "object")}
        kinds |= {f"{path}.{part}": field["type"] for part, field in spec.get("fields", {}).items()}
        target = next((target for target, kind in kinds.items() if kind in _EXACT), path)
        yield path, (target, kinds[target])


def _taken(source: Json, path: str) -> Any:
    """Remove and return the value at a dotted path of a document; its keys may contain dots."""
    if path in source:
        return source.pop(path)
    name, _, rest = path.partition(".")
    value = source.get(name)
    if not rest or not isinstance(value, dict):
        return [_taken(dict(item), rest) for item in value if isinstance(item, dict)] if rest and value else None
    source[name] = kept = dict(value)
    value = _taken(kept, rest)
    if not kept:
        del source[name]
    return value


def _plain(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return "\n".join(str(item) for item in values if item is not None)


def _first_words(query: str) -> str:
    """Truncate a query to MAX_QUERY_WORDS words."""
    last = next(islice(_WORD.finditer(query), MAX_QUERY_WORDS - 1, None), None)
    return query[: last.end()] if last else query
