"""Copies of an index in another store: the same documents, passages, vectors and order; gone on with after a fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragcli.errors import IndexMismatchError, UsageError
from ragcli.migration import copy_index
from ragcli.store import LOCAL, IndexConfig, IndexLocation, QueryClause, open_store
from tests.support import Run
from tests.test_store_contract import document, new_place
from tests.test_store_vectors import CONFIG, direction, keys_of, put

TEXTS = [document(f"d{n}", f"Owl {n} sleeps. " * (1 + 60 * (n % 3)), f"Title {n}", year=n) for n in range(40)]
BOTH = [(LOCAL, "elasticsearch"), ("elasticsearch", LOCAL), (LOCAL, LOCAL)]


@pytest.fixture(params=BOTH, ids=lambda pair: "-".join(pair))
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[IndexLocation, IndexLocation]]:
    """Yield the place of an index with vectors, and of its copy."""
    source, target = (
        new_place(engine, request, tmp_path / name) for engine, name in zip(request.param, "ab", strict=True)
    )
    with open_store(source, CONFIG) as store:
        put(store, *TEXTS)
    yield source, target._replace(name=f"{target.name}-copy")


def found(location: IndexLocation) -> list[object]:
    """Return what an index says of its documents, by words, by meaning, and as they are."""
    with open_store(location) as store:
        by_words = [(hit.id, hit.start, hit.text) for hit in store.search([QueryClause("owl 7")], 10)]
        nearest = [(hit.id, hit.start) for hit in store.nearest(direction(keys_of(TEXTS[7])[0]), 10)]
        documents = [(one.id, store.passages(one.id)) for one in TEXTS]
        return [sorted(store.stored()), by_words, nearest, documents, store.fields(), store.counts(), store.config]


def test_a_copy_is_the_same_index(places: tuple[IndexLocation, IndexLocation]) -> None:
    source, target = places
    first = copy_index(source, target)
    assert (first.read, first.added, first.documents) == (40, 40, 40)
    assert found(target) == found(source)
    again = copy_index(source, target)
    assert (again.read, again.unchanged, again.added, again.updated) == (40, 40, 0, 0)


def test_a_copy_that_was_broken_off_is_gone_on_with(places: tuple[IndexLocation, IndexLocation]) -> None:
    source, target = places
    with open_store(target, CONFIG) as store:
        put(store, *TEXTS[:10], TEXTS[11]._replace(text="An older text."))
    summary = copy_index(source, target)
    assert (summary.read, summary.added, summary.updated, summary.unchanged) == (40, 29, 1, 10)
    assert found(target) == found(source)


def test_what_cannot_be_copied_is_refused(tmp_path: Path) -> None:
    source = IndexLocation(LOCAL, "one", tmp_path)
    with open_store(source, IndexConfig("en", 300)) as store:
        store.write([])
    with pytest.raises(UsageError, match="onto itself"):
        copy_index(source, source)
    with open_store(source._replace(name="two"), IndexConfig("de", 300)) as store:
        store.write([])
    with pytest.raises(IndexMismatchError, match="built in another way"):
        copy_index(source, source._replace(name="two"))


def test_names_of_the_input_that_are_not_copied_are_told(ragcli: Run, corpus: Path) -> None:
    corpus.write_text(corpus.read_text().replace('"title"', '"name"'))
    ragcli("index", corpus, "--title-field", "name", "--rebuild")
    result = ragcli("copy", "--to", "local", "--to-index", "two", "--format", "json")
    assert (result.code, result.summary()["added"]) == (0, 3)
    assert "no document of the copy has name" in result.err
    assert len(ragcli("search", "owl", "--index", "two").objects()) == 1
