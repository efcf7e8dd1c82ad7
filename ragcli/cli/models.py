"""The commands on local models: models list, show, pull, remove."""

from typing import Annotated

import typer

from ragcli import render
from ragcli.cli.options import TableFormat, TextFormat

app = typer.Typer(help="Local models: list, show, pull, remove.")

Name = Annotated[str, typer.Argument(help="Hub id, hub id with a quantization, name, or file.")]


@app.command("list")
def list_(format: TableFormat = None) -> None:
    """List the models on this machine.

    Example: ragcli models list
    """
    from ragcli.models import list_models

    render.print_models(list_models(), format == "json" if format else not render.on_terminal())


@app.command()
def show(name: Name, format: TextFormat = "text") -> None:
    """Show a model's size, licence, context, quantization and path.

    Example: ragcli models show small_gpt2
    """
    from ragcli.models import show_model

    render.print_model(show_model(name), format == "json")


@app.command()
def pull(name: Name, format: TextFormat = "text") -> None:
    """Download a model, so that it works offline.

    Example: ragcli models pull smollm2
    """
    from ragcli.models import pull_model

    render.print_model(pull_model(name), format == "json")


@app.command()
def remove(name: Name) -> None:
    """Delete a model's files.

    Example: ragcli models remove smollm2
    """
    from ragcli.models import remove_model

    render.print_note(f"deleted {remove_model(name).path}")
