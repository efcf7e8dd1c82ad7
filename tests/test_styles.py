"""Answers in three styles, on the sample texts: what is cited stands in the documents, word by word."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ragcli.models import PACKAGED
from ragcli.settings import data_home
from tests.support import ROOT, Run, assert_two_lines, run_process, write_lines

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
    assert 4 <= len(answer["sentences"]) <= 6 and answer["title"] == "Inception (2010)"
    assert_cited(answer, reviews)
    assert len({sentence["text"] for sentence in answer["sentences"]}) == len(answer["sentences"])


@pytest.mark.parametrize("style", ["free", "grounded", "copy"])
def test_a_batch_answers_in_each_style_as_ask_does(
    ragcli: Run, texts: dict[str, str], tmp_path: Path, style: str
) -> None:
    asking = write_lines(tmp_path / "q.jsonl", *({"id": str(n), "question": q} for n, q in enumerate(QUESTIONS)))
    how = ("--style", style, "--min-confidence", "0", *MODEL, "--precision", "float32")
    answers = [json.loads(line) for line in ragcli("ask", "--batch", asking, *how).out.splitlines()]
    assert [answer["question"] for answer in answers] == QUESTIONS
    for answer in answers:
        alone = asked(ragcli, "ask", answer["question"], *how)
        del alone["seconds"]
        assert {name: answer[name] for name in alone} == alone


def test_each_line_of_a_text_file_is_a_question(ragcli: Run, texts: dict[str, str], tmp_path: Path) -> None:
    path, lines = tmp_path / "q.txt", write_lines(tmp_path / "q.jsonl", *({"question": q} for q in QUESTIONS))
    path.write_bytes(("\ufeff" + "\r\n\n".join(QUESTIONS)).encode() + b"\n\xff\n")
    done = ragcli("ask", "--batch", path, "--style", "grounded")
    answers = [json.loads(line) for line in done.out.splitlines()]
    known = [json.loads(line) for line in ragcli("ask", "--batch", lines, "--style", "grounded").out.splitlines()]
    assert [(one["id"], one["answer"]) for one in answers] == [(one["id"], one["answer"]) for one in known]
    assert done.code == 6 and "UTF-8" in done.err


def test_what_cannot_be_copied_from_any_passage_is_not_answered(ragcli: Run, texts: dict[str, str]) -> None:
    """Where no passage fits beside the question, a copy has nothing to say; it does not write freely."""
    how = ("--style", "copy", "--model", str(PACKAGED), "--max-new-tokens", "1007")
    answer = asked(ragcli, "ask", "lambda", *how, code=4)
    assert answer["abstained"] and answer["answer"] == "" and answer["dropped"]


def test_unsupported_sentences_are_counted(ragcli: Run, texts: dict[str, str]) -> None:
    result = ragcli("ask", QUESTIONS[0], *MODEL, "--max-new-tokens", "60", "--temperature", "3", "--top-k", "0")
    assert "not supported by a source" in result.err


@pytest.mark.parametrize(
    ("named", "style"),
    [
        ((), "grounded"),
        (("--min-confidence", "0.1"), "grounded"),
        (("--model", str(PACKAGED)), "free"),
        (("--seed", "1", "--max-new-tokens", "4"), "free"),
        (("--style", "grounded", "--seed", "1"), "grounded"),
        (("--style", "copy"), "copy"),
    ],
)
def test_the_model_writes_where_it_or_a_way_to_write_is_named(
    ragcli: Run, texts: dict[str, str], named: tuple[str, ...], style: str
) -> None:
    assert asked(ragcli, "ask", "What is a lambda?", *named)["style"] == style


def test_the_model_writes_where_the_environment_or_the_settings_name_it(
    ragcli: Run, texts: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGCLI_MODEL", str(PACKAGED))
    assert asked(ragcli, "ask", "What is a lambda?")["style"] == "free"
    monkeypatch.delenv("RAGCLI_MODEL")
    (tmp_path / "settings.toml").write_text(f"[ask]\nmodel = '{PACKAGED}'\n")
    monkeypatch.setenv("RAGCLI_CONFIG", str(tmp_path / "settings.toml"))
    assert asked(ragcli, "ask", "What is a lambda?")["style"] == "free"


# Summaries


def test_a_text_is_summarized_by_its_own_sentences(ragcli: Run, tmp_path: Path) -> None:
    text = "Owls hunt mice at night. Owls hunt mice in the dark. The weather was fine. Mice hide from owls at night."
    (tmp_path / "owls.txt").write_text(text)
    summary = asked(ragcli, "summarize", str(tmp_path / "owls.txt"), "--sentences", "2")
    assert len(summary["sentences"]) == 2 and "weather" not in summary["answer"]
    assert_cited(summary, {"owls.txt": text})
    about = asked(ragcli, "summarize", str(tmp_path / "owls.txt"), "--sentences", "1", "--query", "weather")
    assert about["answer"] == "The weather was fine. [1]"


def test_list_items_become_sentences_of_a_summary(ragcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "list.md"
    path.write_text("- Owls hunt mice at night.\n- Owls sleep in trees by day.\n", encoding="utf-8")
    shown = ragcli("summarize", path).out
    assert shown.startswith("Owls hunt mice at night. [1] Owls sleep in trees by day. [1]\n")


def test_a_summary_is_shown_without_the_line_breaks_of_its_text(ragcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "owls.txt"
    path.write_text(
        "The owls of the old park hunt all kinds of\n  mice at night. Mice hide from the owls of the park.",
        encoding="utf-8",
    )
    shown = ragcli("summarize", path).out.splitlines()
    assert shown == [
        "The owls of the old park hunt all kinds of mice at night. [1] Mice hide from the owls of the park. [1]",
        "",
        "[1] owls.txt  0-96",
    ]
    path.write_text("猫头鹰在公园的老树上过夜，\n天黑以后捕捉老鼠。老鼠躲避公园的猫头鹰。", encoding="utf-8")
    assert ragcli("summarize", path).out.startswith("猫头鹰在公园的老树上过夜，天黑以后捕捉老鼠。 [1]")


def test_documents_and_the_index_are_summarized(ragcli: Run, texts: dict[str, str]) -> None:
    summary = asked(ragcli, "summarize", "--query", "lambda function", "--sentences", "3")
    assert len(summary["sentences"]) == 3 and "lambda" in summary["answer"].lower()
    assert_cited(summary, texts)
    of_all = asked(ragcli, "summarize", str(SAMPLE / "python.jsonl"), "--sentences", "4")
    assert len(of_all["sentences"]) == 4
    assert_cited(of_all, texts)
    assert {source["n"] for source in of_all["sources"]} == {sentence["source"] for sentence in of_all["sentences"]}


def test_nothing_to_summarize_is_told(ragcli: Run, tmp_path: Path) -> None:
    assert_two_lines(ragcli("summarize"), 2, "nothing to summarize", "--query")
    (tmp_path / "empty.txt").write_text(" \n")
    assert ragcli("summarize", tmp_path / "empty.txt").code == 3
    (tmp_path / "long.txt").write_text("".join(f"Sentence {n} is about owls. " for n in range(4_001)))
    assert_two_lines(ragcli("summarize", tmp_path / "long.txt"), 2, "too many", "--query")


TWO_TEXTS = (
    {
        "id": "lake",
        "title": "Lake",
        "text": "The lake is deep and cold in May. Boats may cross it with a licence.",
        "m": 300,
    },
    {"id": "hill", "text": "The hill is high and green in June. Sheep graze there.", "m": 900},
)


@pytest.mark.parametrize("name", ["d.jsonl", "d.ndjson", "d.jsonl.gz", "-"])
def test_json_lines_are_documents_wherever_they_come_from(ragcli: Run, tmp_path: Path, name: str) -> None:
    """By the name, on standard input by the first line."""
    lines = write_lines(tmp_path / "lines", *TWO_TEXTS).read_bytes()
    if name == "-":
        done = run_process("summarize", "-", "--sentences", "2", "--format", "json", input=lines)
    else:
        (tmp_path / name).write_bytes(gzip.compress(lines) if name.endswith(".gz") else lines)
        done = run_process("summarize", tmp_path / name, "--sentences", "2", "--format", "json")
    [summary] = done.objects()
    assert {source["id"] for source in summary["sources"]} == {"lake", "hill"}
    assert_cited(summary, {str(one["id"]): str(one["text"]) for one in TWO_TEXTS})


def test_a_folder_a_compressed_text_and_a_byte_order_mark_are_summarized(ragcli: Run, tmp_path: Path) -> None:
    write_lines(tmp_path / "folder" / "d.jsonl", *TWO_TEXTS)
    assert len(asked(ragcli, "summarize", str(tmp_path / "folder"), "--sentences", "2")["sources"]) == 2
    (tmp_path / "t.txt.gz").write_bytes(gzip.compress("\ufeffThe lake is deep and cold.".encode()))
    assert asked(ragcli, "summarize", str(tmp_path / "t.txt.gz"))["answer"] == "The lake is deep and cold. [1]"
    assert_two_lines(ragcli("summarize", tmp_path / "no.txt"), 1, "no such file")


def test_what_is_no_document_is_counted_and_kept(ragcli: Run, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "d.jsonl", *TWO_TEXTS)
    path.write_text(path.read_text() + "not JSON\n{}\n")
    done = ragcli("summarize", path, "--rejects", tmp_path / "rejects.jsonl", "--format", "json")
    assert done.code == 6 and len(done.objects()) == 1
    assert "d.jsonl:3: not JSON" in done.err and "d.jsonl:4: no 'text' field" in done.err
    assert [json.loads(line)["line"] for line in (tmp_path / "rejects.jsonl").read_text().splitlines()] == [3, 4]


def test_filters_apply_to_the_documents_of_a_file(ragcli: Run, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "d.jsonl", *TWO_TEXTS)
    for condition, found in (("m>500", "hill"), ("m!=900", "lake"), ("id=hill", "hill"), ("title=lake", "lake")):
        summary = asked(ragcli, "summarize", str(path), "--where", condition)
        assert {source["id"] for source in summary["sources"]} == {found}
    assert ragcli("summarize", path, "--where", "m>1000").code == 3
    assert_two_lines(ragcli("summarize", path, "--where", "height>5"), 1, "no document of", "Its fields: m")


def test_cited_answers_are_measured_without_their_numbers(ragcli: Run, texts: dict[str, str]) -> None:
    questions = str(SAMPLE / "python_questions" / "qa.jsonl")
    how = ("--index", "knowledge_base", "--style", "grounded", "--min-confidence", "0", "--limit", "6")
    report = asked(ragcli, "eval", "answers", questions, *how, *MODEL)
    assert report["metrics"]["groundedness"] == 1.0 and report["metrics"]["accuracy"] > 0
    assert not any("[1]" in shown["answer"] for shown in report["details"]["queries"].values())


# Conversations: what leans on what is tested with the rules, in test_chat.py


def test_a_conversation_in_a_pipe(ragcli: Run, texts: dict[str, str], tmp_path: Path) -> None:
    said = "What is a lambda function?\n\n/sources\nCan it contain statements?\n/quit\nnever heard\n"
    history = tmp_path / "turns.jsonl"
    done = run_process(
        *("chat", "--style", "grounded", "--min-confidence", "0", "--history", str(history)), input=said.encode()
    )
    assert done.code == 0 and "lambda" in done.out and "glossary/lambda" in done.out
    turns = [json.loads(line) for line in history.read_text().splitlines()]
    assert [turn["said"] for turn in turns] == ["What is a lambda function?", "Can it contain statements?"]
    assert turns[1]["question"] == "Can a lambda function contain statements?"
    for turn in turns:
        assert_cited(turn, texts)


def test_json_of_a_conversation_is_nothing_but_lines_of_json(ragcli: Run, texts: dict[str, str]) -> None:
    said = b"/sources\nWhat is a lambda function?\n/sources\n/help\nzebra crossing quux\n"
    done = run_process("chat", "--style", "grounded", "--format", "json", input=said)
    turn, sources = done.objects()[:2]
    assert turn["said"] == "What is a lambda function?" and sources["sources"] == turn["sources"]


def test_a_conversation_goes_on_after_a_question_that_nothing_matches(ragcli: Run, texts: dict[str, str]) -> None:
    done = run_process("chat", "--style", "grounded", input=b"zebra crossing quux\n\xff\nWhat is a lambda function?\n")
    assert done.code == 0 and "nothing in the index matches" in done.err and "Traceback" not in done.err
    assert (data_home() / "chat.jsonl").read_text().count("\n") == 1
