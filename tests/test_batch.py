"""Many questions at once: their order, their rejects, and a run that goes on after a kill."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ragcli.models import PACKAGED
from tests.support import Run, assert_two_lines, command, environment, run_process, write_lines

QUESTIONS = [
    {"id": "q1", "question": "Where does the owl sleep?"},
    {"id": "q2", "question": "What does the quick brown fox jump over, and why would it do such a thing by day?"},
    {"id": "q3", "question": "zebra"},
    {"id": "q4", "question": "Cat?"},
]


@pytest.fixture
def ask(ragcli: Run, corpus: Path) -> list[str]:
    assert ragcli("index", corpus).code == 0
    return ["ask", "--model", str(PACKAGED), "--max-new-tokens", "8", "--seed", "0"]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in ("id", "seconds")}


def test_answers_come_in_the_order_of_the_questions_as_ask_gives_them(
    ragcli: Run, ask: list[str], tmp_path: Path
) -> None:
    questions = write_lines(tmp_path / "questions.jsonl", *QUESTIONS)
    answers = lines(ragcli(*ask, "--batch", questions).out)
    assert [answer["id"] for answer in answers] == ["q1", "q2", "q3", "q4"]
    assert [answer["abstained"] for answer in answers] == [False, False, True, False]
    for question, answer in zip(QUESTIONS, answers, strict=True):
        if not answer["abstained"]:
            alone = json.loads(ragcli(*ask, question["question"], "--format", "json").out)
            assert without_times(answer) == without_times(alone)


def test_standard_input_and_output(ask: list[str]) -> None:
    done = run_process(*ask, "--batch", "-", input=b'{"question": "Where does the owl sleep?"}\n')
    assert done.code == 0 and len(lines(done.out)) == 1 and lines(done.out)[0]["id"]


def test_what_is_no_question_is_rejected_and_the_others_answered(ragcli: Run, ask: list[str], tmp_path: Path) -> None:
    questions = write_lines(
        tmp_path / "questions.jsonl",
        b"nothing",
        {"id": "q0"},
        QUESTIONS[0],
        QUESTIONS[0],
        {"id": "long", "question": "owl " * 3000},
    )
    rejects = tmp_path / "rejects.jsonl"
    result = ragcli(*ask, "--batch", questions, "--rejects", rejects)
    assert result.code == 6 and [answer["id"] for answer in lines(result.out)] == ["q1"]
    reasons = [(line["id"], line["reason"]) for line in lines(rejects.read_text())]
    assert len(reasons) == 4
    assert ("q1", "this id occurred before") in reasons
    assert any(name == "long" and "the model has room" in reason for name, reason in reasons)


def test_a_killed_run_goes_on_where_it_was(ragcli: Run, ask: list[str], tmp_path: Path) -> None:
    many = [{"id": f"q{n}", "question": f"Where does owl {n} sleep?"} for n in range(200)]
    questions, output = write_lines(tmp_path / "questions.jsonl", *many), tmp_path / "answers.jsonl"
    line = command(*ask, "--batch", str(questions), "-o", str(output))
    with subprocess.Popen(line, env=environment({}), stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not (output.exists() and output.stat().st_size) and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    before = output.read_bytes()
    assert 0 < before.count(b"\n") < 200
    with output.open("ab") as file:
        file.write(b'{"id": "q1')  # as a kill in the middle of a line leaves it
    assert_two_lines(ragcli(*ask, "--batch", questions, "-o", output), 2, "exists", "--resume")
    assert ragcli(*ask, "--batch", questions, "-o", output, "--resume").code == 0
    after = output.read_bytes()
    assert after.startswith(before)
    assert [answer["id"] for answer in lines(after.decode())] == [question["id"] for question in many]


def test_answers_are_measured_as_they_are(ragcli: Run, ask: list[str], tmp_path: Path) -> None:
    asked = [{**question, "answers": ["by day"]} for question in QUESTIONS]
    questions, output = write_lines(tmp_path / "qa.jsonl", *asked), tmp_path / "answers.jsonl"
    assert ragcli(*ask, "--batch", questions, "-o", output).code == 0
    measured, again = (
        json.loads(ragcli("eval", "answers", questions, *more, "--index", "knowledge_base", "--format", "json").out)
        for more in (["--answers", output], ask[1:])
    )
    names = ("exact_match", "f1", "accuracy", "rouge_l", "groundedness")
    assert {name: measured["metrics"][name] for name in names} == {name: again["metrics"][name] for name in names}
    output.write_text('{"no": "answer"}\n')
    assert_two_lines(ragcli("eval", "answers", questions, "--answers", output), 1, "not a file of answers")
    assert_two_lines(ragcli(*ask, "--batch", questions, "-o", output, "--resume"), 2, "holds no answers")


def test_one_thing_at_a_time(ragcli: Run, ask: list[str], tmp_path: Path) -> None:
    questions = write_lines(tmp_path / "questions.jsonl", *QUESTIONS)
    assert_two_lines(ragcli(*ask, "owl", "--batch", questions), 2, "one thing")
    assert_two_lines(ragcli("ask"), 2, "one thing")
    assert_two_lines(ragcli(*ask, "--batch", questions, "--resume"), 2, "--output")
    assert_two_lines(ragcli(*ask, "--batch", tmp_path / "none.jsonl"), 1, "no such file")
