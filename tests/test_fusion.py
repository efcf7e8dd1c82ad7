"""Fusion and diversity: pure functions on ranked lists."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragcli.search.diversity import diversified, joined, one_a_document
from ragcli.search.fusion import Fusion, Ranked, fuse
from ragcli.store import Hit

KINDS: list[Fusion] = ["scaled", "min-max", "rrf", "z-score"]
DEEP = 100


def even(a: Sequence[Hit], b: Sequence[Hit]) -> dict[str, Ranked]:
    return {"a": Ranked(a, 0.5), "b": Ranked(b, 0.5)}


kinds = st.sampled_from(KINDS)
lists = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.integers(-50, 50), max_size=8)


def hits(**scores: float) -> list[Hit]:
    """Make a ranked list of passages by their ids, best first."""
    best_first = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [Hit(rank, doc_id, "", doc_id, score, 0, 1, {}) for rank, (doc_id, score) in enumerate(best_first, 1)]


def order(found: Sequence[Hit]) -> str:
    return " ".join(hit.id for hit in found)


def test_min_max_adds_what_each_list_gives() -> None:
    fused = fuse(even(hits(x=10, y=6, z=2), hits(y=0.9, x=0.5, w=0.1)), "min-max", DEEP)
    assert {hit.id: hit.score for hit in fused} == pytest.approx({"x": 0.75, "y": 0.75, "z": 0.0, "w": 0.0})
    assert order(fused) == "x y w z"  # ties by id
    assert fused[0].parts["a"] == (1, 10, 0.5)
    assert fused[0].parts["b"] == (2, 0.5, 0.25)


def test_scaled_keeps_what_is_nothing_at_nothing_however_deep_a_list_goes() -> None:
    fused = fuse(even(hits(x=10, y=5), hits(y=0.8, x=0.2, w=-0.1)), "scaled", DEEP)
    assert {hit.id: hit.score for hit in fused} == pytest.approx({"y": 0.75, "x": 0.625, "w": -0.0625})


def test_a_floor_is_what_says_nothing() -> None:
    lists = {"a": Ranked(hits(x=0.95, y=0.9, z=0.8), 1, floor=0.85)}
    assert [hit.score for hit in fuse(lists, "scaled", DEEP)] == pytest.approx([1, 0.5, -0.5])
    alone = fuse(even(hits(x=2), hits(x=0.7)) | {"b": Ranked(hits(x=0.7), 0.5, floor=0.8)}, "scaled", DEEP)
    assert [hit.score for hit in alone] == [0.5]


def test_what_a_cut_list_lacks_counts_as_its_last_hit() -> None:
    fused = fuse(even(hits(x=10, y=5), hits(w=0.8, x=0.2)), "scaled", depth=2)
    assert {hit.id: hit.score for hit in fused} == pytest.approx({"x": 0.625, "w": 0.75, "y": 0.375})
    assert fused[0].parts["a"] == (None, None, 0.25)


def test_reciprocal_rank_looks_at_places_only() -> None:
    fused = fuse({"a": Ranked(hits(x=10, y=6), 1), "b": Ranked(hits(y=0.9), 1)}, "rrf", DEEP)
    assert {hit.id: hit.score for hit in fused} == pytest.approx({"x": 1 / 61, "y": 1 / 62 + 1 / 61})


def test_z_score_measures_in_standard_deviations() -> None:
    fused = fuse({"a": Ranked(hits(x=4, y=2, z=0), 1)}, "z-score", DEEP)
    assert [hit.score for hit in fused] == pytest.approx([4 / (8 / 3) ** 0.5, 2 / (8 / 3) ** 0.5, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_one_hit_and_equal_hits_count_fully(kind: Fusion) -> None:
    assert fuse({"a": Ranked(hits(x=3), 1)}, kind, DEEP)[0].score > 0
    assert order(fuse(even(hits(x=3, y=3), []), kind, DEEP)) == "x y"
    assert fuse(even([], []), kind, DEEP) == []


@given(lists, lists, kinds, st.floats(0, 1))
def test_a_score_is_the_sum_of_its_parts_and_all_hits_are_there_once(
    a: dict[str, int], b: dict[str, int], kind: Fusion, weight: float
) -> None:
    fused = fuse({"a": Ranked(hits(**a), 1 - weight), "b": Ranked(hits(**b), weight)}, kind, DEEP)
    assert sorted(hit.id for hit in fused) == sorted(a.keys() | b.keys())
    assert [hit.rank for hit in fused] == list(range(1, len(fused) + 1))
    for hit in fused:
        assert hit.score == pytest.approx(sum(part.contribution for part in hit.parts.values()))
        assert hit.parts.keys() == {name for name, scores in (("a", a), ("b", b)) if hit.id in scores}
        assert hit.score <= 1 + 1e-9 or kind == "z-score"
    assert all(before.score >= after.score for before, after in pairwise(fused))


@given(lists, lists, kinds, st.integers(1, 5), st.integers(-20, 20))
def test_no_list_is_heard_more_for_its_larger_numbers(
    a: dict[str, int], b: dict[str, int], kind: Fusion, factor: int, shift: int
) -> None:
    """BM25 differs between the stores by a factor; the order must not."""
    shift = 0 if kind == "scaled" else shift  # BM25 and cosines have a 0 of their own
    larger = {doc_id: factor * score + shift for doc_id, score in b.items()}
    before = fuse(even(hits(**a), hits(**b)), kind, DEEP)
    after = fuse(even(hits(**a), hits(**larger)), kind, DEEP)
    assert {hit.id: hit.score for hit in before} == pytest.approx({hit.id: hit.score for hit in after})


@given(lists, kinds)
def test_a_list_alone_keeps_its_order(a: dict[str, int], kind: Fusion) -> None:
    assert order(fuse(even(hits(**a), []), kind, DEEP)) == order(hits(**a))


def alike(i: int, j: int) -> float:
    """Say that the first two passages are the same, and nothing else is like another."""
    return 1.0 if {i, j} == {0, 1} else 0.0


def test_what_was_said_already_comes_later() -> None:
    found = hits(x=10, y=9, z=7, w=0)
    assert order(diversified(found, alike, 0.5, 4)) == "x z w y"
    assert order(diversified(found, alike, 0.5, 2)) == "x z"
    assert order(diversified(found, alike, 0.1, 4)) == "x y z w"


@given(lists, st.floats(0, 1), st.integers(1, 9))
def test_scores_fall_and_say_how_they_came_about(a: dict[str, int], strength: float, k: int) -> None:
    chosen = diversified(hits(**a), lambda i, j: 1 / (1 + abs(i - j)), strength, k)
    assert len(chosen) == min(k, len(a))
    assert all(one.score >= other.score - 1e-9 for one, other in pairwise(chosen))
    for hit in chosen:
        assert hit.score == pytest.approx(hit.parts["relevance"].contribution + hit.parts["likeness"].contribution)


@given(lists, st.integers(1, 9))
def test_no_strength_changes_nothing(a: dict[str, int], k: int) -> None:
    assert order(diversified(hits(**a), lambda i, j: 1.0, 0.0, k)) == order(hits(**a)[:k])


def test_a_document_counts_by_its_best_passage() -> None:
    first, second, third = hits(x=3, y=2, z=1)
    found = one_a_document([first, second._replace(id="x", start=5), third])
    assert [(hit.id, hit.start, hit.rank) for hit in found] == [("x", 0, 1), ("z", 0, 2)]


def test_neighbours_are_joined_at_their_places_and_a_document_comes_once() -> None:
    text = "One two.\n\nThree four. Five."
    pieces = [Hit(1, "x", "", text[10:21], 3.0, 10, 21, {}), Hit(2, "y", "", "Why.", 2.0, 0, 4, {})]
    pieces += [Hit(3, "x", "", text[:8], 1.0, 0, 8, {}), Hit(4, "x", "", "far", 0.5, 100, 103, {})]
    found = joined(pieces)
    assert [(hit.id, hit.start, hit.end, hit.score) for hit in found] == [("x", 0, 21, 3.0), ("y", 0, 4, 2.0)]
    assert found[0].text == text[:21]


def test_passages_that_a_sentence_goes_across_are_not_joined() -> None:
    text = "A sentence that was too long\nand was cut."
    pieces = [Hit(1, "x", "", text[:28], 3.0, 0, 28, {}), Hit(2, "x", "", text[29:], 2.0, 29, len(text), {})]
    assert joined(pieces) == pieces[:1]
