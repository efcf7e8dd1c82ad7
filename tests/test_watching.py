"""index --watch: a process that keeps an index fresh until Ctrl-C."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import Run, assert_two_lines, command, environment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# Ants\n\nAnts walk.\n", encoding="utf-8")
    return folder


@pytest.fixture
def watching(folder: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    words = command("index", folder, "--watch", "--prune", "--rejects", folder / "rejects.jsonl", "--format", "json")
    home = {"RAGCLI_HOME": str(folder / "home")}  # what it writes stands in the folder, and is no change
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, text=True, env=environment(home), **pipes) as process:
        yield process
        process.kill()


def summary(process: "subprocess.Popen[str]") -> dict[str, int]:
    assert process.stdout
    told = json.loads(process.stdout.readline())
    return {name: told[name] for name in ("added", "updated", "unchanged", "deleted", "documents") if told[name]}


def test_an_index_is_kept_fresh_until_ctrl_c(watching: "subprocess.Popen[str]", folder: Path) -> None:
    assert summary(watching) == {"added": 1, "documents": 1}
    (folder / "b.md").write_text("# Bees\n\nBees fly.\n", encoding="utf-8")
    assert summary(watching) == {"added": 1, "unchanged": 1, "documents": 2}
    (folder / "a.md").write_text("# Ants\n\nAnts carry.\n", encoding="utf-8")
    (folder / "b.md").unlink()  # at once: one run for both
    assert summary(watching) == {"updated": 1, "deleted": 1, "documents": 1}
    (folder / "a.md").rename(folder / ".a.md")
    assert watching.stderr and "nothing to read" in watching.stderr.readline()  # and it goes on
    (folder / ".a.md").rename(folder / "a.md")
    assert summary(watching) == {"unchanged": 1, "documents": 1}
    time.sleep(1.5)  # no run of its own making is under way
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=20)
    assert (watching.returncode, out, "Traceback" in err) == (0, "", False)


def test_what_cannot_be_watched_is_refused(ragcli: Run, folder: Path) -> None:
    assert_two_lines(ragcli("index", "-", "--watch"), 2, "- cannot be watched")
    assert_two_lines(ragcli("index", folder, "--watch", "--dry-run"), 2, "--dry-run")
