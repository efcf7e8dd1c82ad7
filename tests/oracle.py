"""Rank and filter by brute force, slowly and plainly, for the stores to agree with."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import log
from typing import Any, NamedTuple

from ragcli.analysis.analyzer import analyzer
from ragcli.chunking import split_passages
from ragcli.documents import Document
from ragcli.filters import Filter
from ragcli.store import QueryClause

K1, B = 1.2, 0.75


class Entry(NamedTuple):
    """Hold a passage with its document and the words it is found by."""

    document: Document
    start: int
    words: Counter[str]


class Found(NamedTuple):
    """Hold the place and score of a passage."""

    score: float
    id: str
    start: int


def found_by(text: str, language: str) -> list[str]:
    """Return the terms that a text is found by."""
    return analyzer(language).indexed(text).terms.split()


class Oracle:
    """Know the right answers over a few documents."""

    def __init__(self, documents: Sequence[Document], passage_size: int, language: str = "en") -> None:
        self.language = language
        self.entries = [
            Entry(
                document,
                passage.start,
                Counter(found_by(f"{document.title}\n{passage.text}", language)),
            )
            for document in documents
            for passage in split_passages(document.text, passage_size)
        ]
        self.frequency = Counter(word for entry in self.entries for word in entry.words)
        self.mean_length = sum(entry.words.total() for entry in self.entries) / len(self.entries)

    def search(self, query: Sequence[QueryClause], filters: Sequence[Filter] = ()) -> list[Found]:
        """Return all passages that match, best first, ties by id and start; without a query, all that pass."""
        asked = [(analyzer(self.language).query(group.text, 1_000), group) for group in query]
        passing = (entry for entry in self.entries if all(satisfies(entry.document, f) for f in filters))
        scored = (
            Found(
                sum(group.weight * self.score(terms, entry) for terms, group in asked), entry.document.id, entry.start
            )
            for entry in passing
            if not query or any(entry.words[word] for terms, group in asked if group.required for word in terms)
        )
        return sorted(scored, key=lambda f: (-f.score, f.id, f.start))

    def score(self, asked: Mapping[str, float], entry: Entry) -> float:
        """Return BM25: Lucene's idf, times (k1 + 1) as both engines have it."""
        length = K1 * (1 - B + B * entry.words.total() / self.mean_length)
        return sum(
            weight
            * log(1 + (len(self.entries) - self.frequency[word] + 0.5) / (self.frequency[word] + 0.5))
            * (K1 + 1)
            * entry.words[word]
            / (entry.words[word] + length)
            for word, weight in asked.items()
        )


def satisfies(document: Document, condition: Filter) -> bool:
    """Tell whether a document satisfies a condition, by comparing Python values."""
    field, operator, wanted = condition
    if operator == "!=":
        return not satisfies(document, Filter(field, "=", wanted))
    if field == "id":
        return document.id == wanted if operator == "=" else _in_order(document.id, operator, wanted)
    values = list(_values(field, {"title": document.title or None, **document.metadata}))
    if operator == "=":
        return any(_equal(value, wanted) for value in values)
    return any(_ordered(value, operator, wanted, is_title=field == "title") for value in values)


def _values(field: str, value: Any, path: str = "") -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _values(field, item, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _values(field, item, f"{path}.{name}" if path else name)
    elif path == field and value is not None:
        yield value


def _folded(value: Any) -> str | None:
    return unicodedata.normalize("NFKC", str(value)).casefold() if isinstance(value, (str, bool)) else None


def _equal(value: Any, wanted: str) -> bool:
    if isinstance(value, (str, bool)):
        moments = [_span(text) for text in (value, wanted) if isinstance(text, str) and len(text) > 10]
        same = len(moments) == 2 and moments[0] is not None and moments[0] == moments[1]
        return same or _folded(value) == _folded(wanted)
    return _number(wanted) is not None and Fraction(value) == _number(wanted)


def _ordered(value: Any, operator: str, wanted: str, is_title: bool) -> bool:
    number, span = _number(wanted), _span(wanted)
    if not isinstance(value, (str, bool)):
        return number is not None and _in_order(Fraction(value), operator, number)
    own = None if is_title or isinstance(value, bool) else _span(value)
    if own and span:
        (first, after), moment = span, own[0]
        until = moment <= first if first == after else moment < after
        return {">=": moment >= first, "<": moment < first, "<=": until, ">": not until}[operator]
    text = _folded(value) or ""
    like_a_number = number is not None or span is not None
    return (not like_a_number or "+" <= text < ":") and _in_order(text, operator, _folded(wanted))


def _number(text: str) -> Fraction | None:
    """Read a number as JSON has it: a whole one exactly, a fraction as a double."""
    if not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text, re.ASCII):
        return None
    exact = Fraction(text.strip())
    return exact if exact.denominator == 1 else Fraction(float(text))


def _span(text: str) -> tuple[datetime, datetime] | None:
    """Read a date as its first moment and the first after it; of a date-time both are the same."""
    try:
        if re.fullmatch(r"\d{4}(-\d\d){0,1}", text, re.ASCII):
            first = datetime.fromisoformat(f"{text}-01-01"[:10]).replace(tzinfo=UTC)
            year, month = (first.year + 1, 1) if len(text) == 4 else divmod(first.year * 12 + first.month, 12)
            return first, datetime(year, month if len(text) == 4 else month + 1, 1, tzinfo=UTC)
        if not re.fullmatch(r"\d{4}-\d\d-\d\d.*", text, re.ASCII):
            return None
        first = datetime.fromisoformat(text)
    except ValueError:
        return None
    first = first if first.tzinfo else first.replace(tzinfo=UTC)
    return first, first + timedelta(days=1) if len(text) == 10 else first


def _in_order(value: Any, operator: str, bound: Any) -> bool:
    return bool({">": value > bound, ">=": value >= bound, "<": value < bound, "<=": value <= bound}[operator])
