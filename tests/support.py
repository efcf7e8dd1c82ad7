"""Shared by the command line's tests: a world of one's own, ways to run ragcli, inputs to write."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ragcli.cli import main

ROOT = Path(__file__).parents[1]
COMMANDS = (
    *("index", "search", "generate", "ask", "review", "summarize", "chat", "train"),
    *("list", "show", "delete", "status", "export", "copy", "doctor", "config show"),
    *("serve", "mcp"),
    *("models list", "models show", "models pull", "models remove"),
    *("template list", "template show", "logs"),
    *("eval retrieval", "eval answers", "eval perplexity", "eval compare"),
)
SUMMARY_KEYS = ["read", "added", "updated", "unchanged", "deleted", "rejected", "documents", "passages", "seconds"]


class Result(NamedTuple):
    """Hold what a command line left behind."""

    code: int
    out: str
    err: str

    def objects(self) -> list[Any]:
        """Read stdout as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def summary(self) -> dict[str, Any]:
        """Read stdout as the one object that `index --format json` prints, and check that its sum is right."""
        [summary] = self.objects()
        parts = ("added", "updated", "unchanged", "rejected")
        assert summary["read"] == sum(summary[part] for part in parts)
        return {key: value for key, value in summary.items() if key != "seconds"}


Run = Callable[..., Result]


@pytest.fixture(scope="session", autouse=True)
def _interrupts() -> None:
    """Let Ctrl-C interrupt, also where the tests run in the background, which a shell has ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what a whole session shares out of the user's cache; a test's own world has its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAGCLI_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a data folder of its own, no settings from outside, and no network for models."""
    for name in list(os.environ):
        if name.startswith("RAGCLI_") and not name.startswith("RAGCLI_TEST_"):
            monkeypatch.delenv(name)
    for name in ("FORCE_COLOR", "NO_COLOR", "PY_COLORS", "COLUMNS", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAGCLI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RAGCLI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("RAGCLI_NO_ENCODER", "1")  # most tests are of words; those of vectors name an encoder
    monkeypatch.setenv("RUST_BACKTRACE", "0")


@pytest.fixture
def ragcli(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process: the fast way."""

    def run(*arguments: str | Path) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Write three documents."""
    return write_lines(
        tmp_path / "corpus.jsonl",
        {"id": "fox", "title": "The fox", "text": "A quick brown fox jumps over a lazy dog.", "year": 1999},
        {"id": "owl", "title": "The owl", "text": "An owl sleeps by day and hunts by night.", "year": 2005},
        {"id": "cat", "title": "The cat", "text": "A cat sleeps by day and by night.", "year": 2010},
    )


def run_process(*arguments: str | Path | bytes, **options: Any) -> Result:
    """Run a command line in a process of its own; options are those of subprocess.run, `env` is added to ours."""
    options = {"capture_output": True, "timeout": 60, **options, "env": environment(options.get("env", {}))}
    options = {"stdin": subprocess.DEVNULL, **options} if "input" not in options else options
    done = subprocess.run(command(*arguments), check=False, **options)
    return Result(done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode())


def command(*arguments: str | Path | bytes) -> list[str | Path | bytes]:
    """Return the words that start ragcli in a process of its own."""
    return [sys.executable, "-m", "ragcli", *arguments]


def environment(added: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with more in it, and with ragcli where Python finds it."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **added}


def run_on_terminal(
    *arguments: str | Path, out: bool = True, env: Mapping[str, str] | None = None, typed: bytes = b""
) -> Result:
    """Run a command line on a terminal of 100 columns: stderr always, stdout as well unless `out` is false.

    `typed` is what waits at the keyboard. What the terminal gets is the result's `out` if stdout is the terminal, else
    its `err`.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 100))
    stdout = theirs if out else subprocess.PIPE
    process = subprocess.Popen(
        command(*arguments), stdin=theirs, stdout=stdout, stderr=theirs, env=environment(env or {})
    )
    os.close(theirs)
    os.write(ours, typed)
    shown = b"".join(_pieces(ours)).decode(errors="replace")
    os.close(ours)
    piped = process.stdout.read().decode() if process.stdout else ""
    if process.stdout:
        process.stdout.close()
    code = process.wait(timeout=60)
    return Result(code, shown, "") if out else Result(code, piped, shown)


def _pieces(terminal: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # Linux says so when the last process has left the terminal
        while piece := os.read(terminal, 65536):
            yield piece


def write_lines(path: Path, *lines: dict[str, Any] | bytes) -> Path:
    """Write a JSON Lines file; bytes are a line as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return path


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Return each file of a folder with its size and the time of its last change."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def assert_two_lines(result: Result, code: int, *words: str) -> None:
    """Check an error: its code, nothing on stdout, and on stderr what failed and what to do next."""
    lines = result.err.splitlines()
    assert (result.code, result.out, len(lines)) == (code, "", 2), result
    assert lines[0].startswith("Error: ") and len(lines[0]) > len("Error: ") and lines[1].strip(), result
    for word in words:
        assert word in result.err, result
