"""The log of answers: what it holds, how it is searched and gone on from, and that it never gets in the way."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from ragcli.errors import ExitCode
from ragcli.models import PACKAGED
from tests.openai_server import Server, says
from tests.support import Run, assert_two_lines, run_process, write_lines


@pytest.fixture
def indexed(ragcli: Run, corpus: Path) -> Run:
    ragcli("index", corpus)
    return ragcli


def test_an_answer_is_logged_with_its_prompt_and_its_model(indexed: Run, tmp_path: Path) -> None:
    [answer] = indexed(
        "ask", "When does an owl sleep?", "--model", PACKAGED, "--seed", "1", "--format", "json"
    ).objects()
    [entry] = indexed("logs", "--format", "json").objects()
    assert {name: entry[name] for name in answer} == answer
    assert (
        entry["prompt"].endswith("Question: When does an owl sleep?\nAnswer:") and "hunts by night" in entry["prompt"]
    )
    assert entry["command"] == "ask" and entry["time"].endswith("+00:00")
    weights = (PACKAGED / "model.safetensors").stat()
    assert entry["revision"] == f"{weights.st_size}-{weights.st_mtime_ns}"
    assert stat.S_IMODE((tmp_path / "home" / "logs.db").stat().st_mode) == 0o600


def test_the_log_is_searched_by_words_and_the_newest_is_first(indexed: Run) -> None:
    for question in ("Who jumps over a dog?", "When does an owl sleep?", "100% cat_x"):
        indexed("ask", question)
    asked = [entry["question"] for entry in indexed("logs", "--format", "json").objects()]
    assert asked == ["100% cat_x", "When does an owl sleep?", "Who jumps over a dog?"]
    found = indexed("logs", "SLEEP owl", "-n", "1", "--format", "table").out
    assert "ask" in found and "When does an owl sleep?\n" in found and "hunts by night" in found
    assert [one["question"] for one in indexed("logs", "0% t_x", "--format", "json").objects()] == ["100% cat_x"]
    assert indexed("logs", "zebra") == (0, "", "No logged answer has these words.\n")


def test_ask_goes_on_from_the_last_question(indexed: Run, server: Server, tmp_path: Path) -> None:
    assert_two_lines(indexed("ask", "-c", "And by night?"), ExitCode.USAGE, "no question to continue")
    indexed("ask", "When does an owl sleep?")
    indexed("ask", "-c", "And by night?")
    [entry] = indexed("logs", "-n", "1", "--format", "json").objects()
    assert entry["question"] == "When does an owl sleep by night?"
    assert_two_lines(indexed("ask", "-c", "--batch", "x"), ExitCode.USAGE, "--continue", "--batch")


def test_every_way_to_ask_is_logged_and_none_where_the_setting_says_so(indexed: Run, tmp_path: Path) -> None:
    batch = write_lines(tmp_path / "q.jsonl", {"id": "1", "question": "Who jumps?"})
    ways = (("ask", "--batch", batch), ("review", "the owl"), ("ask", "owl"))
    (tmp_path / "off.toml").write_text("log = false")
    for off in ({"RAGCLI_LOG": "false"}, {"RAGCLI_CONFIG": str(tmp_path / "off.toml")}):
        assert all(run_process(*way, env=off).code == 0 for way in ways)
    indexed("ask", "owl", "--no-log")
    assert not (tmp_path / "home" / "logs.db").exists()
    assert all(indexed(*way).code == 0 for way in ways)
    run_process("chat", input=b"When does an owl sleep?\nThanks!\n")
    logged = [entry["command"] for entry in indexed("logs", "--format", "json").objects()]
    assert logged == ["chat", "ask", "review", "ask"]


def test_a_server_is_the_revision_of_its_model(indexed: Run, server: Server) -> None:
    server.replies(says("By day."))
    indexed("ask", "When does an owl sleep?", "--base-url", server.url)
    [entry] = indexed("logs", "--format", "json").objects()
    assert (entry["model"], entry["revision"]) == ("tiny", server.url)


def test_a_log_that_cannot_be_written_stops_no_answer(indexed: Run, tmp_path: Path) -> None:
    path = tmp_path / "home" / "logs.db"
    path.write_bytes(b"no database, but a text that is longer than a header" * 9)
    answered = indexed("ask", "When does an owl sleep?")
    assert answered.code == 0 and "hunts by night" in answered.out and "not logged: " in answered.err
    assert_two_lines(indexed("logs"), ExitCode.ERROR, str(path), "not a database")
    path.unlink()
    indexed("ask", "owl")
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("begin exclusive")
        answered = indexed("ask", "When does an owl sleep?")
        assert answered.code == 0 and "locked" in answered.err
    other.close()
    os.truncate(path, 0)
    assert indexed("ask", "owl").err == ""
