"""The command line by a server in the background: the same bytes, and alone again when the server has gone."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragcli.client import PRINTING, forward, socket_path
from ragcli.serve.background import _receive
from ragcli.settings import data_home
from tests.support import COMMANDS, Result, assert_two_lines, environment, run_on_terminal, run_process, write_lines

QUESTION = "When does an owl hunt?"
LINES: list[tuple[str, ...]] = [
    ("ask", QUESTION),
    ("ask", QUESTION, "--show-sources", "-k", "2"),
    ("ask", QUESTION, "--format", "json", "--style", "grounded", "--seed", "1"),
    ("ask", "-"),
    ("ask", QUESTION, "--min-score", "99"),
    ("ask", QUESTION, "--index", "nothing"),
    ("ask", QUESTION, "--length", "endless"),
    ("search", "sleepz"),
    ("search", "sleeps", "--format", "table"),
    ("search", "sleeps", "--where", "year>=2005", "--explain"),
    ("search", "nothing of the sort at all: xyzzy"),
    ("search", "sleeps", "--colour", "red"),
]


@pytest.fixture
def indexed(corpus: Path) -> None:
    assert run_process("index", corpus).code == 0


@pytest.fixture
def served(indexed: None) -> Iterator[None]:
    started = run_process("serve", "--background", "--idle", "60")
    assert started.code == 0 and "answered by a server" in started.err, started
    yield
    assert run_process("serve", "--stop").code == 0


def plain(result: Result) -> Result:
    """Leave out what differs from run to run."""
    return result._replace(out=re.sub(r'"seconds":\{[^}]*\}', "", result.out))


def run_all() -> list[Result]:
    return [plain(run_process(*line, input=QUESTION.encode())) for line in LINES]


def by_server(*arguments: str) -> tuple[int | None, set[str]]:
    """Hand a command line to the server; return the exit code, and what the process has loaded then."""
    program = (
        "import sys; from ragcli import client, __version__; "
        "print(client.forward(sys.argv[1:], __version__), *sys.modules, file=sys.stderr)"
    )
    words = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(words, env=environment({}), capture_output=True, text=True, check=True)
    code, *modules = done.stderr.splitlines()[-1].split()
    return None if code == "None" else int(code), set(modules)


def test_every_command_line_prints_the_same(indexed: None) -> None:
    run_process("ask", QUESTION)  # prepares the reader
    alone = run_all()
    assert {result.code for result in alone} == {0, 1, 2, 3, 4}
    assert run_process("serve", "--background").code == 0
    try:
        assert by_server("ask", QUESTION)[0] == 0
        for line, told, answered in zip(LINES, alone, run_all(), strict=True):
            assert answered == told, line
    finally:
        run_process("serve", "--stop")


def test_a_terminal_shows_the_same(indexed: None) -> None:
    lines = [("ask", QUESTION), ("search", "sleeps"), ("search", "sleeps", "--format", "json")]
    alone = [run_on_terminal(*line) for line in lines]
    assert "\x1b[" in alone[0].out
    assert run_process("serve", "--background").code == 0
    try:
        assert [run_on_terminal(*line) for line in lines] == alone
    finally:
        run_process("serve", "--stop")


@pytest.mark.usefixtures("served")
def test_handing_on_loads_nothing() -> None:
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"],
        env=environment({}), capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, modules = by_server("search", "sleeps")
    assert code == 0
    assert modules - set(bare.stdout.split()) == {"ragcli", "ragcli.client", "_socket"}


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "--batch", "questions.jsonl"),
        ("ask", "--batch=-"),
        ("search", "sleeps", "--open"),
        ("ask", "Who sleeps?", "--open"),
        ("status",),
        (),
    ],
)
def test_what_takes_long_or_opens_something_is_not_handed_on(arguments: tuple[str, ...]) -> None:
    assert by_server(*arguments)[0] is None


@pytest.mark.usefixtures("served")
def test_the_folder_is_the_callers_and_settings_that_differ_are_not_the_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert by_server("search", "sleeps")[0] == 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ragcli.toml").write_text("k = 1\n")
    (tmp_path / "text.txt").write_text("cats sleep")
    assert by_server("search", "--like-file", "text.txt")[0] == 0
    assert len(run_process("search", "sleeps").objects()) == 1
    monkeypatch.setenv("RAGCLI_MODE", "keyword")
    assert by_server("search", "sleeps")[0] is None


@pytest.mark.usefixtures("served")
def test_what_others_write_is_found(tmp_path: Path) -> None:
    more = write_lines(tmp_path / "more.jsonl", {"id": "emu", "text": "An emu sleeps."})
    assert run_process("index", more).code == 0
    assert "emu" in [hit["id"] for hit in run_process("search", "sleeps").objects()]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found where there is /proc")
def test_a_killed_server_leaves_the_command_line_alone(indexed: None) -> None:
    assert run_process("serve", "--background").code == 0
    assert by_server("search", "sleeps")[0] == 0
    os.kill(server_process(), signal.SIGKILL)
    wait(lambda: by_server("search", "sleeps")[0] is None)
    assert len(run_process("search", "sleeps").objects()) == 2
    assert run_process("serve", "--background").code == 0  # in the place of the dead one
    assert by_server("search", "sleeps")[0] == 0
    assert "has ended" in run_process("serve", "--stop").err


@pytest.mark.parametrize("printing", [False, True])
def test_a_server_killed_in_the_middle_leaves_the_command_alone_unless_it_has_printed(
    indexed: None, printing: bool
) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(socket_path())
        listener.listen()
        killed = threading.Thread(target=hang_up, args=(listener, PRINTING if printing else b""))
        killed.start()
        result = run_process("search", "sleeps")
        killed.join()
    if printing:
        assert_two_lines(result, 1, "the server ended before the answer did", "Run the command again")
    else:
        assert len(result.objects()) == 2


def hang_up(listener: socket.socket, said: bytes) -> None:
    """Take a request, begin to answer it, and go."""
    caller, _ = listener.accept()
    descriptors: list[int] = []
    with caller:
        _receive(caller, descriptors)
        caller.sendall(said)
    for number in descriptors:
        os.close(number)


def test_an_idle_server_ends(indexed: None) -> None:
    assert run_process("serve", "--background", "--idle", "1").code == 0
    wait(lambda: not Path(socket_path()).exists())
    assert "no server is running" in run_process("serve", "--stop").err


def test_there_is_one_server(served: None) -> None:
    assert "running already" in run_process("serve", "--background").err


def test_a_stranger_may_not_listen_in(served: None) -> None:
    assert Path(socket_path()).stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to somebody")
@pytest.mark.usefixtures("served")
def test_the_server_of_somebody_else_is_not_used() -> None:
    assert by_server("search", "sleeps")[0] == 0
    os.chown(socket_path(), 12345, -1)
    assert by_server("search", "sleeps")[0] is None
    os.chown(socket_path(), 0, -1)


@pytest.mark.usefixtures("indexed")
def test_a_newer_version_works_alone_and_ends_the_old_server() -> None:
    assert run_process("serve", "--background", "--idle", "60").code == 0
    assert forward(["search", "sleeps"], "99.0") is None
    wait(lambda: not Path(socket_path()).exists())


def test_the_socket_is_in_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for variables in ({"RAGCLI_HOME": "~/somewhere"}, {"XDG_DATA_HOME": "/elsewhere"}, {}):
        for name in ("RAGCLI_HOME", "XDG_DATA_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert Path(socket_path()) == data_home() / "serve.sock"


def test_what_is_handed_on_are_commands() -> None:
    from ragcli.client import COMMANDS as HANDED_ON

    assert set(HANDED_ON) <= set(COMMANDS)


def server_process() -> int:
    """Return the process that was started for the data folder of this test, and still runs."""
    home = f"RAGCLI_HOME={data_home()}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"--background" in words and home in (process / "environ").read_bytes().split(b"\0"):
                return int(process.name)
    raise AssertionError("no server runs")


def wait(happens: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)
