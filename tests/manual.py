"""The manual page, made of the commands' help: `python -m tests.documentation` writes it anew."""

import re
from collections.abc import Iterator
from pathlib import Path

from ragcli import __version__
from tests.documentation import commands
from tests.support import ROOT

MANUAL: Path = ROOT / "docs" / "ragcli.1"
_ABOUT = (
    "Retrieval-augmented generation from the shell, offline and in pipelines. Results go to standard output, notes and "
    "errors to standard error. `ragcli COMMAND --help` lists all options."
)
_ROW = re.compile(r"^\| (`RAGCLI_[^|]*|\d+) \| ([^|]+) \|$", re.MULTILINE)


def manual() -> str:
    """Return the page in the language of man."""
    rows = [
        (_plain(name), _plain(about))
        for name, about in _ROW.findall((ROOT / "docs" / "settings.md").read_text("utf-8"))
    ]
    parts = [
        f'.TH RAGCLI 1 "" "ragcli {__version__}" "User Commands"',
        ".SH NAME\nragcli \\- index texts, search them, ask them",
        ".SH SYNOPSIS\n.B ragcli\n.I COMMAND\n[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
        f".SH DESCRIPTION\n{_roff(_ABOUT)}",
        ".SH COMMANDS",
        *_commands(),
        ".SH ENVIRONMENT",
        *(f".TP\n\\fB{_roff(name)}\\fR\n{_roff(about)}" for name, about in rows if not name.isdigit()),
        ".SH EXIT STATUS",
        *(f".TP\n\\fB{name}\\fR\n{_roff(about)}" for name, about in rows if name.isdigit()),
        ".SH FILES\n.TP\n.I ragcli.toml\nDefaults of options, in the working folder or your configuration folder.",
    ]
    return "\n".join(parts) + "\n"


def _commands() -> Iterator[str]:
    for name, command in commands():
        paragraphs = command.help.split("\n\n")
        about = " ".join(paragraphs[0].split())
        examples = [" ".join(one.split()) for one in paragraphs if one.startswith("Example:")]
        shown = "".join(f"\n.br\n{_roff(one)}" for one in examples)
        yield f".TP\n\\fB{_roff(name)}\\fR\n{_roff(about)}{shown}"


def _plain(markdown: str) -> str:
    """Return the text of a table's cell."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown).replace("`", "")


def _roff(text: str) -> str:
    """Return a text without what man would take for its own."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", "\\\\&", escaped, flags=re.MULTILINE)
