"""The commands that look at ragcli itself: doctor, config show."""

from pathlib import Path

import pytest

from tests.elastic.server import Server
from tests.support import Run, assert_two_lines


def states(ragcli: Run, *arguments: str | Path) -> dict[str, str]:
    [found] = ragcli("doctor", *arguments, "--format", "json").objects()
    return {check["name"]: check["state"] for check in found["checks"]}


def test_all_is_well_with_an_index(ragcli: Run, corpus: Path) -> None:
    assert states(ragcli)["index"] == "warning"  # there is none yet, which is no fault
    assert ragcli("index", corpus).code == 0
    assert set(states(ragcli).values()) == {"ok"}
    result = ragcli("doctor")
    assert result.code == 0
    assert "knowledge_base: 3 documents, 3 passages, language en" in result.out
    assert "1 index (knowledge_base)" in result.out
    assert "watch, serve, mcp" in result.out


def test_a_damaged_index_fails_and_says_what_mends_it(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    segment = max((tmp_path / "home" / "indexes" / "knowledge_base" / "text").glob("*.store"))
    content = bytearray(segment.read_bytes())
    content[10] ^= 1
    segment.write_bytes(content)
    result = ragcli("doctor")
    assert result.code == 1
    assert "FAILED   index" in result.out and "→ Build it again" in result.out


def test_a_store_that_does_not_answer_stops_no_other_check(ragcli: Run) -> None:
    found = states(ragcli, "--store", "http://127.0.0.1:9")
    assert (found["store"], found["index"], found["reader"]) == ("failed", "failed", "ok")


def test_a_server_says_what_it_is(ragcli: Run, corpus: Path, elasticsearch: Server) -> None:
    at = ("--store", elasticsearch.url, "--index", "doctor-test")
    assert ragcli("index", corpus, "--rebuild", *at).code == 0
    result = ragcli("doctor", *at)
    assert result.code == 0
    assert "Elasticsearch 8." in result.out and "basic" in result.out


def values(ragcli: Run, *words: str) -> dict[str, tuple[object, str]]:
    found = ragcli("config", "show", *words).objects()
    return {one["name"]: (one["value"], one["origin"].partition(":")[0]) for one in found}


def test_each_setting_has_its_origin(ragcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ragcli.toml"
    file.write_text('candidates = 20\nindex = "notes"\n[ask]\nmin_score = 2.0\n', encoding="utf-8")
    monkeypatch.setenv("RAGCLI_CONFIG", str(file))
    monkeypatch.setenv("RAGCLI_INDEX", "films")
    monkeypatch.setenv("RAGCLI_API_KEY", "secret")
    monkeypatch.setenv("RAGCLI_STORE", "http://me:secret@localhost:9200")
    found = values(ragcli, "ask", "-k", "3")
    assert found["-k"] == (3, "command line")
    assert found["--index"] == ("films", "environment")
    assert found["--min-score"] == (2.0, "file")
    assert found["--weight"] == (0.5, "default")
    assert found["--store"] == ("http://localhost:9200", "environment")
    assert found["RAGCLI_API_KEY"] == ("set", "environment")
    everywhere = {(one["command"], one["name"]) for one in ragcli("config", "show").objects()}
    assert {("", "--candidates"), ("ask", "--min-score"), ("search", "--explain")} <= everywhere
    assert "secret" not in ragcli("config", "show", "--format", "table").out
    assert_two_lines(ragcli("config", "show", "nothing"), 2, "unknown command: nothing")
