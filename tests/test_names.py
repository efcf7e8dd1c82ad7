"""What a question names and no text has: nothing is answered, and it is said why."""

import json
from pathlib import Path

import pytest

from tests.support import Run


@pytest.fixture
def countries(ragcli: Run, tmp_path: Path) -> None:
    texts = {
        "a": "The capital of Austria is Vienna. The capital is on the Danube.",
        "u": "The limit of the upload is max_upload: a size in bytes. Set max_files as well.",
    }
    path = tmp_path / "countries.jsonl"
    path.write_text("".join(json.dumps({"id": key, "text": text}) + "\n" for key, text in texts.items()))
    assert ragcli("index", str(path)).code == 0


@pytest.mark.usefixtures("countries")
@pytest.mark.parametrize(
    ("question", "name", "nearest"),
    [
        ("What is the capital of Australia?", "Australia", "Austria"),
        ("How is max_upload_size set?", "max_upload_size", ""),
    ],
)
def test_a_name_that_no_text_has_is_told(ragcli: Run, question: str, name: str, nearest: str) -> None:
    done = ragcli("ask", question, "--format", "json")
    answer = json.loads(done.out)
    assert done.code == 4 and answer["answer"] == "" and answer["abstained"]
    assert answer["missing"] == [{"name": name, "nearest": nearest}]
    assert answer["nearest"]["text"] and answer["nearest"]["source"] == 1
    assert f"the texts do not mention {name}" in ragcli("ask", question).err


@pytest.mark.usefixtures("countries")
@pytest.mark.parametrize(
    "question",
    [
        "I like rivers. Whatever is the capital of Austria?",
        "What is the capital of Austria?",
        "What is Max_upload?",
        "What are max_uploads?",
        "capital of Austrria",
    ],
)
def test_a_name_that_stands_in_the_texts_or_is_misspelt_is_answered(ragcli: Run, question: str) -> None:
    answer = json.loads(ragcli("ask", question, "--format", "json", "--min-confidence", "0").out)
    assert answer["missing"] == [] and answer["answer"]


@pytest.mark.usefixtures("countries")
def test_where_the_texts_are_about_something_else_nothing_is_shown(ragcli: Run) -> None:
    done = ragcli("ask", "How do I set a broken bone?", "--min-confidence", "1")
    assert done.code == 4 and done.out == ""
    assert done.err == "no answer: the texts say nothing about it. Try other words, or index more texts.\n"


@pytest.mark.usefixtures("countries")
def test_of_what_may_help_only_its_source_is_shown(ragcli: Run) -> None:
    shown = ragcli("ask", "What is the capital of Australia?").out
    assert "Vienna" in shown and "[1] " in shown and "[2] " not in shown


@pytest.mark.usefixtures("countries")
def test_of_an_endless_question_only_the_beginning_is_read_and_few_names_are_looked_up(ragcli: Run) -> None:
    question = "What is the capital of Austria? " + "so " * 1000
    whole, longer = (
        json.loads(ragcli("ask", text, "--format", "json", "--min-confidence", "0").out)
        for text in (question, question + "The limit of the upload is max_upload. " * 9000)
    )
    assert (whole["confidence"], whole["answer"]) == (longer["confidence"], longer["answer"])
    names = " ".join(f"max_{n}" for n in range(30))
    assert len(json.loads(ragcli("ask", f"What is the capital? {names}", "--format", "json").out)["missing"]) == 20


@pytest.mark.usefixtures("countries")
def test_lengths(ragcli: Run) -> None:
    def asked(length: str) -> str:
        argv = ("ask", "What is the capital of Austria?", "--format", "json", "--min-confidence", "0")
        return str(json.loads(ragcli(*argv, "--length", length).out)["answer"])

    assert asked("short") == "The capital of Austria is Vienna. [1]"
    assert len(asked("short")) < len(asked("normal")) <= len(asked("long"))
