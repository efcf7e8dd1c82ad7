"""On a terminal: a table with marked terms, a progress bar, and not one control character of a document."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ragcli.settings import data_home
from tests.support import Result, Run, run_on_terminal, run_process, write_lines

STYLE = re.compile(r"\x1b\[[0-9;]*m")
CURSOR = re.compile(r"\x1b\[(?:\?25[lh]|[0-9]*[AGK])")  # what a progress bar needs: hide, show, up, column, erase
CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
EVIL = {
    "clear screen": "\x1b[2J\x1b[H",
    "window title": "\x1b]0;pwned\x07",
    "C1 control": "\x9b31m\x9d0;pwned\x9c",
    "overwriting": "harmless\rmalicious\b\b",
    "bidirectional": "\u202eevil\u2066\u200f",
    "bell, delete, form feed": "\x07\x7f\x0c\x0b\x00",
    "line ends": "one\r\ntwo\u2028three\u2029four\x85five",
}
MARKUP = "[bold red]red[/bold red] [/] [link=http://x]link[/link] :smile: \\[x] {x} %s"


def assert_harmless(shown: str) -> None:
    """Check that nothing but colours and line ends came through."""
    rest = STYLE.sub("", shown).replace("\r\n", "\n")
    assert not CONTROL.search(rest) and "\r" not in rest, ascii(shown)


@pytest.fixture
def evil(ragcli: Run, tmp_path: Path) -> list[dict[str, Any]]:
    """Index documents that try to take the terminal over in every field."""
    lines = [
        {"id": f"{n}{bad}id", "title": f"{bad}title", "text": f"dragon {bad} dragon", f"f{bad}": bad}
        for n, bad in enumerate([*EVIL.values(), MARKUP])
    ]
    assert ragcli("index", write_lines(tmp_path / "evil.jsonl", *lines)).code == 0
    return lines


def test_a_terminal_gets_a_table_with_marked_terms(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    shown = run_on_terminal("search", "jumping foxes")
    lines = STYLE.sub("", shown.out).splitlines()
    assert shown.code == 0
    assert lines[0].split() == ["#", "Score", "Document", "Passage"]
    assert "The fox" in lines[2] and "A quick brown fox jumps over a lazy dog." in lines[2] and "fox" in lines[3]
    for word in ("fox", "jumps"):
        assert f"\x1b[1;33m{word}\x1b[0m" in shown.out
    assert "\x1b[1;33mquick" not in shown.out


def test_no_color_is_honoured(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    shown = run_on_terminal("search", "fox", env={"NO_COLOR": "1"})
    assert "The fox" in shown.out
    assert not re.search(r"\x1b\[(?:[0-9;]*;)?[349][0-9]", shown.out)
    assert "\x1b" not in run_on_terminal("search", "fox", env={"TERM": "dumb"}).out


def test_a_long_passage_is_cut_around_its_matches(ragcli: Run, tmp_path: Path) -> None:
    text = f"{'nothing here ' * 40}the dragon\r\nsleeps{' nothing there' * 40}"
    ragcli("index", write_lines(tmp_path / "a.jsonl", {"text": text}))
    shown = " ".join(STYLE.sub("", run_on_terminal("search", "dragon").out).split())
    assert "the dragon" in shown and "dragon sleeps" in re.sub(r" [0-9a-f]+ ", " ", shown) and shown.count("…") >= 2
    assert "\ufffd" not in shown


def test_documents_cannot_send_control_characters_to_a_terminal(evil: list[dict[str, Any]]) -> None:
    shown = run_on_terminal("search", "dragon", "-k", "50")
    assert shown.code == 0
    assert_harmless(shown.out)
    assert shown.out.count("\ufffd") > 20


def test_markup_in_documents_is_text(evil: list[dict[str, Any]]) -> None:
    shown = STYLE.sub("", run_on_terminal("search", "link smile").out)
    for word in MARKUP.split():
        assert word in shown


def test_json_on_a_terminal_is_harmless_and_exact(evil: list[dict[str, Any]]) -> None:
    shown = run_on_terminal("search", "dragon", "-k", "50", "--format", "json")
    assert_harmless(shown.out)
    hits = [json.loads(line) for line in shown.out.replace("\r\n", "\n").split("\n") if line]
    assert sorted(hit["id"] for hit in hits) == sorted(line["id"] for line in evil)
    assert {hit["title"] for hit in hits} == {line["title"] for line in evil}


def test_json_escapes_what_a_terminal_would_obey_in_a_pipe_as_well(evil: list[dict[str, Any]]) -> None:
    assert_harmless(run_process("search", "dragon", "-k", "50").out)


def test_sources_of_an_answer_are_harmless(evil: list[dict[str, Any]]) -> None:
    shown = run_on_terminal("ask", "dragon", "-k", "50", "--min-score", "1000")
    assert shown.code == 4 and "title" in shown.out
    assert_harmless(shown.out)


@pytest.mark.parametrize("bad", EVIL)
def test_notes_and_errors_are_harmless(ragcli: Run, evil: list[dict[str, Any]], tmp_path: Path, bad: str) -> None:
    """Whatever a document, a file's name or an argument holds, stderr stays clean."""
    text = EVIL[bad].replace("\0", "")
    reject = write_lines(tmp_path / f"reject{text}.jsonl".replace("/", ""), b'{"text": 1}')
    results = [
        ragcli("search", "dragon", "--where", "nothing=1"),  # names the fields that there are
        ragcli("search", "dragon", "--where", f"{text}=1"),
        ragcli("search", "dragon", "--index", text),
        ragcli("search", "dragon", "--store", text),
        ragcli("search", "dragon", "--store", f"http://{text}:80"),
        ragcli("search", f"--{text}"),
        ragcli(f"x{text}"),
        ragcli("review", f"dragon slayer {text}"),
        ragcli("index", reject, "--text-field", "text"),
        ragcli("index", f"missing{text}"),
        ragcli("generate", "x", "--model", f"./{text}"),
    ]
    for result in results:
        assert result.code in (1, 2, 3, 5, 6)
        assert_harmless(result.err)
    assert_harmless(ragcli("index", write_lines(tmp_path / "good.jsonl", {"text": "x"}), "--prune", "--dry-run").out)


# Answers


def on_terminal(ragcli: Run, corpus: Path, *arguments: str) -> str:
    ragcli("index", corpus)
    return run_on_terminal("ask", *arguments, "--show-sources", "-k", "1").out.replace("\r\n", "\n")


def test_what_is_cited_is_marked_in_its_passage(ragcli: Run, tmp_path: Path) -> None:
    text = "Trees grow. An owl\nsleeps by day. Bread is made of flour."
    corpus = write_lines(tmp_path / "a.jsonl", {"id": "owl", "text": text}, {"id": "x", "text": "By day."})
    grounded = ("--style", "grounded", "--min-confidence", "0", "--length", "short")
    shown = on_terminal(ragcli, corpus, "When does an owl sleep?", *grounded)
    assert STYLE.sub("", shown).startswith("An owl sleeps by day. [1]  ")
    assert "\x1b[1m" in shown.partition(" [1]")[0]
    assert "Trees grow. \x1b[1;33mAn owl\x1b[0m\n\x1b[1;33msleeps by day.\x1b[0m Bread" in shown
    piped = ragcli("ask", "When does an owl sleep?", *grounded, "--show-sources", "-k", "1").out
    assert piped == re.sub(
        r"(?<=\[1\])  (?:sure|likely|unsure)$", "", STYLE.sub("", shown), count=1, flags=re.MULTILINE
    )


def test_of_a_long_source_only_what_is_cited_is_shown(ragcli: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{'Nothing here. ' * 200}Owls sleep by day.{' Nothing there.' * 200}")
    shown = run_on_terminal(
        "summarize", tmp_path / "a.txt", "--query", "owls", "--sentences", "1", "--show-sources"
    ).out
    assert "… " in shown and "\x1b[1;33mOwls sleep by day.\x1b[0m" in shown and " …" in shown
    assert 200 < len(STYLE.sub("", shown)) < 700


def test_a_sentence_that_no_source_supports_is_dimmed_and_counted(ragcli: Run, corpus: Path) -> None:
    invented = ("--seed", "1", "--temperature", "3", "--top-k", "0", "--max-new-tokens", "40")
    shown = on_terminal(ragcli, corpus, "When does an owl sleep?", "--style", "free", *invented)
    assert re.search("(is|are) not supported by a source", shown) and re.search(r"\x1b\[2m[^\x1b]{20}", shown)


CHAT = ("chat", "--style", "grounded", "--min-confidence", "0")


def test_a_conversation_in_a_pipe_shows_what_its_answer_is_built_on(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    done = run_process(*CHAT, input=b"/sources\nWhen does an owl sleep?\n/sources\n/help\n")
    assert done.out.splitlines()[0].startswith("> When does an owl sleep?") and "The owl  owl 0-40" in done.out
    assert done.out.count("An owl sleeps by day and hunts by night.") == 2
    assert done.err == "unknown command /help; use /sources or /quit\n"


def test_a_conversation_on_a_terminal_goes_back_to_earlier_lines(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    shown = run_on_terminal(*CHAT, typed=b"When does an owl sleep?\n\x1b[A\n\xff\n/quit\n")
    assert shown.code == 0 and "Traceback" not in shown.out
    turns = [json.loads(line) for line in (data_home() / "chat.jsonl").read_text().splitlines()]
    assert [turn["said"] for turn in turns] == [*["When does an owl sleep?"] * 2, "\ufffd"]


# Progress


def index_with_progress(tmp_path: Path, **options: Any) -> Result:
    lines = ({"id": f"d{n}", "text": f"Text number {n}. " * 20} for n in range(5_000))
    return run_on_terminal("index", write_lines(tmp_path / "a.jsonl", *lines), out=False, **options)


def test_a_terminal_gets_a_progress_bar_with_its_rate_that_leaves_no_trace(tmp_path: Path) -> None:
    result = index_with_progress(tmp_path)
    shown = STYLE.sub("", result.err)
    assert "Indexing" in shown and re.search(r"5,000 · [0-9,]+/s", shown)
    assert shown.endswith("\x1b[2K")
    assert not CONTROL.search(CURSOR.sub("", shown))
    assert result.out.startswith("5,000 read, 5,000 added") and len(result.out.splitlines()) == 1


def test_a_pipe_gets_no_progress_bar(tmp_path: Path, corpus: Path) -> None:
    assert run_process("index", corpus, env={"FORCE_COLOR": "1"}).err == ""
