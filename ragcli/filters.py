"""Metadata filters: FIELD=VALUE and its like, and the index terms that both stores answer them with.

Each metadata value becomes a term `field 0x1F kind value` of one keyword field, so that equality is a term query and
order a range query, on any engine and for any field: `=` for text (case folded), `#` for a number as digits that
sort as the numbers do.
"""

import hashlib
import re
import struct
import unicodedata
from collections.abc import Container
from math import isnan
from typing import Any, NamedTuple

from ragcli.errors import UsageError

_SEPARATOR = "\x1f"
_LAST = "\U0010ffff"
_MAX_VALUE = 256
_INVERTED = bytes(range(255, -1, -1))
_NUMBER_STARTS = frozenset("0123456789+-. ")
_EXPRESSION = re.compile(r"\s*([^\s=<>!][^=<>!]*?)\s*(>=|<=|!=|=|>|<)\s*(.*)", re.DOTALL)


class Filter(NamedTuple):
    """Hold one condition on a metadata field."""

    field: str
    operator: str
    value: str


class TermRange(NamedTuple):
    """Hold the terms of one field and kind from `low` to `high`, with or without these two."""

    low: str
    high: str
    include_low: bool = True
    include_high: bool = True

    @property
    def prefix(self) -> str:
        """Return what all terms of the field and kind begin with."""
        return self.low[: self.low.index(_SEPARATOR) + 2]

    def holds(self, term: str) -> bool:
        """Tell whether a term lies in the range."""
        above = self.low <= term if self.include_low else self.low < term
        return above and (term <= self.high if self.include_high else term < self.high)


def parse_filter(expression: str) -> Filter:
    """Read FIELD=VALUE, or the same with != >= <= > <. Raises UsageError."""
    match = _EXPRESSION.fullmatch(expression)
    if not match:
        raise UsageError(
            f"not a filter: {expression!r}", "Write FIELD=VALUE or FIELD>=VALUE, such as --where year>=2010."
        )
    return Filter(match[1], match[2], match[3].strip())


def metadata_terms(title: str, metadata: dict[str, Any]) -> list[str]:
    """Return the terms of a document's title and metadata; lists count by element, objects by dotted path."""
    terms = [f"title{_SEPARATOR}={fold(title)}"] if title else []
    for field, value in metadata.items():
        _add_terms(terms, field[:_MAX_VALUE], value)
    return terms


def _add_terms(terms: list[str], field: str, value: Any) -> None:
    if isinstance(value, str):
        terms.append(f"{field}{_SEPARATOR}={fold(value)}")
        if value[:1] in _NUMBER_STARTS and (term := _number_term(field, value)):
            terms.append(term)
    elif isinstance(value, bool):
        terms.append(f"{field}{_SEPARATOR}={str(value).lower()}")
    elif isinstance(value, (int, float)):
        if term := _number_term(field, value):
            terms.append(term)
    elif isinstance(value, list):
        for item in value:
            _add_terms(terms, field, item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _add_terms(terms, f"{field}.{name}"[:_MAX_VALUE], item)


def is_known(field: str, known: Container[str]) -> bool:
    """Tell whether a filter's field, or the object that it is a dotted path into, is among the known field names."""
    return field in known or field in ("id", "title") or field.partition(".")[0] in known


def field_prefix(field: str) -> str:
    """Return what the terms of a field's text values begin with."""
    return f"{field[:_MAX_VALUE]}{_SEPARATOR}="


def fold(value: str) -> str:
    """Fold case and width, so that values compare as people read them; a long value ends in a hash."""
    folded = value.lower() if value.isascii() else unicodedata.normalize("NFKC", value).casefold()
    if len(folded) <= _MAX_VALUE:
        return folded
    return folded[:_MAX_VALUE] + hashlib.blake2b(folded.encode(), digest_size=8).hexdigest()


def _number_term(field: str, value: str | float) -> str | None:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if isnan(number):
        return None
    # IEEE 754 doubles sort by their bytes, negative ones once inverted; the sign goes first.
    digits = struct.pack(">d", number + 0.0)
    ordered = "1" + digits.hex() if number >= 0 else "0" + digits.translate(_INVERTED).hex()
    return f"{field}{_SEPARATOR}#{ordered}"


def ranges(condition: Filter) -> list[TermRange]:
    """Return the term ranges any of which satisfies the condition (`!=`: none of which may)."""
    number = _number_term(condition.field[:_MAX_VALUE], condition.value)
    text = field_prefix(condition.field) + fold(condition.value)
    if condition.operator in ("=", "!="):
        return [TermRange(term, term) for term in (text, number) if term]
    term = number or text
    start = term[: term.index(_SEPARATOR) + 2]
    if condition.operator.startswith(">"):
        return [TermRange(term, start + _LAST, include_low=condition.operator == ">=")]
    return [TermRange(start, term, include_high=condition.operator == "<=")]
