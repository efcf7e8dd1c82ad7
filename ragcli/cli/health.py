"""The commands that look at ragcli itself: doctor, config show."""

from typing import Annotated

import typer

from ragcli import render, settings
from ragcli.cli.options import IndexArgs, TableFormat, TextFormat, flat
from ragcli.cli.origins import settings_of
from ragcli.errors import ExitCode

config_app = typer.Typer(help="See the settings in force.")


@flat
def doctor(at: IndexArgs = IndexArgs(), format: TextFormat = "text") -> None:
    """Look at store, disk, models and index, and say what mends what is wrong.

    Example: ragcli doctor
    """
    from ragcli.doctor import examine

    if not render.print_checks(examine(at.location), format == "json"):
        raise typer.Exit(ExitCode.ERROR)


@config_app.callback()
def _config() -> None:
    """Keep the group a group while it has one command."""


@config_app.command("show", context_settings={"ignore_unknown_options": True})
def show_config(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND] [OPTIONS]", help="A command as you would run it.", show_default=False),
    ] = None,
    format: TableFormat = None,
) -> None:
    """Print each setting with its value, and where that comes from.

    Without a command the settings of all, with one its own, as they are with the options given.

    Example: ragcli config show ask -k 3
    """
    found = [*settings.places(), *settings_of(context.find_root(), words or ())]
    render.print_settings(found, format == "json" if format else not render.on_terminal())
