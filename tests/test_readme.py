"""The README holds: its examples run and print what it shows, its help is the real one, every option is known to it."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from ragcli.errors import ExitCode
from tests.support import COMMANDS, ROOT, Run

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def examples() -> list[tuple[str, str]]:
    """Return (command, output shown) of each `$ ragcli …` line, in order."""
    return [
        (command.removeprefix("ragcli ").strip(), output)
        for block in blocks("text")
        for command, output in re.findall(r"^\$ (ragcli[^\n]*)\n(.*?)(?=^\$ |\Z)", block, re.DOTALL | re.MULTILINE)
    ]


def test_ci_runs_the_second_block_as_it_stands() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    [extract] = re.findall(r'"\$\((awk .*?)\)"', script)
    printed = subprocess.run(["bash", "-ec", extract], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert printed == blocks("sh")[1]


def test_the_first_two_blocks_are_one_line_each() -> None:
    install, test = blocks("sh")[:2]
    assert install.count("\n") == test.count("\n") == 1
    assert "ragcli ask" in install
    assert "pytest" in test


@pytest.fixture
def sample_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plain(text: str) -> list[str]:
    """Split into words, without what differs from run to run."""
    return re.sub(r"\d+\.\d+ s\b", "", text).split()


@pytest.mark.usefixtures("sample_folder")
def test_examples_print_what_is_shown(ragcli: Run) -> None:
    shown = examples()
    assert len(shown) >= 5
    for command, output in shown:
        command, _, cut = command.partition(" | cut -c 1-")
        table = ("--format", "table") if output.startswith(("#", "Measure")) else ()
        result = ragcli(*shlex.split(command), *table)
        assert result.code == ExitCode.OK, command
        assert plain(result.out[: int(cut or len(result.out))]) == plain(output), command


def test_the_help_is_the_real_one(ragcli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    [shown] = [block for block in blocks("text") if block.startswith("Usage: ragcli")]
    assert ragcli("--help").out == shown


def test_every_command_has_its_row() -> None:
    for name in COMMANDS:
        assert f"| `ragcli {name}" in README, name


def test_exit_codes_and_files_are_all_listed() -> None:
    for code in ExitCode:
        assert f"\n| {code.value} | " in README
    for path in (ROOT / "ragcli").iterdir():
        if path.name not in ("__init__.py", "__main__.py", "__pycache__", "py.typed"):
            assert f"| `{path.stem}{'/' if path.is_dir() else ''}` |" in README, path.name
