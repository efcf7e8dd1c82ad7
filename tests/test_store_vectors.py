"""What both stores promise of vectors: the same answers to the same calls, held against brute force."""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ragcli.chunking import split_passages
from ragcli.documents import Document, content_hash
from ragcli.errors import IndexMismatchError, RagcliError
from ragcli.filters import Filter
from ragcli.store import (
    Counts,
    DocumentUpdate,
    EncoderConfig,
    IndexConfig,
    IndexLocation,
    QueryClause,
    Store,
    Stored,
    drop_index,
    open_store,
    vector_key,
)
from tests.oracle import satisfies
from tests.test_store_contract import ENGINES, SIZE, document, ids, new_place, remove, sentences

Vector = NDArray[np.float32]

DIMENSION = 16
CONFIG = IndexConfig("en", SIZE, EncoderConfig("a model", "0", DIMENSION, "mean", "query: ", "passage: "))


@pytest.fixture(params=ENGINES)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IndexLocation]:
    """Yield where an index may be made, in each engine."""
    location = new_place(request.param, request, tmp_path)
    yield location
    drop_index(location)


@pytest.fixture
def store(location: IndexLocation) -> Iterator[Store]:
    """Yield an empty index that takes vectors."""
    with open_store(location, CONFIG) as store:
        yield store


def direction(key: int) -> Vector:
    """Return a vector of length 1, always the same for a key."""
    vector = np.random.default_rng(key).normal(size=DIMENSION)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def encoded(new: Document, old: Stored | None = None) -> DocumentUpdate:
    """Make the change that brings a document in, in place of `old`; what vector a passage has, its text says."""
    passages = split_passages(new.text, SIZE)
    vectors = np.stack([direction(vector_key(new.title, text)) for _, text in passages])
    return DocumentUpdate(new.id, old, new, content_hash(new.title, new.text, new.metadata), passages, vectors)


def put(store: Store, *documents: Document) -> None:
    """Bring documents in, in place of what is stored under their ids."""
    known = {old.doc_id: old for old in store.stored([document.id for document in documents])}
    store.write(encoded(document, known.get(document.id)) for document in documents)


def keys_of(*documents: Document) -> list[int]:
    """Return the keys of all passages of documents."""
    return [vector_key(d.title, text) for d in documents for _, text in split_passages(d.text, SIZE)]


def found(store: Store, vector: Vector, k: int, filters: Sequence[Filter] = ()) -> list[tuple[str, int]]:
    """Return id and start of the passages nearest to a vector."""
    return [(hit.id, hit.start) for hit in store.nearest(vector, k, filters)]


def brute_force(
    documents: Sequence[Document], vector: Vector, filters: Sequence[Filter] = ()
) -> list[tuple[float, str, int]]:
    """Return cosine, id and start of all passages that pass, best first, ties by id and start."""
    all_found = [
        (float(direction(vector_key(d.title, text)).astype(np.float64) @ vector), d.id, start)
        for d in documents
        if all(satisfies(d, condition) for condition in filters)
        for start, text in split_passages(d.text, SIZE)
    ]
    return sorted(all_found, key=lambda one: (-one[0], one[1], one[2]))


def places(best: Sequence[tuple[float, str, int]]) -> list[tuple[str, int]]:
    """Leave the cosines out."""
    return [(doc_id, start) for _, doc_id, start in best]


def animals(count: int = 40) -> list[Document]:
    """Make documents of one to three passages."""
    return [
        document(f"d{i:02}", sentences(f"animals{i}", 1 + i % 3), f"Title {i % 7}", kind="odd" if i % 2 else "even")
        for i in range(count)
    ]


# Nearest


def test_the_nearest_are_those_of_brute_force(store: Store) -> None:
    documents = animals()
    put(store, *documents)
    for number in range(10):
        vector = direction(number)
        best = brute_force(documents, vector)
        hits = store.nearest(vector, 10)
        assert [(hit.id, hit.start) for hit in hits] == places(best)[:10]
        assert [hit.score for hit in hits] == pytest.approx([cosine for cosine, _, _ in best[:10]], abs=1e-5)
        assert [hit.rank for hit in hits] == list(range(1, 11))


def test_a_hit_holds_the_passage(store: Store) -> None:
    text = sentences("owls", 3)
    put(store, document("a", text, "Birds", year=2010))
    hits = store.nearest(direction(keys_of(document("a", text, "Birds"))[1]), 1)
    assert [text[hit.start : hit.end] for hit in hits] == [hits[0].text] == [split_passages(text, SIZE)[1].text]
    assert (hits[0].id, hits[0].title, hits[0].metadata) == ("a", "Birds", {"year": 2010})
    assert hits[0].score == pytest.approx(1, abs=1e-5)


def test_the_score_is_the_cosine_below_zero_too(store: Store) -> None:
    put(store, document("a"))
    [hit] = store.nearest(-direction(keys_of(document("a"))[0]), 1)
    assert hit.score == pytest.approx(-1, abs=1e-5)


@pytest.mark.parametrize("candidates", [1, 10, 100_000])
def test_few_or_many_candidates_give_k_hits(store: Store, candidates: int) -> None:
    put(store, *animals())
    assert len(store.nearest(direction(0), 5, candidates=candidates)) == 5


def test_filters_hold_before_ranking(store: Store) -> None:
    documents = [document(f"d{i:03}", f"Text {i}.", far=i) for i in range(300)]
    put(store, *documents)
    last = [doc_id for _, doc_id, _ in brute_force(documents, direction(1))[-1:]]
    assert found(store, direction(1), 5, [Filter("id", "=", last[0])]) == [(last[0], 0)]
    for conditions in ([Filter("far", ">=", "290")], [Filter("far", "!=", "7"), Filter("far", "<", "20")]):
        right = places(brute_force(documents, direction(1), conditions))
        assert found(store, direction(1), 5, conditions) == right[:5]
        assert found(store, direction(1), 100, conditions) == right
    assert found(store, direction(1), 5, [Filter("far", ">", "300")]) == []
    with pytest.raises(RagcliError, match="'near'"):
        store.nearest(direction(1), 5, [Filter("near", "=", "x")])


def test_updates_and_deletions_are_seen(store: Store) -> None:
    documents = animals(30)
    put(store, *documents)
    changed = [d._replace(text=sentences(f"others{d.id}", 2)) for d in documents[:10]]
    put(store, *changed)
    remove(store, *(d.id for d in documents[20:]))
    for number in range(5):
        right = brute_force(changed + documents[10:20], direction(number))
        assert found(store, direction(number), 100) == places(right)


def test_a_change_of_metadata_keeps_the_vector(store: Store) -> None:
    put(store, document("a", kind="old"), document("b", "Another."))
    put(store, document("a", kind="new"))
    [hit] = store.nearest(direction(keys_of(document("a"))[0]), 1)
    assert (hit.id, hit.metadata, round(hit.score, 4)) == ("a", {"kind": "new"}, 1)
    assert store.counts() == Counts(2, 2)


def test_equal_vectors_go_by_id_and_start(store: Store) -> None:
    same = "Just the same sentence, long enough to be a passage of its own, comes a second time. "
    documents = [document(name, same * 2) for name in ("b", "a10", "a9", "Z", "ä")]
    assert {len(split_passages(d.text, SIZE)) for d in documents} == {2}
    put(store, *documents, *animals(10))
    [key, again] = keys_of(documents[0])
    assert key == again
    right = sorted((d.id, start) for d in documents for start, _ in split_passages(d.text, SIZE))
    assert found(store, direction(key), 10) == right
    assert [found(store, direction(key), k) for k in range(1, 10)] == [right[:k] for k in range(1, 10)]
    remove(store, "Z")
    assert found(store, direction(key), 8) == right[2:]


def test_k_beyond_all_gives_all(store: Store) -> None:
    documents = animals(5)
    put(store, *documents)
    assert found(store, direction(3), 50_000) == places(brute_force(documents, direction(3)))


def test_an_empty_index_answers(store: Store) -> None:
    assert store.nearest(direction(0), 5) == []
    assert store.vectors([1, 2]) == store.vectors([]) == {}
    assert store.sample(5).shape == (0, DIMENSION)


def test_words_are_found_where_there_are_vectors(store: Store) -> None:
    put(store, document("a", "apples"), document("b", "pears"))
    assert ids(store.search([QueryClause("apples")], 10)) == ["a"]
    assert ids(store.search([], 10)) == ["a", "b"]


def test_the_facts_of_the_encoder_stay(location: IndexLocation) -> None:
    open_store(location, CONFIG).close()
    with open_store(location) as again:
        assert again.config == CONFIG
        put(again, document("a"))
        assert len(again.nearest(direction(0), 5)) == 1


# Vectors by key, and some of all


def test_vectors_are_known_by_their_passages(store: Store) -> None:
    documents = animals(10)
    put(store, *documents, document("again", documents[1].text, documents[1].title))
    keys = keys_of(*documents)
    known = store.vectors([*keys, 7, *keys[:2]])
    assert set(known) == set(keys)
    assert all(vector.dtype == np.float32 for vector in known.values())
    np.testing.assert_allclose([known[key] for key in keys], [direction(key) for key in keys], atol=1e-6)


def test_thousands_of_vectors_are_known_at_once(store: Store) -> None:
    documents = [document(f"{i}", f"Text {i}.") for i in range(1_100)]
    put(store, *documents)
    assert set(store.vectors(keys_of(*documents))) == set(keys_of(*documents))


def test_a_sample_is_of_vectors_from_all_over(store: Store) -> None:
    documents = [document(f"{i:03}", f"Text {i}.") for i in range(200)]
    put(store, *documents)
    sample = store.sample(50)
    assert sample.shape == (50, DIMENSION)
    assert sample.dtype == np.float32
    where = [int(np.argmax([direction(key) @ row for key in keys_of(*documents)])) for row in sample]
    assert len(set(where)) == 50
    assert all(sum(i // 50 == quarter for i in where) > 5 for quarter in range(4))
    assert np.array_equal(store.sample(50), sample)
    assert store.sample(1_000).shape == (200, DIMENSION)


# What is refused


def test_an_index_without_vectors_says_so(location: IndexLocation) -> None:
    with open_store(location, CONFIG._replace(encoder=None)) as store:
        store.write([encoded(document("a"))._replace(vectors=None)])
        assert store.vectors(keys_of(document("a"))) == {}
        for ask in (lambda: store.nearest(direction(0), 5), lambda: store.sample(5)):
            with pytest.raises(IndexMismatchError, match="no vectors") as error:
                ask()
            assert "--encoder" in error.value.hint


BAD: dict[str, tuple[Any, type[RagcliError], str]] = {
    "none": (None, IndexMismatchError, "not none"),
    "wide": (np.ones((1, DIMENSION + 1), np.float32), IndexMismatchError, f"1 × {DIMENSION}, not 1 × {DIMENSION + 1}"),
    "many": (np.stack([direction(1)] * 2), IndexMismatchError, f"1 × {DIMENSION}, not 2 × {DIMENSION}"),
    "nan": (np.full((1, DIMENSION), np.nan, np.float32), RagcliError, "NaN"),
    "endless": (np.full((1, DIMENSION), np.inf, np.float32), RagcliError, "NaN"),
    "zero": (np.zeros((1, DIMENSION), np.float32), RagcliError, "length 1"),
    "long": (2 * direction(1)[None], RagcliError, "length 1"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_vectors_of_passages_are_refused(store: Store, bad: str) -> None:
    vectors, kind, message = BAD[bad]
    with pytest.raises(kind, match=message) as error:
        store.write([encoded(document("a"))._replace(vectors=vectors)])
    assert "'a'" in error.value.message
    assert store.counts() == Counts(0, 0)


@pytest.mark.parametrize("bad", sorted(set(BAD) - {"none", "many"}))
def test_bad_vectors_of_queries_are_refused(store: Store, bad: str) -> None:
    vectors, kind, _ = BAD[bad]
    put(store, document("a"))
    with pytest.raises(kind, match="the query"):
        store.nearest(vectors[0], 5)


# Runs that were stopped


def test_the_vectors_of_a_stopped_run_are_known_to_the_next(location: IndexLocation) -> None:
    documents = [document(f"{i:04}", f"Text {i} {uuid.uuid5(uuid.NAMESPACE_OID, str(i))}.") for i in range(2_500)]

    def stopped() -> Iterator[DocumentUpdate]:
        yield from map(encoded, documents[:2_000])
        raise KeyboardInterrupt

    with open_store(location, CONFIG) as store, pytest.raises(KeyboardInterrupt):
        store.write(stopped())
    with open_store(location, CONFIG) as store:
        keys = keys_of(*documents)
        known = store.vectors(keys)
        assert set(keys[:500]) <= set(known) <= set(keys[:2_000])
        put(store, *documents)
        assert store.counts() == Counts(2_500, 2_500)
        assert set(store.vectors(keys)) == set(keys)
