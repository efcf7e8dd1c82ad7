"""The commands that inspect ragcli itself: doctor, config show."""

from typing import Annotated

import typer

from ragcli import render, settings
from ragcli.cli.options import IndexArgs, TableFormat, TextFormat, flat
from ragcli.cli.origins import settings_of
from ragcli.errors import ExitCode

config_app = typer.Typer(help="Show the current settings.")


@flat
def doctor(index_args: IndexArgs = IndexArgs(), format: TextFormat = "text") -> None:
    """Check the installation and the index, and suggest fixes.

    Example: ragcli doctor
    """
    from ragcli.doctor import examine

    if not render.print_checks(examine(index_args.location), format == "json"):
        raise typer.Exit(ExitCode.ERROR)


@config_app.callback()
def _config() -> None:
    """Make this a group although it has only one command."""


@config_app.command("show", context_settings={"ignore_unknown_options": True})
def show_config(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND] [OPTIONS]", help="A command line.", show_default=False),
    ] = None,
    format: TableFormat = None,
) -> None:
    """Print each setting with its value and origin.

    Without a command, print the settings of all commands; with one, its settings under the given options.

    Example: ragcli config show ask -k 3
    """
    found = [*settings.places(), *settings_of(context.find_root(), words or ())]
    render.print_settings(found, format == "json" if format else not render.on_terminal())
