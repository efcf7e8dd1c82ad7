"""Metadata filters such as FIELD=VALUE, and the index terms with which both stores evaluate them.

Each metadata value becomes terms `field 0x1F kind value` of one keyword field, so that equality is a term query and
order a range query, on any engine and for any field. The kind is the type of the value in the document: `=` for text
(case folded), `:` for text that is a date, with `@` for its point in time, `#` for a number. The last two are written
so that they sort like their values (see ragcli.ordering).
"""

import hashlib
import re
import unicodedata
from collections.abc import Container, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from ragcli.errors import UsageError
from ragcli.ordering import date_key, date_span, is_moment, number_key, number_keys

_SEPARATOR = "\x1f"
_TEXT, _DATE_TEXT, _DATE, _NUMBER = "=:@#"
_LAST = "\U0010ffff"
_MAX_VALUE = 256
_NUMBER_LIKE = ("+", ":")  # texts that begin like a number (sign, point, digit) sort between these two
_EXPRESSION = re.compile(r"\s*([^\s=<>!][^=<>!]*?)(\s*)(>=|<=|!=|=|>|<)(.*)", re.DOTALL)
TEXT_KINDS = _TEXT + _DATE_TEXT
NO_ALIASES: Mapping[str, str] = MappingProxyType({})


class Filter(NamedTuple):
    """Hold one condition on a metadata field."""

    field: str
    operator: str
    value: str


class TermRange(NamedTuple):
    """Hold a range of terms of one field and kind."""

    low: str
    high: str
    include_low: bool = True
    include_high: bool = True

    @property
    def prefix(self) -> str:
        """Return the common prefix of all terms of the field and kind."""
        return self.low[: self.low.index(_SEPARATOR) + 2]

    def holds(self, term: str) -> bool:
        """Return whether a term lies in the range."""
        above = self.low <= term if self.include_low else self.low < term
        return above and (term <= self.high if self.include_high else term < self.high)


def parse_filter(expression: str) -> Filter:
    """Read FIELD=VALUE, or the same with != >= <= > <. Raises UsageError.

    The value includes blanks, except that with blanks before the operator (`year >= 2010`) those after it are skipped
    too.
    """
    match = _EXPRESSION.fullmatch(expression)
    if not match:
        raise UsageError(
            f"not a filter: {expression!r}", "Write FIELD=VALUE or FIELD>=VALUE, such as --where year>=2010."
        )
    return Filter(match[1], match[3], match[4].lstrip() if match[2] else match[4])


def metadata_terms(title: str, metadata: Mapping[str, Any], aliases: Mapping[str, str] = NO_ALIASES) -> list[str]:
    """Return the terms of a document's title and metadata; lists by element, objects by dotted path.

    `aliases` are other names of the title and the id, with their values.
    """
    terms = [f"title{_SEPARATOR}{_TEXT}{fold(title)}"] if title else []
    for field, value in chain(aliases.items(), metadata.items()):
        _add_terms(terms, field[:_MAX_VALUE], value)
    return terms


def _add_terms(terms: list[str], field: str, value: Any) -> None:
    if isinstance(value, str):
        date = date_key(value)
        terms.append(f"{field}{_SEPARATOR}{_DATE_TEXT if date else _TEXT}{fold(value)}")
        if date:
            terms.append(f"{field}{_SEPARATOR}{_DATE}{date}")
    elif isinstance(value, bool):
        terms.append(f"{field}{_SEPARATOR}{_TEXT}{str(value).lower()}")
    elif isinstance(value, (int, float)):
        if number := number_key(value):
            terms.append(f"{field}{_SEPARATOR}{_NUMBER}{number}")
    elif isinstance(value, list):
        for item in value:
            _add_terms(terms, field, item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _add_terms(terms, f"{field}.{name}"[:_MAX_VALUE], item)


def is_known(field: str, known: Container[str]) -> bool:
    """Return whether a filter's field, or the object that its dotted path begins with, is known."""
    return field in known or field in ("id", "title") or field.partition(".")[0] in known


def field_prefixes(field: str) -> list[str]:
    """Return the prefixes of the terms of a field's text values."""
    return [f"{field[:_MAX_VALUE]}{_SEPARATOR}{kind}" for kind in TEXT_KINDS]


def fold(value: str) -> str:
    """Fold case and width, so that values compare as people read them; a long value is cut and ends in a hash."""
    folded = value.lower() if value.isascii() else unicodedata.normalize("NFKC", value).casefold()
    if len(folded) <= _MAX_VALUE:
        return folded
    return folded[:_MAX_VALUE] + hashlib.blake2b(folded.encode(), digest_size=8).hexdigest()


def ranges(condition: Filter) -> list[TermRange]:
    """Return the term ranges of which one must match (for `!=`: none may).

    A value of the document compares by its own type. A text equals the same text, a number the same number, a date-time
    also another spelling of the same moment. For order, numbers compare with numbers and dates with dates. Texts
    compare with any value as texts, but with a number or date only if they begin like one; texts that are dates compare
    only with values that are not.
    """
    field, operator, value = condition
    start = field[:_MAX_VALUE] + _SEPARATOR
    numbers, date = number_keys(value), date_key(value)
    if operator in ("=", "!="):
        wanted = [f"{kind}{fold(value)}" for kind in TEXT_KINDS] + [f"{_NUMBER}{number}" for number in numbers]
        wanted += [f"{_DATE}{date}"] if date and is_moment(date) else []
        return [TermRange(start + term, start + term) for term in wanted]
    found = [_order(start + _NUMBER, operator, numbers[0], numbers[0])] if numbers else []
    if date:
        found.append(_order(start + _DATE, operator, *date_span(date)))
    numeric = bool(numbers or date)
    kinds = _TEXT if date else TEXT_KINDS
    return found + [_text_order(start + kind, operator, fold(value), numeric) for kind in kinds]


def _order(start: str, operator: str, first: str, last: str) -> TermRange:
    """Return the range of an order whose bound spans `first` to `last`: a number, or a span of time."""
    if operator == ">":
        return TermRange(start + last, start + _LAST, include_low=False)
    if operator == ">=":
        return TermRange(start + first, start + _LAST)
    if operator == "<":
        return TermRange(start, start + first, include_high=False)
    return TermRange(start, start + last)


def _text_order(start: str, operator: str, value: str, numeric: bool) -> TermRange:
    low, high = (start + bound for bound in _NUMBER_LIKE) if numeric else (start, start + _LAST)
    if operator.startswith(">"):
        return TermRange(max(low, start + value), high, include_low=operator == ">=", include_high=False)
    return TermRange(low, start + value, include_high=operator == "<=")


def in_order(text: str, condition: Filter) -> bool:
    """Return whether a text satisfies a condition of order (not equality), character by character."""
    bound = condition.value
    if condition.operator.startswith(">"):
        return text > bound or (condition.operator == ">=" and text == bound)
    return text < bound or (condition.operator == "<=" and text == bound)


def passes(condition: Filter, doc_id: str, title: str, metadata: dict[str, Any]) -> bool:
    """Return whether a document outside any store satisfies a condition."""
    terms = metadata_terms(title, {"id": doc_id, **metadata})
    found = any(wanted.holds(term) for wanted in ranges(condition) for term in terms)
    return found != (condition.operator == "!=")
