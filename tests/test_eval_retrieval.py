"""`ragcli eval retrieval`: figures equal to trec_eval's own, and nothing left out in silence."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import ir_measures
import pytest
import pytrec_eval
from elasticsearch import Elasticsearch
from hypothesis import given
from hypothesis import strategies as st

from ragcli.callbacks import Callbacks
from ragcli.errors import ExitCode, UnreachableError, UsageError
from ragcli.evaluate.measures import DEFAULT_MEASURES, depth, parse_measure, parse_measures, score, without_ties
from ragcli.evaluate.retrieval import Ranked, rank_queries
from ragcli.filters import Filter
from ragcli.search import Searcher
from ragcli.store import Hit, QueryClause, Store
from tests.elastic.server import Server
from tests.support import Run, assert_two_lines, run_process, write_lines

TREC_NAMES = {
    "nDCG@10": "ndcg_cut_10",
    "R@10": "recall_10",
    "R@100": "recall_100",
    "AP": "map",
    "P@5": "P_5",
    "Success@1": "success_1",
}


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Write a test collection in BEIR's layout: three documents, four queries, of which one finds nothing."""
    folder = tmp_path / "animals"
    write_lines(
        folder / "corpus.jsonl",
        {"_id": "fox", "title": "The fox", "text": "A quick brown fox jumps over a lazy dog.", "metadata": {}},
        {"_id": "owl", "title": "The owl", "text": "An owl sleeps by day and hunts by night.", "metadata": {}},
        {"_id": "cat", "title": "The cat", "text": "A cat sleeps by day and by night.", "metadata": {}},
    )
    write_lines(
        folder / "queries.jsonl",
        {"_id": "q1", "text": "quick fox"},
        {"_id": "q2", "text": "who hunts by night?"},
        {"_id": "q3", "text": "zebra"},
        {"_id": "q4", "text": "an unjudged cat"},
    )
    write_file(folder / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore", "q1\tfox\t1", "q2\tcat\t2", "q3\towl\t1")
    return folder


def write_file(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def report_of(ragcli: Run, *arguments: str | Path, code: int = 0) -> Any:
    result = ragcli("eval", "retrieval", *arguments)
    assert result.code == code, result
    [report] = result.objects()
    return report


# Measures


@given(
    st.dictionaries(
        st.sampled_from(["q1", "q2", "q3"]),
        st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3), min_size=1),
        min_size=1,
    ),
    st.dictionaries(
        st.sampled_from(["q1", "q2", "q9"]),
        st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-9, 9, width=32), min_size=1),
    ),
)
def test_measures_are_those_of_trec_eval(qrels: Any, run: Any) -> None:
    found = score(run, qrels, parse_measures(TREC_NAMES))
    by_query = pytrec_eval.RelevanceEvaluator(qrels, set(pytrec_eval.supported_measures)).evaluate(run)
    for ours, theirs in TREC_NAMES.items():
        expected = [by_query.get(query, {}).get(theirs, 0.0) for query in qrels]  # a missing query counts as 0
        assert found.metrics[ours] == pytest.approx(sum(expected) / len(qrels), abs=1e-9)
        assert [found.per_query[query][ours] for query in qrels] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("given_name", "canonical"),
    [
        ("ndcg@10", "nDCG@10"),
        ("Recall@100", "R@100"),
        ("mrr@10", "RR@10"),
        ("map", "AP"),
        ("precision@3", "P@3"),
        ("AP(rel=2)@100", "AP(rel=2)@100"),
        (" success@1 ", "Success@1"),
    ],
)
def test_measures_have_the_names_that_people_use(given_name: str, canonical: str) -> None:
    assert str(parse_measure(given_name)) == canonical


@pytest.mark.parametrize(
    "name", ["", "x", "f@1", "R@ten", "P@0", "P@-1", "P", "nDCG@10@3", "AP(2)", "AP(rel=x)", "P@1.5"]
)
def test_what_is_no_measure_is_said(name: str) -> None:
    with pytest.raises(UsageError):
        parse_measure(name)


@pytest.mark.parametrize("name", sorted(ir_measures.measures.registry))
def test_every_measure_of_the_library_is_computed_or_refused(name: str) -> None:
    """By its bare name or with a cutoff: never a crash when the work is done."""
    for spelled in (name, f"{name}@5"):
        try:
            measures = parse_measures([spelled])
        except UsageError:
            continue
        score({"q": {"a": 2.0, "b": 1.0}}, {"q": {"b": 1}}, measures)


def test_a_measure_that_needs_another_package_names_it() -> None:
    with pytest.raises(UsageError) as caught:
        parse_measure("nDCG(dcg='exp-log2')@10")
    assert "ranx" in caught.value.hint


def test_the_search_goes_as_deep_as_the_deepest_measure() -> None:
    assert depth(parse_measures(["AP", "nDCG@10"]).values()) == 100
    assert depth(parse_measures(["R@250"]).values()) == 250


@given(st.lists(st.floats(0, 100, width=32), max_size=20))
def test_scores_without_ties_keep_the_order_and_stay_close(scores: list[float]) -> None:
    best_first = sorted(scores, reverse=True)
    apart = without_ties(best_first)
    assert all(a > b for a, b in pairwise(apart))
    assert apart == pytest.approx(best_first, abs=1e-3)


# What is measured


def test_a_folder_is_indexed_searched_and_forgotten(ragcli: Run, collection: Path, tmp_path: Path) -> None:
    report = report_of(ragcli, collection)
    assert report["queries"] == 3
    assert list(report["metrics"]) == list(DEFAULT_MEASURES)
    assert report["per_query"]["q1"]["RR@10"] == 1.0
    assert report["per_query"]["q2"]["RR@10"] == 1 / 2  # the owl hunts, the cat does not
    assert report["per_query"]["q3"]["nDCG@10"] == 0.0  # nothing found, and counted
    assert report["metrics"]["RR@10"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert report["skipped"] == {"unjudged_queries": 1, "without_results": 1}
    assert not (tmp_path / "home").exists()


def test_the_run_that_is_written_gives_the_same_figures(ragcli: Run, collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "ragcli.run"
    first = report_of(ragcli, collection, "--run-out", out)
    assert out.read_text().splitlines()[0].split()[:4] == ["q1", "Q0", "fox", "1"]
    second = report_of(ragcli, "--qrels", collection / "qrels" / "test.tsv", "--run", out)
    assert second["per_query"] == first["per_query"]
    assert second["metrics"] == first["metrics"]


def test_equal_scores_are_written_apart_in_the_order_of_the_search(ragcli: Run, tmp_path: Path) -> None:
    """Tools break ties each in their own way, so a run must leave none to them."""
    folder = tmp_path / "ties"
    write_lines(folder / "corpus.jsonl", *({"id": name, "text": "the same words"} for name in "dbac"))
    write_lines(folder / "queries.jsonl", {"id": "q", "text": "same words"})
    write_file(folder / "qrels.tsv", "q\tb\t1")
    report = report_of(ragcli, folder, "--run-out", tmp_path / "run", "--measure", "RR", "--measure", "RR@10")
    assert [line.split()[2] for line in (tmp_path / "run").read_text().splitlines()] == list("abcd")
    assert report["metrics"] == {"RR": 1 / 2, "RR@10": 1 / 2}


def test_a_document_ranks_by_its_best_passage(ragcli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "long"
    long = "\n".join(f"Sentence {i} on a subject of no interest whatever." for i in range(400)) + " A zebra."
    others = (
        {"id": f"d{i}", "text": f"Here is zebra number {i}, and much besides that matters less."} for i in range(150)
    )
    write_lines(folder / "corpus.jsonl", {"id": "long", "text": long}, *others)
    write_lines(folder / "queries.jsonl", {"id": "q", "text": "zebra sentence"})
    write_file(folder / "qrels.tsv", "q\tlong\t1")
    report_of(ragcli, folder, "--run-out", tmp_path / "run")
    ranked = [line.split()[2] for line in (tmp_path / "run").read_text().splitlines()]
    assert ranked[0] == "long"
    assert len(ranked) == len(set(ranked)) == 100  # though its passages fill the first places


@pytest.mark.parametrize(
    ("qrels", "queries"),
    [
        ("qrels/test.tsv", "queries.jsonl"),
        ("qrels/train.tsv", "queries.jsonl"),
        ("qrels.tsv", "queries.jsonl"),
        ("qrels-train.tsv", "queries-train.jsonl"),
        ("qrels.txt", "queries.tsv"),
    ],
)
def test_layouts(ragcli: Run, tmp_path: Path, qrels: str, queries: str) -> None:
    write_lines(tmp_path / "documents.jsonl", {"id": "a", "text": "An apple."}, {"id": "b", "text": "A banana."})
    tab = queries.endswith(".tsv")
    write_file(tmp_path / queries, "q\tapple" if tab else '{"id": "q", "text": "apple"}')
    write_file(tmp_path / qrels, "q 0 a 1" if qrels.endswith(".txt") else "q\ta\t1")
    assert report_of(ragcli, tmp_path)["metrics"]["Success@1"] == 1.0


def test_a_limit_takes_the_first_queries(ragcli: Run, collection: Path) -> None:
    report = json.loads(ragcli("eval", "retrieval", collection, "--limit", "1", "--format", "json").out)
    assert report["queries"] == 1 and set(report["per_query"]) == {"q1"}


def test_one_of_several_splits_must_be_named(ragcli: Run, tmp_path: Path) -> None:
    write_lines(tmp_path / "corpus.jsonl", {"id": "a", "text": "An apple."})
    write_lines(tmp_path / "queries.jsonl", {"id": "q", "text": "apple"}, {"id": "r", "text": "apple"})
    write_file(tmp_path / "qrels" / "dev.tsv", "q\ta\t1")
    write_file(tmp_path / "qrels" / "train.tsv", "q\ta\t1", "r\ta\t1")
    assert_two_lines(ragcli("eval", "retrieval", tmp_path), ExitCode.USAGE, "--split", "dev, train")
    assert report_of(ragcli, tmp_path, "--split", "train")["queries"] == 2
    assert_two_lines(ragcli("eval", "retrieval", tmp_path, "--split", "x"), ExitCode.USAGE, "'x'")


def test_questions_with_a_document_are_judgments_too(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    questions = write_lines(
        tmp_path / "qa.jsonl",
        {"id": "q1", "question": "Who hunts?", "answers": ["an owl"], "doc_id": "owl"},
        {"id": "q2", "question": "Who swims?", "answers": []},
    )
    ragcli("index", corpus)
    result = ragcli("eval", "retrieval", "--queries", questions, "--qrels", questions)
    assert result.objects()[0]["metrics"]["Success@1"] == 1.0
    assert "searching index knowledge_base" in result.err
    assert "1 query has no judgment; ignored" in result.err


def test_only_an_index_on_the_command_line_replaces_the_folders_documents(
    ragcli: Run, collection: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ragcli("index", corpus, "--index", "mine")
    monkeypatch.setenv("RAGCLI_INDEX", "absent")
    assert report_of(ragcli, collection)["data"]["documents"]["file"] == "corpus.jsonl"
    named = report_of(ragcli, collection, "--index", "mine")
    assert "documents" not in named["data"]
    assert named["metrics"]["RR@10"] == pytest.approx(1 / 2)


def test_on_elasticsearch_the_temporary_index_is_gone_afterwards(
    ragcli: Run, collection: Path, elasticsearch: Server
) -> None:
    before = index_names(elasticsearch)
    report = report_of(ragcli, collection, "--store", elasticsearch.url)
    assert report["metrics"]["RR@10"] == pytest.approx(1 / 2)
    assert report["settings"]["store"] == "elasticsearch"
    assert index_names(elasticsearch) == before


def index_names(server: Server) -> set[str]:
    with Elasticsearch(server.url) as client:
        return set(client.indices.get(index="*").body)


# Bad input: an error or a counted warning, and never a zero for what did not happen


def test_missing_and_empty_files(ragcli: Run, collection: Path, tmp_path: Path) -> None:
    empty = write_file(tmp_path / "empty")
    cases: list[tuple[tuple[str | Path, ...], int, str]] = [
        ((tmp_path / "absent",), ExitCode.ERROR, "absent"),
        ((), ExitCode.USAGE, "judgments"),
        ((tmp_path,), ExitCode.USAGE, "judgments"),
        ((collection, "--queries", tmp_path / "absent"), ExitCode.ERROR, "absent"),
        ((collection, "--queries", empty), ExitCode.ERROR, "no query"),
        ((collection, "--qrels", empty), ExitCode.ERROR, "no judgment"),
        ((collection, "--run", empty), ExitCode.ERROR, "no run"),
        ((collection, "--qrels", tmp_path), ExitCode.ERROR, "folder"),
        ((collection, "--measure", "nonsense@10"), ExitCode.USAGE, "nonsense@10"),
        ((collection, "--report", tmp_path / "no" / "report.json"), ExitCode.USAGE, "report.json"),
        ((collection, "--index", "absent"), ExitCode.ERROR, "absent"),
        (("--qrels", collection / "qrels" / "test.tsv"), ExitCode.USAGE, "queries"),
    ]
    for arguments, code, word in cases:
        assert_two_lines_after_notes(ragcli("eval", "retrieval", *arguments), code, word)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("q1\tfox", "test.tsv:2"),
        ("q1\tfox\thigh", "'high'"),
        ("q1\tfox\t0.5", "'0.5'"),
        ("q1\tfox\t1\nq1\tfox\t2", "another relevance"),
    ],
)
def test_qrels_that_cannot_be_meant(ragcli: Run, collection: Path, line: str, word: str) -> None:
    write_file(collection / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore", line)
    assert_two_lines(ragcli("eval", "retrieval", collection), ExitCode.ERROR, word)


@pytest.mark.parametrize("line", ["q1 Q0 fox 1", "q1 Q0 fox 1 high tag", "q1 Q0 fox 1 nan tag", "a b c d e f g"])
def test_a_line_that_is_not_of_a_run(ragcli: Run, collection: Path, tmp_path: Path, line: str) -> None:
    run = write_file(tmp_path / "run", "q2 Q0 owl 1 3.5 tag", line)
    assert_two_lines(ragcli("eval", "retrieval", collection, "--run", run), ExitCode.ERROR, "run:2")


def test_a_run_with_a_document_twice(ragcli: Run, collection: Path, tmp_path: Path) -> None:
    run = write_file(tmp_path / "run", "q1 Q0 fox 1 2 tag", "q1 Q0 fox 2 1 tag")
    assert_two_lines(ragcli("eval", "retrieval", collection, "--run", run), ExitCode.ERROR, "fox twice")


def test_repeated_judgments_and_unknown_ids_are_counted_and_named(ragcli: Run, collection: Path) -> None:
    write_file(
        collection / "qrels" / "test.tsv",
        *("q1\tfox\t1", "q1\tfox\t1", "q1\tunicorn\t1", "q9\tfox\t1"),
    )
    result = ragcli("eval", "retrieval", collection)
    assert result.code == 0
    [report] = result.objects()
    assert report["skipped"] == {
        "judged_without_query": 1,
        "unjudged_queries": 3,
        "judged_documents_not_indexed": 1,
        "repeated_judgments": 1,
    }
    assert report["details"]["left_out"] == {
        "judged_without_query": ["q9"],
        "judged_documents_not_indexed": ["unicorn"],
    }
    assert report["metrics"]["R@10"] == 1 / 2  # the unicorn was to be found
    for note in ("1 judgment is repeated", "q9; ignored", "unicorn; they count as not found"):
        assert note in result.err


@pytest.mark.parametrize(
    ("qrels", "word"), [("q9\tfox\t1", "no judged query"), ("q1\tunicorn\t1", "none of the judged documents")]
)
def test_what_does_not_belong_together_is_no_zero(ragcli: Run, collection: Path, qrels: str, word: str) -> None:
    write_file(collection / "qrels" / "test.tsv", qrels)
    assert_two_lines_after_notes(ragcli("eval", "retrieval", collection), ExitCode.ERROR, word)


def test_a_run_of_other_queries_is_no_zero(ragcli: Run, collection: Path, tmp_path: Path) -> None:
    run = write_file(tmp_path / "run", "x Q0 fox 1 2 tag")
    assert_two_lines(ragcli("eval", "retrieval", collection, "--run", run), ExitCode.ERROR, "no query of the run")


def assert_two_lines_after_notes(result: Any, code: int, *words: str) -> None:
    kept = result.err.splitlines()[-2:]
    assert_two_lines(result._replace(err="\n".join(kept) + "\n"), code, *words)


class Moody:
    """Answer every query but those that name a zebra."""

    config = None

    def search(self, words: Sequence[QueryClause], k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
        if "zebra" in words[0].text:
            raise UnreachableError("no answer", "Start it.")
        return [Hit(1, "fox", "", "a fox", 1.0, 0, 5, {})]

    def frequencies(self, words: Sequence[str]) -> list[int]:
        return [1 for _ in words]


def test_a_failing_query_stops_all_or_is_counted() -> None:
    searcher, notes = Searcher(cast(Store, Moody())), list[str]()
    queries = {"q1": "fox", "q2": "zebra"}
    with pytest.raises(UnreachableError, match="query q2: no answer"):
        rank_queries(searcher, queries, 10)
    found = rank_queries(searcher, queries, 10, keep_going=True, callbacks=Callbacks(note=notes.append))
    assert found == Ranked({"q1": {"fox": 1.0}}, {"q2": "no answer"})
    assert notes == ["1 query failed: q2; they count as 0"]
    with pytest.raises(UnreachableError, match="every query failed"):
        rank_queries(searcher, {"q2": "zebra"}, 10, keep_going=True)


def test_an_empty_query_fails_for_itself(ragcli: Run, collection: Path) -> None:
    write_lines(collection / "queries.jsonl", {"id": "q1", "text": "quick fox"}, {"id": "q2", "text": " "})
    stopped = ragcli("eval", "retrieval", collection)
    assert_two_lines_after_notes(stopped, ExitCode.USAGE, "query q2: the query is empty", "--keep-going")
    result = ragcli("eval", "retrieval", collection, "--keep-going", "--measure", "RR@10")
    assert result.code == ExitCode.REJECTS
    [report] = result.objects()
    assert report["failed"] == {"q2": "the query is empty"}
    assert report["metrics"]["RR@10"] == (1 + 0) / 2


@pytest.mark.parametrize("line", [b"{", b"[]", b"7", b'{"id": "q1"}', b'{"text": "x"}', b'{"id": null, "text": "x"}'])
def test_what_is_no_query_is_said(ragcli: Run, collection: Path, line: bytes) -> None:
    write_lines(collection / "queries.jsonl", {"id": "q1", "text": "fox"}, line)
    assert_two_lines(ragcli("eval", "retrieval", collection), ExitCode.ERROR, "queries.jsonl:2")


def test_one_query_with_two_texts(ragcli: Run, collection: Path) -> None:
    write_lines(collection / "queries.jsonl", *({"id": "q1", "text": text} for text in ("fox", "fox", "owl")))
    assert_two_lines(ragcli("eval", "retrieval", collection), ExitCode.ERROR, "queries.jsonl:3", "another text")


def test_documents_that_are_none_are_counted(ragcli: Run, collection: Path) -> None:
    with (collection / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "empty", "title": "only a title", "text": ""}\n')
    result = ragcli("eval", "retrieval", collection)
    assert result.code == ExitCode.REJECTS
    assert result.objects()[0]["skipped"]["rejected_documents"] == 1
    assert "corpus.jsonl: 1 line was rejected" in result.err


def test_a_table_on_request(ragcli: Run, collection: Path) -> None:
    result = ragcli("eval", "retrieval", collection, "--format", "table", "--measure", "RR@10")
    assert result.out.split()[:4] == ["Measure", "Value", "RR@10", "0.5000"]
    assert "3 queries" in result.out


def test_no_password_reaches_the_report(collection: Path) -> None:
    result = run_process(
        "eval", "retrieval", collection, "--store", "http://me:secret@localhost:1", "--report", "r.json"
    )
    assert result.code == ExitCode.UNREACHABLE
    assert "secret" not in result.out + result.err


def test_the_report_can_be_read_by_others(ragcli: Run, collection: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    printed = report_of(ragcli, collection, "--report", path)
    assert json.loads(path.read_text()) == printed
    assert {"command", "version", "data", "settings", "queries", "metrics", "per_query", "machine"} <= printed.keys()
    assert printed["command"] == "eval retrieval"
    assert printed["command_line"].startswith("ragcli eval retrieval ")
    assert len(printed["data"]["qrels"]["sha256"]) == 64


def test_an_id_that_a_trec_run_cannot_hold_is_told_before_the_work(ragcli: Run, tmp_path: Path) -> None:
    write_lines(tmp_path / "c" / "corpus.jsonl", {"_id": "d 1", "text": "An owl."}, {"_id": "d2", "text": "A fox."})
    write_lines(tmp_path / "c" / "queries.jsonl", {"_id": "q 1", "text": "owl"})
    (tmp_path / "c" / "qrels").mkdir()
    (tmp_path / "c" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq 1\td 1\t1\n")
    run = tmp_path / "run"
    assert_two_lines(ragcli("eval", "retrieval", tmp_path / "c", "--run-out", run), 1, "'q 1'", "white space")
    assert not run.exists()
