"""What is released: the wheel and the source archive, built, checked, and tried away from the repository."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.manual import MANUAL, manual
from tests.support import ROOT, environment

pytest.importorskip("hatchling", reason="a release is tried only where hatchling is installed")
_MOST = 60 * 10**6  # bytes of a wheel
_BUILD = "import sys; from hatchling import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, f"build_{request.param}", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return folder / done.stdout.split()[-1]


def tracked(*places: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", *places], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no clone")
    return set(listed.stdout.split())


def test_what_is_released_is_whole_and_small_enough(built: Path) -> None:
    assert built.stat().st_size < _MOST
    if built.suffix == ".whl":
        with zipfile.ZipFile(built) as wheel:
            names = {name for name in wheel.namelist() if ".dist-info/" not in name and ".data/" not in name}
        assert tracked("ragcli") <= names
        assert not any(name.endswith((".pyc", ".orig")) or not name.startswith("ragcli/") for name in names)
    else:
        with tarfile.open(built) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        assert tracked("ragcli", "tests", "docs", "sample_data") <= names


def test_what_an_index_of_packages_shows_is_right(built: Path) -> None:
    pytest.importorskip("twine", reason="metadata is checked only where twine is installed")
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", built], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_wheel_answers_away_from_the_repository(built: Path, tmp_path: Path) -> None:
    if built.suffix != ".whl":
        pytest.skip("only the wheel is tried")
    with zipfile.ZipFile(built) as wheel:
        wheel.extractall(tmp_path / "site")  # noqa: S202 (we have just built it)
        assert any(name.endswith("entry_points.txt") for name in wheel.namelist())
    (tmp_path / "notes.md").write_text("# Tea\n\nGreen tea is brewed at 80 degrees.\n")
    where = environment({}) | {"PYTHONPATH": str(tmp_path / "site"), "HF_HUB_OFFLINE": "1"}
    ragcli = [sys.executable, "-m", "ragcli"]
    subprocess.run([*ragcli, "index", "notes.md"], cwd=tmp_path, env=where, check=True, capture_output=True)
    asked = [*ragcli, "ask", "How hot is green tea brewed?"]
    done = subprocess.run(asked, cwd=tmp_path, env=where, check=True, capture_output=True, text=True)
    assert "80 degrees" in done.stdout


def test_the_manual_page_is_that_of_the_commands() -> None:
    assert MANUAL.read_text(encoding="utf-8") == manual(), "write it anew: python -m tests.documentation"


def test_the_manual_page_can_be_shown() -> None:
    if shutil.which("man") is None:
        pytest.skip("there is no man")
    done = subprocess.run(
        ["man", "--warnings", "-l", str(MANUAL)], capture_output=True, text=True, check=False,
        env=environment({"MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}),
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "ragcli search" in done.stdout
