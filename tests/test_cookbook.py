"""The recipes of the cookbook run as they stand, where their tools are installed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation import DOCS
from tests.support import ROOT, environment, run_process

_RECIPE = re.compile(r"^## ([^\n]+)\n|^(?:<!-- needs: ([\w ]+) -->\n)?```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def recipes() -> list[tuple[str, list[str], str]]:
    """Return each recipe's heading, the tools that it needs, and its script."""
    found, heading = [], ""
    for title, tools, script in _RECIPE.findall((DOCS / "cookbook.md").read_text(encoding="utf-8")):
        heading = title or heading
        if script:
            found.append((heading, tools.split(), script))
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("cookbook")
    indexed = run_process("index", ROOT / "sample_data" / "python.jsonl", env=variables(home))
    assert indexed.code == 0
    return home


def variables(home: Path) -> dict[str, str]:
    return {"RAGCLI_HOME": str(home), "RAGCLI_CACHE": str(home / "cache"), "RAGCLI_NO_ENCODER": "1"}


@pytest.mark.parametrize(("tools", "script"), [(one[1], one[2]) for one in recipes()], ids=[r[0] for r in recipes()])
def test_a_recipe_runs(tools: list[str], script: str, home: Path, tmp_path: Path) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    shutil.copytree(ROOT / "sample_data", tmp_path / "work" / "sample_data")
    command = tmp_path / "bin" / "ragcli"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ragcli "$@"\n')
    command.chmod(0o755)
    where = environment(variables(home))
    where["PATH"] = f"{command.parent}:{where['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path / "work", env=where, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_recipes() -> None:
    assert len(recipes()) >= 8
