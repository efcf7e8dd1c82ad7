"""Reports: the gate that they must pass, and what two of them differ in."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragcli.errors import ExitCode, RagcliError, UsageError
from ragcli.evaluate.comparison import compare, randomisation_test
from ragcli.evaluate.report import Crossing, Gate, Report, crossings, new_report, parse_lines, read_report, write_report
from tests.support import Run, assert_two_lines, write_lines


def report(values: dict[str, float], measure: str = "nDCG@10", **changes: Any) -> Report:
    """Make a report with one measure."""
    made = new_report(
        "eval retrieval",
        data={"qrels": {"sha256": "1"}, "documents": {"sha256": "2"}},
        settings={},
        queries=len(values),
        metrics={measure: sum(values.values()) / len(values)},
        per_query={query: {measure: value} for query, value in values.items()},
        seconds=1.0,
    )
    return made._replace(**changes)


GOOD = {"q1": 1.0, "q2": 0.5, "q3": 0.0}
BAD = {"q1": 0.5, "q2": 0.5, "q3": 0.25}


# The gate


@pytest.mark.parametrize(("line", "crossed"), [(0.5, False), (0.5 + 1e-12, False), (0.51, True), (0.49, False)])
def test_a_value_must_reach_its_line(line: float, crossed: bool) -> None:
    found = crossings(report(GOOD), Gate({"nDCG@10": line}))
    assert found == ([Crossing("nDCG@10", 0.5, line, "--fail-under")] if crossed else [])


@pytest.mark.parametrize(("max_drop", "crossed"), [(0.0, True), (0.08, True), (0.09, False)])
def test_a_baseline_may_be_missed_by_so_much(max_drop: float, crossed: bool) -> None:
    found = crossings(report(BAD), Gate(baseline=report(GOOD), max_drop=max_drop))
    assert bool(found) == crossed
    assert all(c.source == "--baseline" and c.line == 0.5 - max_drop for c in found)


def test_better_than_the_baseline_is_good_and_lower_is_better_for_a_loss() -> None:
    assert not crossings(report(GOOD), Gate(baseline=report(BAD)))
    low, high = (report({"t": value}, "perplexity") for value in (20.0, 30.0))
    assert not crossings(low, Gate(baseline=high))
    assert crossings(high, Gate(baseline=low)) == [Crossing("perplexity", 30.0, 20.0, "--baseline")]


def test_costs_are_held_to_no_baseline() -> None:
    slow, fast = (report({"q": 1.0})._replace(metrics={"f1": 1.0, "mean_seconds": s}) for s in (9.0, 1.0))
    assert not crossings(slow, Gate(baseline=fast))


def test_a_measure_without_a_value_is_held_to_no_line_in_silence() -> None:
    made = report(GOOD)._replace(metrics={"f1": None, "accuracy": 0.5})
    with pytest.raises(UsageError, match="'f1'"):
        crossings(made, Gate({"f1": 0.1}))
    with pytest.raises(UsageError, match="'f1'"):
        crossings(made, Gate(baseline=made._replace(metrics={"f1": 0.5, "accuracy": 0.5})))


@pytest.mark.parametrize(
    "changes", [{"command": "eval answers"}, {"data": {"qrels": {"sha256": "9"}}}, {"metrics": {"AP": 1.0}}]
)
def test_a_baseline_of_something_else_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RagcliError):
        crossings(report(GOOD), Gate(baseline=report(GOOD, **changes)))


def test_other_documents_are_no_other_questions() -> None:
    """What is searched may change between two measurements: that is what a gate is for."""
    assert not crossings(report(GOOD), Gate(baseline=report(GOOD, data={"qrels": {"sha256": "1"}})))


@pytest.mark.parametrize("expression", ["", "ndcg@10", "=0.3", "ndcg@10=", "ndcg@10=high", "ndcg@10=nan"])
def test_what_is_no_line_is_said(expression: str) -> None:
    with pytest.raises(UsageError):
        parse_lines([expression])


def test_lines() -> None:
    assert parse_lines(["ndcg@10=0.30", "AP(rel=2)@100=.5"]) == {"ndcg@10": 0.3, "AP(rel=2)@100": 0.5}


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    write_lines(tmp_path / "corpus.jsonl", {"id": "a", "text": "An apple."}, {"id": "b", "text": "A banana."})
    write_lines(tmp_path / "queries.jsonl", {"id": "q", "text": "apple"}, {"id": "r", "text": "cherry"})
    (tmp_path / "qrels.tsv").write_text("q\ta\t1\nr\tb\t1\n")
    return tmp_path


def test_exit_code_7_names_the_measure_its_value_and_the_line(ragcli: Run, collection: Path) -> None:
    result = ragcli("eval", "retrieval", collection, "--fail-under", "ndcg@3=0.9", "--fail-under", "map=0.1")
    assert result.code == ExitCode.GATE_FAILED
    assert result.err == "Gate: nDCG@3 is 0.5000, under 0.9000 (--fail-under)\n"
    assert result.objects()[0]["metrics"]["nDCG@3"] == 0.5  # measured because it was asked for


def test_exit_code_7_against_a_baseline(ragcli: Run, collection: Path) -> None:
    before = collection / "before.json"
    assert ragcli("eval", "retrieval", collection, "--report", before).code == 0
    assert ragcli("eval", "retrieval", collection, "--baseline", before).code == 0
    write_lines(collection / "corpus.jsonl", {"id": "a", "text": "A pear."}, {"id": "b", "text": "A banana."})
    result = ragcli("eval", "retrieval", collection, "--baseline", before, "--max-drop", "0.01")
    assert result.code == ExitCode.GATE_FAILED
    assert "Gate: nDCG@10 is 0.0000, under 0.4900 (--baseline)" in result.err
    assert ragcli("eval", "retrieval", collection, "--baseline", before, "--max-drop", "1").code == 0


def test_bad_baselines(ragcli: Run, collection: Path) -> None:
    for content in (b"", b"{}", b"[]", b"null", b'{"metrics": {}}'):
        (collection / "bad.json").write_bytes(content)
        assert_two_lines(ragcli("eval", "retrieval", collection, "--baseline", collection / "bad.json"), 1, "bad.json")
    assert_two_lines(ragcli("eval", "retrieval", collection, "--baseline", collection / "absent"), 1, "absent")


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    made = report(GOOD, failed={"q9": "no answer"})
    write_report(tmp_path / "report.json", made)
    assert read_report(tmp_path / "report.json") == made


# Comparison


def test_wins_ties_and_losses() -> None:
    [found] = compare(report(GOOD), report(BAD)).differences
    assert [found.a, found.b, found.change] == pytest.approx([0.5, 1.25 / 3, -0.25 / 3])
    assert (found.wins, found.ties, found.losses) == (1, 1, 1)


def test_lower_wins_for_a_loss() -> None:
    [found] = compare(report({"t": 30.0}, "perplexity"), report({"t": 20.0}, "perplexity")).differences
    assert (found.wins, found.losses) == (1, 0)


def test_the_queries_that_changed_most_come_first() -> None:
    found = compare(report({"a": 0.0, "b": 0.5, "c": 1.0, "d": 1.0}), report({"a": 0.1, "b": 0.5, "c": 0.0, "d": 0.0}))
    assert [value.query for value in found.most_changed(10)] == ["c", "d", "a"]
    assert len(found.most_changed(1)) == 1


def test_only_shared_queries_are_compared() -> None:
    found = compare(report(GOOD), report({"q2": 1.0, "q9": 0.0}))
    assert (found.shared, found.only_a, found.only_b) == (1, 2, 1)
    assert found.differences[0].a == 0.5
    with pytest.raises(RagcliError, match="no query in common"):
        compare(report(GOOD), report({"x": 1.0}))


def test_what_cannot_be_compared() -> None:
    with pytest.raises(RagcliError, match="eval answers"):
        compare(report(GOOD), report(GOOD, command="eval answers"))
    with pytest.raises(RagcliError, match="no measure in common"):
        compare(report(GOOD), report(GOOD, "AP"))
    with pytest.raises(UsageError, match="'AP'"):
        compare(report(GOOD), report(GOOD), "AP")


@given(st.lists(st.integers(-4, 4).map(lambda n: n / 4), min_size=1, max_size=8))
def test_few_pairs_are_tested_exactly(differences: list[float]) -> None:
    """Against all 2^n ways to swap the two systems on each query."""
    observed = abs(sum(differences))
    ways = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in product((1, -1), repeat=len(differences))
    ]
    expected = sum(abs(way) >= observed - 1e-9 for way in ways) / len(ways)
    assert randomisation_test(differences) == pytest.approx(expected)


def test_many_pairs_are_tested_by_seeded_draws() -> None:
    differences = [0.1 if i % 3 else -0.05 for i in range(200)]
    assert randomisation_test(differences) == randomisation_test(differences) < 0.001
    assert randomisation_test([0.1, -0.1] * 100) > 0.9
    assert randomisation_test([0.0] * 5) == 1.0


def test_compare_on_the_command_line(ragcli: Run, tmp_path: Path) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    write_report(a, report(GOOD))
    write_report(b, report(BAD, data={"qrels": {"sha256": "9"}}))
    result = ragcli("eval", "compare", a, b, "--html", tmp_path / "page.html", "--format", "table")
    assert result.code == 0
    assert "nDCG@10" in result.out and "-0.0833" in result.out and "q1" in result.out
    assert result.err == "the reports were measured on different data: qrels\n"
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    [found] = ragcli("eval", "compare", a, b).objects()
    assert found["measures"][0]["change"] == pytest.approx(-0.25 / 3)
    assert found["changed"][0] == {"query": "q1", "a": 1.0, "b": 0.5}
    assert json.dumps(found)
    assert_two_lines(ragcli("eval", "compare", a, tmp_path / "absent"), ExitCode.ERROR, "absent")
