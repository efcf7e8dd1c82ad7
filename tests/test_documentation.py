"""The pages hold: examples print what is shown, every option and command has its words, links lead somewhere."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ragcli.errors import ExitCode
from tests.documentation import CLI, DOCS, READMES, commands, examples, guides, options, pages, reference
from tests.support import COMMANDS, ROOT, Run

README = READMES[0].read_text(encoding="utf-8")
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)#\s]+)(#[^)\s]*)?\)")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_readme_is_short() -> None:
    assert len(README.encode()) <= 6 * 1024


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
    monkeypatch.delenv("RAGCLI_NO_ENCODER")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plain(text: str) -> list[str]:
    """Split into words, without what differs from run to run."""
    return re.sub(r"\d+\.\d+ s\b", "", text).split()


@pytest.mark.usefixtures("sample_folder")
@pytest.mark.parametrize("page", [page for page in guides() if examples(page)], ids=name_of)
def test_examples_print_what_is_shown(page: Path, ragcli: Run) -> None:
    for command, output in examples(page):
        command, _, cut = command.partition(" | cut -c 1-")
        table = ("--format", "table") if output.startswith(("#", "Measure")) else ()
        result = ragcli(*shlex.split(command)[1:], *table)
        assert result.code in (ExitCode.OK, ExitCode.ABSTAINED), command
        assert plain(result.out[: int(cut or len(result.out))]) == plain(output), command


def test_enough_is_shown_in_both_languages() -> None:
    shown = [example for page in guides() for example in examples(page)]
    assert len(shown) >= 15
    assert sum(bool(re.search(r"[\u4e00-\u9fff]", example.command)) for example in shown) >= 4


def test_the_reference_is_the_real_help() -> None:
    assert CLI.read_text(encoding="utf-8") == reference(), "write it anew: python -m tests.documentation"


def test_every_command_has_its_row_and_its_guide() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in guides() if page.parent == DOCS)
    for name in COMMANDS:
        assert f"| `ragcli {name}" in README, name
        assert re.search(rf"ragcli {name}\b", text), name


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=[name for name, _ in commands()])
def test_every_option_has_its_words_in_a_guide(name: str, command: object) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in guides() if page.parent == DOCS)
    missing = [option for option in options(command) if not re.search(rf"{re.escape(option)}(?![\w-])", text)]
    assert missing == [], name


def test_every_exit_code_and_variable_is_listed() -> None:
    settings = (DOCS / "settings.md").read_text(encoding="utf-8")
    for code in ExitCode:
        assert f"\n| {code.value} | " in settings
    used = {name for path in (ROOT / "ragcli").rglob("*.py") for name in _variables(path)}
    assert [name for name in sorted(used) if f"`{name}`" not in settings] == []


def _variables(path: Path) -> set[str]:
    return set(re.findall(r"\bRAGCLI_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target, _ in _LINK.findall(text):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


def test_every_room_has_its_line_on_the_map() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    for path in (ROOT / "ragcli").iterdir():
        if path.name not in ("__init__.py", "__main__.py", "__pycache__", "py.typed"):
            assert f"| `{path.stem}{'/' if path.is_dir() else ''}` |" in text, path.name


def test_the_paths_of_a_question_and_of_a_document_name_what_is_there() -> None:
    """A step is written as `file.py: function` or `file.py: Class.method`."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"`([\w/]+\.py): ([\w.]+)`", text)
    assert len(steps) >= 10
    for file, name in steps:
        code = (ROOT / "ragcli" / file).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(?:def|class) {name.rpartition('.')[2]}\b", code, re.MULTILINE), f"{file}: {name}"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    done = subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--strict"],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "build" / "site" / "zh" / "first-steps" / "index.html").exists()
