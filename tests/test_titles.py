"""From what people call a film to the title in the index."""

from collections.abc import Sequence

import pytest

from ragcli.errors import NothingFoundError
from ragcli.filters import Filter, fold
from ragcli.store import Hit, QueryClause
from ragcli.titles import find_title

TITLES = [
    "Inception (2010)",
    "The Matrix (1999)",
    "Titanic (1953)",
    "Titanic (1997)",
    "Amélie (2001)",
    "流浪地球",
    "Alien",
    "珀尔 Pearl",
    "Mad Max: Fury Road (2015)",
    "Star Wars: Episode IV (1977)",
    "Star Wars: Episode V (1980)",
    "Rocky II (1979)",
    "Rocky III (1982)",
    "2001: A Space Odyssey (1968)",
    "X-Men (2000)",
    "The Dark Knight Rises (2012)",
    "Ocean's Eleven (2001)",
    "Toy Story 3 (2010)",
    "流浪地球2",
]


class Films:
    """Answer as a store does that holds these titles."""

    def values(self, field: str, prefix: str, limit: int) -> list[str]:
        assert field == "title"
        return sorted(fold(title) for title in TITLES if fold(title).startswith(fold(prefix)))[:limit]

    def search(self, words: Sequence[QueryClause], k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
        asked = {word for one in words for word in fold(one.text).split()}
        return [Hit(1, t, t, "", 1.0, 0, 0, {}) for t in TITLES if asked & set(fold(t).split())][:k]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("Inception (2010)", "inception (2010)"),
        ("Inception", "inception (2010)"),
        ("  inception ", "inception (2010)"),
        ("INCEPTION", "inception (2010)"),
        ("Incepton", "inception (2010)"),
        ("Matrix", "the matrix (1999)"),
        ("the matrix", "the matrix (1999)"),
        ("Titanic", "titanic (1997)"),
        ("Titanic (1953)", "titanic (1953)"),
        ("Amelie", "amélie (2001)"),
        ("流浪地球", "流浪地球"),
        ("alien", "alien"),
        ("珀尔", "珀尔 pearl"),
        ("Mad Max", "mad max: fury road (2015)"),
        ("Fury Road", "mad max: fury road (2015)"),
        ("x men", "x-men (2000)"),
        ("Xmen", "x-men (2000)"),
        ("Rocky 2", "rocky ii (1979)"),
        ("rocky iii", "rocky iii (1982)"),
        ("Rockey III", "rocky iii (1982)"),
        ("oceans 11", "ocean's eleven (2001)"),
        ("Star Wars Episode IV", "star wars: episode iv (1977)"),
        ("Inception 2010", "inception (2010)"),
        ("Inception (2011)", "inception (2010)"),
        ("A Space Odyssey", "2001: a space odyssey (1968)"),
        ("流浪地球2", "流浪地球2"),
    ],
)
def test_the_exact_title_comes_first_then_the_nearest(asked: str, found: str) -> None:
    assert find_title(Films(), asked) == found  # type: ignore[arg-type]


def test_a_title_too_far_away_is_suggested_not_taken() -> None:
    with pytest.raises(NothingFoundError) as caught:
        find_title(Films(), "Inside Conception")  # type: ignore[arg-type]
    assert "Inside Conception" in caught.value.message
    assert "inception (2010)" in caught.value.hint


@pytest.mark.parametrize(
    "asked",
    [
        "Rocky IV",
        "Rocky",
        "2010",
        "Oceans Twelve",
        "Star Wars Episode VI",
        "Toy Story",
        "Toy Story 2",
        "流浪地球3",
        "Aliens",
        "The Dark Knight",
        "Titanic (1943)",
        "!",
    ],
)
def test_another_film_is_never_taken_for_the_one_asked_for(asked: str) -> None:
    with pytest.raises(NothingFoundError):
        find_title(Films(), asked)  # type: ignore[arg-type]


def test_what_several_titles_begin_with_is_asked_back() -> None:
    with pytest.raises(NothingFoundError) as caught:
        find_title(Films(), "Star Wars")  # type: ignore[arg-type]
    assert caught.value.hint == "Did you mean star wars: episode iv (1977) or star wars: episode v (1980)?"


def test_with_nothing_near_the_hint_says_what_to_index() -> None:
    with pytest.raises(NothingFoundError) as caught:
        find_title(Films(), "Zzyzx Road Movie")  # type: ignore[arg-type]
    assert "Did you mean" not in caught.value.hint
