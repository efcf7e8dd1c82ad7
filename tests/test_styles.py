"""Answers in three styles, on the sample texts: what is cited stands in the documents, word by word."""

import json
from pathlib import Path
from typing import Any

import pytest

from ragcli.models import PACKAGED
from tests.support import ROOT, Run, assert_two_lines, write_lines

SAMPLE = ROOT / "sample_data"
MODEL = ("--model", str(PACKAGED), "--max-new-tokens", "24", "--seed", "0")
QUESTIONS = ["What is a lambda function?", "How do I open a file?", "What does pass do?", "What is self?"]


@pytest.fixture
def texts(ragcli: Run) -> dict[str, str]:
    """Index the sample documents; return their texts by id."""
    assert ragcli("index", SAMPLE / "python.jsonl").code == 0
    return {line["id"]: line["text"] for line in map(json.loads, (SAMPLE / "python.jsonl").read_text().splitlines())}


def asked(ragcli: Run, *arguments: str, code: int = 0) -> dict[str, Any]:
    result = ragcli(*arguments, "--format", "json")
    assert result.code == code, result.err
    answer: dict[str, Any] = json.loads(result.out)
    return answer


def assert_cited(answer: dict[str, Any], texts: dict[str, str]) -> None:
    """Check that each sentence stands in the document that it names, at its offsets, and in the answer."""
    ids = {source["n"]: source["id"] for source in answer["sources"]}
    for sentence in answer["sentences"]:
        text = texts[ids[sentence["source"]]]
        assert text[sentence["start"] : sentence["end"]] == sentence["text"]
        assert f"{sentence['text']} [{sentence['source']}]" in answer["answer"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_grounded_answer_is_made_of_sentences_of_the_sources_and_opens_no_model(
    ragcli: Run, texts: dict[str, str], question: str
) -> None:
    answer = asked(ragcli, "ask", question, "--style", "grounded", "--min-confidence", "0", "--model", "no/model")
    assert 1 <= len(answer["sentences"]) <= 2 and answer["style"] == "grounded" and 0 <= answer["confidence"] <= 1
    assert_cited(answer, texts)


def test_below_the_least_confidence_there_is_no_answer_but_the_sources(ragcli: Run, texts: dict[str, str]) -> None:
    answer = asked(ragcli, "ask", QUESTIONS[0], "--style", "grounded", "--min-confidence", "1", code=4)
    assert answer["abstained"] and not answer["sentences"] and len(answer["sources"]) == 5
    anyway = ("--style", "grounded", "--min-confidence", "0")
    sure, unsure = (asked(ragcli, "ask", q, *anyway)["confidence"] for q in (QUESTIONS[0], "Who may win the next war?"))
    assert sure > unsure


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_copied_answer_is_made_of_pieces_of_the_sources(ragcli: Run, texts: dict[str, str], question: str) -> None:
    answer = asked(ragcli, "ask", question, "--style", "copy", *MODEL)
    assert answer["sentences"] and answer["style"] == "copy"
    assert_cited(answer, texts)


def test_a_free_answer_says_what_supports_it(ragcli: Run, texts: dict[str, str]) -> None:
    answer = asked(ragcli, "ask", QUESTIONS[0], *MODEL)
    assert answer["style"] == "free" and answer["sentences"]
    for sentence in answer["sentences"]:
        assert sentence["text"] in answer["answer"] and 0 <= sentence["support"] <= 1
        assert (sentence["source"] is None) == (sentence["end"] == 0)


def test_a_grounded_review_quotes_the_films_reviews(ragcli: Run) -> None:
    assert ragcli("index", SAMPLE / "film_reviews.jsonl", "--index", "films").code == 0
    lines = map(json.loads, (SAMPLE / "film_reviews.jsonl").read_text().splitlines())
    reviews = {line["id"]: line["text"] for line in lines}
    answer = asked(ragcli, "review", "Inception", "--index", "films", "--style", "grounded")
    assert 2 <= len(answer["sentences"]) <= 5 and answer["title"] == "Inception (2010)"
    assert_cited(answer, reviews)
    assert len({sentence["text"] for sentence in answer["sentences"]}) == len(answer["sentences"])


@pytest.mark.parametrize("style", ["grounded", "copy"])
def test_a_batch_answers_in_each_style(ragcli: Run, texts: dict[str, str], tmp_path: Path, style: str) -> None:
    asking = write_lines(tmp_path / "q.jsonl", *({"id": str(n), "question": q} for n, q in enumerate(QUESTIONS)))
    result = ragcli("ask", "--batch", asking, "--style", style, "--min-confidence", "0", *MODEL)
    answers = [json.loads(line) for line in result.out.splitlines()]
    assert [answer["question"] for answer in answers] == QUESTIONS
    for answer in answers:
        assert_cited(answer, texts)


def test_unsupported_sentences_are_counted(ragcli: Run, texts: dict[str, str]) -> None:
    result = ragcli("ask", QUESTIONS[0], *MODEL, "--max-new-tokens", "60", "--temperature", "3", "--top-k", "0")
    assert "stand in no source" in result.err


# Summaries


def test_a_text_is_summarized_by_its_own_sentences(ragcli: Run, tmp_path: Path) -> None:
    text = "Owls hunt mice at night. Owls hunt mice in the dark. The weather was fine. Mice hide from owls at night."
    (tmp_path / "owls.txt").write_text(text)
    summary = asked(ragcli, "summarize", str(tmp_path / "owls.txt"), "--sentences", "2")
    assert len(summary["sentences"]) == 2 and "weather" not in summary["answer"]
    assert_cited(summary, {"owls.txt": text})
    about = asked(ragcli, "summarize", str(tmp_path / "owls.txt"), "--sentences", "1", "--query", "weather")
    assert about["answer"] == "The weather was fine. [1]"


def test_documents_and_the_index_are_summarized(ragcli: Run, texts: dict[str, str]) -> None:
    summary = asked(ragcli, "summarize", "--query", "lambda function", "--sentences", "3")
    assert len(summary["sentences"]) == 3 and "lambda" in summary["answer"].lower()
    assert_cited(summary, texts)
    assert len(asked(ragcli, "summarize", str(SAMPLE / "python.jsonl"), "--sentences", "4")["sentences"]) == 4


def test_nothing_to_summarize_is_told(ragcli: Run, tmp_path: Path) -> None:
    assert_two_lines(ragcli("summarize"), 2, "nothing to summarize", "--query")
    (tmp_path / "empty.txt").write_text(" \n")
    assert ragcli("summarize", tmp_path / "empty.txt").code == 3
    (tmp_path / "long.txt").write_text("".join(f"Sentence {n} is about owls. " for n in range(4_001)))
    assert_two_lines(ragcli("summarize", tmp_path / "long.txt"), 2, "too many", "--query")


def test_cited_answers_are_measured_without_their_numbers(ragcli: Run, texts: dict[str, str]) -> None:
    questions = str(SAMPLE / "python_questions" / "qa.jsonl")
    how = ("--index", "knowledge_base", "--style", "grounded", "--min-confidence", "0", "--limit", "6")
    report = asked(ragcli, "eval", "answers", questions, *how, *MODEL)
    assert report["metrics"]["groundedness"] == 1.0 and report["metrics"]["accuracy"] > 0
    assert not any("[1]" in shown["answer"] for shown in report["details"]["queries"].values())
