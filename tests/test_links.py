"""From what is shown to the file it is of: links of a terminal, --open."""

import re
from pathlib import Path

import pytest

from tests.support import Run, assert_two_lines, run_on_terminal, run_process, write_lines

TEXT = "# Ants\n\nAnts are insects.\n\n## Nest\n\nA nest of ants is underground, in the earth.\n"


@pytest.fixture
def page(ragcli: Run, tmp_path: Path) -> Path:
    page = tmp_path / "my docs" / "ants.md"
    page.parent.mkdir()
    page.write_text(TEXT, encoding="utf-8")
    assert ragcli("index", page).code == 0
    return page


def links(text: str) -> list[str]:
    return [found for found in re.findall(r"\x1b\]8;[^;]*;([^\x1b\x07]*)\x1b\\", text) if found]


@pytest.mark.parametrize("words", [("search", "nest"), ("ask", "Where is the nest of ants?"), ("list",)])
def test_sources_on_a_terminal_lead_to_their_files(page: Path, words: tuple[str, ...]) -> None:
    assert f"{page.as_uri()}#5" in links(run_on_terminal(*words).out)
    assert links(run_process(*words, env={"FORCE_COLOR": "1"}).out) == []


def test_what_is_no_file_here_has_no_link(ragcli: Run, page: Path, tmp_path: Path) -> None:
    page.unlink()
    write_lines(tmp_path / "a.jsonl", {"id": "x", "text": "Nest.", "source": "no\x1bfile" * 500})
    ragcli("index", tmp_path / "a.jsonl")
    assert links(run_on_terminal("search", "nest").out) == []


def test_the_file_of_a_passage_is_opened(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "xdg-open"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > "{tmp_path}/opened"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    question = "Where is the nest of ants?"
    for words in (("show", f"{page}#nest", "--open"), ("search", "nest", "--open"), ("ask", question, "--open")):
        assert run_process(*words, cwd="/").code == 0
        opened = tmp_path / "opened"
        while not opened.exists():
            pass
        assert opened.read_text(encoding="utf-8") == str(page)
        opened.unlink()
    page.unlink()
    result = run_process("search", "nest", "--open")
    assert result.code == 1 and "is missing" in result.err


def test_only_what_was_indexed_is_opened(ragcli: Run, tmp_path: Path) -> None:
    ragcli("index", write_lines(tmp_path / "a.jsonl", {"id": "x", "text": "Nest.", "source": "/bin/sh"}))
    result = ragcli("show", "x", "--open")
    assert result.code == 1 and "not a section of a file" in result.err
    assert_two_lines(ragcli("show", "y", "--open"), 3, "no document")
