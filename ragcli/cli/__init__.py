"""The command line: the commands, and the one place where errors become exit codes."""

import io
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ragcli import __version__, render, settings
from ragcli.cli import (
    answering,
    contents,
    evaluation,
    generation,
    health,
    indexing,
    logs,
    models,
    searching,
    templates,
    training,
)
from ragcli.cli.serving import mcp, serve
from ragcli.errors import ExitCode, RagcliError, UsageError

_EXIT_CODES = (
    "Exit codes: 0 ok · 1 error · 2 usage · 3 nothing found · 4 abstained · 5 store or model unreachable · "
    "6 done with rejects · 7 gate failed · 130 interrupted."
)

_NEGATIVE = re.compile(r"-[\d.]*\d")

_EXTRAS = {
    **dict.fromkeys(("ir_measures", "pytrec_eval", "scipy"), "eval"),
    **dict.fromkeys(("torch", "transformers", "safetensors", "filelock", "matplotlib"), "torch"),
    "xllamacpp": "gguf",
    "watchfiles": "watch",
    "pyarrow": "parquet",
    **dict.fromkeys(("starlette", "uvicorn"), "serve"),
    **dict.fromkeys(("mcp", "pydantic"), "mcp"),
}

app = typer.Typer(
    help="Retrieval-augmented generation from the shell: index texts, search them, ask them.",
    epilog=_EXIT_CODES,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help, because importing rich takes longer than everything else in --help
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        render.print_text(f"ragcli {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        render.print_text(context.get_help())
        raise typer.Exit
    if path := settings.config_file():
        context.default_map = settings.read_defaults(path, _known_options(context.command))


class _Command(typer.core.TyperCommand):
    """A command that takes -0054 for an argument: no option begins with a digit."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.ignore_unknown_options = any(_NEGATIVE.match(argument) for argument in args)
        return super().parse_args(ctx, args)


for command in (
    *(indexing.index, searching.search, generation.generate, answering.ask, answering.review, answering.summarize),
    *(answering.chat, training.train, serve, mcp),
):
    app.command(cls=_Command)(command)
app.command("list")(contents.list_)
for command in (contents.show, contents.delete, contents.status, contents.export, contents.copy):
    app.command()(command)
app.command()(logs.logs)
app.add_typer(models.app, name="models")
app.add_typer(templates.app, name="template")
app.add_typer(evaluation.app, name="eval")
app.command()(health.doctor)
app.add_typer(health.config_app, name="config")


def _known_options(group: Any) -> settings.Known:
    """Return the names of each command's options and list of files; for a group, another such mapping."""
    return {
        name: _known_options(command)
        if hasattr(command, "commands")
        else frozenset(one.name for one in command.params if one.param_type_name == "option" or one.nargs == -1)
        for name, command in group.commands.items()
    }


def main(argv: list[str] | None = None) -> int:
    """Run a command line, and return its exit code. The one place where errors are caught."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        code = _run(argv)
        sys.stdout.flush()
        return code
    except RagcliError as e:
        render.print_error(e)
        return e.exit_code
    except typer.TyperException as e:
        render.print_error(UsageError(e.format_message(), _hint(getattr(e, "ctx", None), getattr(e, "param", None))))
        return ExitCode.USAGE
    except ModuleNotFoundError as e:
        package = str(e.name).partition(".")[0]
        if package not in _EXTRAS:
            raise
        hint = f"Install it: pip install 'ragcli[{_EXTRAS[package]}]'."
        render.print_error(RagcliError(f"this needs the package {package}, which is not installed", hint))
        return ExitCode.ERROR
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _abandon_stdout(ExitCode.OK)
    except OSError as e:
        render.print_error(
            RagcliError(f"{e.filename or 'standard output'}: {e.strerror or e}", "Check the disk and permissions.")
        )
        return ExitCode.ERROR if e.filename else _abandon_stdout(ExitCode.ERROR)


def _run(argv: list[str] | None) -> int:
    command: Any = typer.main.get_command(app)
    try:
        return command.main(argv, prog_name="ragcli", standalone_mode=False, obj=argv) or ExitCode.OK
    except SystemExit as e:  # how typer reacts to a closed pipe
        if e.code == 1:
            return _abandon_stdout(ExitCode.OK)
        raise


def _hint(context: typer.Context | None, option: Any) -> str:
    """Return the hint for a wrong value: its settings file if it is from there, else the help."""
    source = context.get_parameter_source(option.name) if context and option else None
    if source and source.name == "DEFAULT_MAP":
        return f"Correct it in {settings.config_file()}."
    return f"Try: {context.command_path if context else 'ragcli'} --help"


def _open_closed_streams() -> None:
    """Open /dev/null for a closed standard stream (`2>&-`), so that no other file takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _abandon_stdout(code: ExitCode) -> ExitCode:
    """Discard the rest of stdout, because Python flushes it at exit and would complain."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    return code
