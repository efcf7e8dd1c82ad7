"""The guides and what is made for them: their examples, the reference of all options, and the pages' links.

`python -m tests.documentation` writes docs/cli.md anew and puts into each example what its command prints now.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer.main

from ragcli.cli import app
from tests.support import ROOT

DOCS = ROOT / "docs"
CLI = DOCS / "cli.md"
READMES = (ROOT / "README.md", ROOT / "README.zh.md")
_BLOCK = re.compile(r"^```text\n(.*?)^```", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ (ragcli[^\n]*)\n(.*?)(?=^\$ |\Z)", re.DOTALL | re.MULTILINE)
_HEAD = """# All commands and options

What `--help` prints, for each command. This page is generated: `python -m tests.documentation`.
"""


class Example(NamedTuple):
    """Hold a command of a page, and what the page says that it prints."""

    command: str
    output: str


def pages() -> list[Path]:
    """Return the READMEs and all guides."""
    return [*READMES, *sorted(DOCS.rglob("*.md"))]


def guides() -> list[Path]:
    """Return the pages that a person wrote."""
    return [page for page in pages() if page != CLI]


def examples(page: Path) -> list[Example]:
    """Return the commands of a page with their output, in order."""
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [Example(*found) for block in blocks for found in _COMMAND.findall(block)]


def commands() -> Iterator[tuple[str, Any]]:
    """Yield each command that does something, by its whole name, as typer has made it."""
    yield from _commands("ragcli", typer.main.get_command(app))


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inside = getattr(command, "commands", None)
    if inside is None:
        yield name, command
        return
    for part, found in inside.items():
        yield from _commands(f"{name} {part}", found)


def options(command: Any) -> list[str]:
    """Return the long names of a command's options."""
    names = [name for parameter in command.params for name in parameter.opts if name.startswith("-")]
    return [name for name in names if name.startswith("--") and name != "--help"]


def reference() -> str:
    """Return the page of all options."""
    parts = [_HEAD]
    for name in ["ragcli", *(name for name, _ in commands())]:
        text = subprocess.run(
            [sys.executable, "-m", *name.split(), "--help"],
            cwd=ROOT,
            env={**_clean_environment(), "COLUMNS": "100", "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        parts.append(f"## {name}\n\n```text\n{text.rstrip()}\n```\n")
    return "\n".join(parts)


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RAGCLI_")}


def _printed(example: Example, folder: Path) -> str:
    """Run an example in a folder that has the sample data; a table is shown where the page shows one."""
    command, _, cut = example.command.partition(" | cut -c 1-")
    arguments = shlex.split(command)[1:]
    if example.output.startswith(("#", "Measure")):
        arguments += ["--format", "table"]
    environment = {**_clean_environment(), "COLUMNS": "80", "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    environment |= {"RAGCLI_HOME": str(folder / "home"), "RAGCLI_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "ragcli", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    printed = "".join(line.rstrip() + "\n" for line in done.stdout.splitlines())
    return printed if not cut else printed[: int(cut)] + "\n"


def renew(page: Path) -> None:
    """Put what the commands print now into the examples of a page."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(ROOT / "sample_data", folder / "sample_data")

        def block(found: re.Match[str]) -> str:
            return "```text\n" + _COMMAND.sub(renewed, found[1]) + "```"

        def renewed(found: re.Match[str]) -> str:
            end = "\n" if found[2].endswith("\n\n") else ""
            return f"$ {found[1]}\n{_printed(Example(*found.groups()), folder).rstrip()}\n{end}"

        text = page.read_text(encoding="utf-8")
        page.write_text(_BLOCK.sub(block, text), encoding="utf-8")


if __name__ == "__main__":
    from tests.manual import MANUAL, manual  # which is made of this file's commands

    CLI.write_text(reference(), encoding="utf-8")
    MANUAL.write_text(manual(), encoding="utf-8")
    for one in map(Path, sys.argv[1:]) if sys.argv[1:] else guides():
        renew(one.resolve())
