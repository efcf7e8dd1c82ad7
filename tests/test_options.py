"""Combinations of options that mean nothing are refused before any work; what the settings say is never refused."""

from pathlib import Path

import pytest

from ragcli.cli.writing import GENERATION
from tests.support import ROOT, Run, run_process

Q = "sample_data/python_questions"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ask owl --resume", "--resume has no effect without --batch"),
        ("ask owl -o out.jsonl", "--output has no effect without --batch"),
        ("ask owl --rejects out.jsonl", "--rejects has no effect without --batch"),
        ("ask --batch q.jsonl --resume", "--resume has no effect without --output"),
        ("ask --batch q.jsonl --dry-run", "--batch and --dry-run do not go together"),
        ("ask --batch q.jsonl --show-sources", "--batch and --show-sources do not go together"),
        ("ask owl --batch q.jsonl", "give exactly one thing to answer"),
        ("ask", "give exactly one thing to answer"),
        ("search", "give exactly one thing to search for"),
        ("search owl --like 1", "give exactly one thing to search for"),
        ("generate x --lines --num-return-sequences 2", "--lines and --num-return-sequences do not go together"),
        ("summarize", "there is nothing to summarize"),
        ("summarize README.md --index a", "file and --index do not go together"),
        ("train a.jsonl", "the new model has no name"),
        ("train a.jsonl --output a --from-scratch --model gpt2", "--from-scratch and --model do not go together"),
        ("train a.jsonl --output a --layers 2", "--layers has no effect without --from-scratch"),
        ("train a.jsonl --output a --resume --dry-run", "--dry-run and --resume do not go together"),
        ("train a.jsonl --output a --reader --context 8", "--reader and --context do not go together"),
        (f"eval retrieval {Q} --run r.txt --mode semantic", "--run and --mode do not go together"),
        (f"eval retrieval {Q} --max-drop 1", "--max-drop has no effect without --baseline"),
        (f"eval answers {Q} --answers a.jsonl --model gpt2", "--answers and --model do not go together"),
    ],
)
def test_what_means_nothing_is_refused(ragcli: Run, line: str, message: str) -> None:
    result = ragcli(*line.split())
    assert result.code == 2
    assert result.out == ""
    first, hint = result.err.splitlines()
    assert first == f"Error: {message}"
    assert hint


@pytest.mark.parametrize("command", ["ask", "review"])
def test_a_style_without_a_prompt_has_no_dry_run(ragcli: Run, command: str) -> None:
    result = ragcli(command, "owl", "--dry-run", "--style", "grounded")
    assert (result.code, result.out) == (2, "")
    assert "--style grounded and --dry-run do not go together" in result.err


def test_settings_are_never_refused(ragcli: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A default for every run would else stop the runs that have no use for it."""
    (tmp_path / "own.toml").write_text('rejects = "rejects.jsonl"\nmax-drop = 0.1\n', encoding="utf-8")
    monkeypatch.setenv("RAGCLI_CONFIG", str(tmp_path / "own.toml"))
    ragcli("index", corpus, "--rejects", tmp_path / "other.jsonl")
    assert ragcli("ask", "owl").code in (0, 4)


@pytest.mark.parametrize(("name", "value"), [("RAGCLI_PRECISION", "float32"), ("RAGCLI_STORE", "local")])
def test_a_setting_of_the_environment_does_not_choose_the_style(
    ragcli: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    ragcli("index", corpus)
    monkeypatch.setenv(name, value)
    assert ragcli("ask", "owl", "--format", "json").objects()[0]["style"] == "grounded"


def test_ways_to_write_in_the_settings_do_not_choose_the_style(
    ragcli: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "temperature" in GENERATION
    ragcli("index", corpus)
    (tmp_path / "own.toml").write_text("temperature = 0.5\n", encoding="utf-8")
    monkeypatch.setenv("RAGCLI_CONFIG", str(tmp_path / "own.toml"))
    assert ragcli("ask", "owl", "--format", "json").objects()[0]["style"] == "grounded"


@pytest.mark.parametrize("where", ["command line", "environment", "settings"])
def test_a_model_named_anywhere_writes_freely(
    ragcli: Run, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    model = str(ROOT / "ragcli" / "small_gpt2")
    ragcli("index", corpus)
    if where == "environment":
        monkeypatch.setenv("RAGCLI_MODEL", model)
    elif where == "settings":
        (tmp_path / "own.toml").write_text(f"model = '{model}'\n", encoding="utf-8")
        monkeypatch.setenv("RAGCLI_CONFIG", str(tmp_path / "own.toml"))
    named = ("--model", model) if where == "command line" else ()
    answer = ragcli("ask", "owl", *named, "--format", "json").objects()[0]
    assert answer["style"] == "free"


def test_lines_end_at_line_feeds_only(ragcli: Run, tmp_path: Path) -> None:
    text = "one\u2028still one\x0cand still\r\n\ntwo\n"
    model = ROOT / "ragcli" / "small_gpt2"
    result = ragcli("generate", "--lines", text, "--model", model, "--max-new-tokens", "1", "--format", "json")
    assert [line["prompt"] for line in result.objects()] == ["one\u2028still one\x0cand still", "two"]


def test_sources_in_a_conversation_in_json_are_json(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    history = tmp_path / "turns.jsonl"
    result = run_process("chat", "--format", "json", "--history", history, input=b"owl\n/sources\n")
    turn, sources = result.objects()
    assert sources == {"sources": turn["sources"]}
    assert len(history.read_bytes().splitlines()) == 1
