"""Filters: what --where may say, and that terms sort as values do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragcli.errors import UsageError
from ragcli.filters import Filter, is_known, metadata_terms, parse_filter, ranges


def passes(expression: str, metadata: dict[str, Any], title: str = "") -> bool:
    """Answer a filter from a document's terms, as an engine would."""
    condition = parse_filter(expression)
    found = any(wanted.holds(term) for wanted in ranges(condition) for term in metadata_terms(title, metadata))
    return found != (condition.operator == "!=")


@pytest.mark.parametrize(
    ("expression", "parsed"),
    [
        ("year=2010", Filter("year", "=", "2010")),
        ("year >= 2010", Filter("year", ">=", "2010")),
        ("date<2020-01-01", Filter("date", "<", "2020-01-01")),
        ("genre!=drama", Filter("genre", "!=", "drama")),
        ("formula=a=b>c", Filter("formula", "=", "a=b>c")),
        ("author.name=Ana", Filter("author.name", "=", "Ana")),
        ("empty=", Filter("empty", "=", "")),
        ("name=ends in a blank ", Filter("name", "=", "ends in a blank ")),
        ("name= begins with one", Filter("name", "=", " begins with one")),
    ],
)
def test_an_expression_is_field_operator_value(expression: str, parsed: Filter) -> None:
    assert parse_filter(expression) == parsed


@pytest.mark.parametrize("expression", ["", "year", "=2010", ">=3", "!x=1"])
def test_what_is_no_expression_is_a_usage_error(expression: str) -> None:
    with pytest.raises(UsageError, match="not a filter"):
        parse_filter(expression)


@pytest.mark.parametrize(
    ("expression", "metadata", "result"),
    [
        ("year=2010", {"year": 2010}, True),
        ("year=2010.0", {"year": 2010}, True),
        ("year=2010", {"year": "2010"}, True),
        ("year>=2010", {"year": "2010"}, True),
        ("year>2010", {"year": 2010}, False),
        ("year<=2010", {"year": 2010}, True),
        ("year<2010", {"year": 2009.5}, True),
        ("year>=-1", {"year": -2}, False),
        ("year!=2010", {"year": 2011}, True),
        ("year!=2010", {}, True),
        ("genre=Drama", {"genre": "drama"}, True),
        ("genre=ＤＲＡＭＡ", {"genre": "drama"}, True),
        ("genre=drama", {"genre": ["Crime", "Drama"]}, True),
        ("genre=dram", {"genre": "drama"}, False),
        ("date>=2020-05", {"date": "2020-05-01"}, True),
        ("date<2020-05", {"date": "2020-05-01"}, False),
        ("good=true", {"good": True}, True),
        ("good=true", {"good": False}, False),
        ("author.name=ana", {"author": {"name": "Ana"}}, True),
        ("a.b.c=1", {"a": [{"b": {"c": 1}}]}, True),
        ("a=1", {"ab": 1}, False),
        ("x=", {"x": ""}, True),
        ("x=nan", {"x": "nan"}, True),
        ("x>=1", {"x": None}, False),
        ("x>=1", {"x": "n/a"}, False),
        ("x>=1", {"x": "1.2.3"}, True),
        ("x=1", {"x": "01"}, False),
        ("x=١", {"x": 1}, False),
        ("x=1e400", {"x": float("inf")}, False),
        ("x<1e400", {"x": 10**300}, True),
        ("x=12345678901234567890123", {"x": float("12345678901234567890123")}, True),
        ("x=12345678901234567890123", {"x": 12345678901234567890123}, True),
        ("x=12345678901234567890124", {"x": 12345678901234567890123}, False),
        ("x=0.1000000000000000055", {"x": 0.1}, True),
        ("date>=2024", {"date": "2024-03-05"}, True),
        ("date<2024", {"date": "2024-03-05"}, False),
        ("date<=2024", {"date": "2024-12-31T23:59:59.999999999Z"}, True),
        ("date>2024", {"date": "2024-12-31T23:59:59.999999999Z"}, False),
        ("date>2024", {"date": "2024-12-31T23:59:59-01:00"}, True),
        ("date=2024-03-05 10:00", {"date": "2024-03-05T10:00:00Z"}, True),
        ("date<=9999", {"date": "9999-12-31"}, True),
        ("date>9999", {"date": "9999-12-31"}, False),
        ("date>=2024-02-30", {"date": "2024-03-05"}, True),
        ("text=" + "long" * 100, {"text": "long" * 100}, True),
        ("text=" + "long" * 100, {"text": "long" * 100 + "er"}, False),
    ],
)
def test_a_filter_compares_as_people_do(expression: str, metadata: dict[str, Any], result: bool) -> None:
    assert passes(expression, metadata) is result


def test_the_title_is_a_field() -> None:
    assert passes("title=inception", {}, title="Inception")


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = FLOATS | st.integers() | st.integers(2**53 - 2, 2**53 + 2) | st.sampled_from([0, -0.0, 0.5, 1e22, 5e-324])


@given(NUMBERS, NUMBERS)
def test_numbers_compare_as_numbers(value: float, bound: float) -> None:
    assert passes(f"x>={bound!r}", {"x": value}) is (value >= bound)
    assert passes(f"x<{bound!r}", {"x": value}) is (value < bound)
    assert passes(f"x={bound!r}", {"x": value}) is (value == bound)


def test_a_path_into_an_object_is_known_by_the_object() -> None:
    assert is_known("author.name", {"author"})
    assert is_known("id", set())
    assert not is_known("yaer", {"year"})
