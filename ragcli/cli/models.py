"""The commands on the models of this machine: models list, show, pull, remove."""

from typing import Annotated

import typer

from ragcli import render
from ragcli.cli.options import TableFormat, TextFormat

app = typer.Typer(help="Models on this machine: list, show, pull, remove.")

Name = Annotated[str, typer.Argument(help="Hub id, hub id with a quantization, a name, or a file.")]


@app.command("list")
def list_(format: TableFormat = None) -> None:
    """List the models on this machine.

    Example: ragcli models list
    """
    from ragcli.models import list_models

    render.print_models(list_models(), format == "json" if format else not render.on_terminal())


@app.command()
def show(name: Name, format: TextFormat = "text") -> None:
    """Say what a model is: size, licence, context, quantization, and where it lies.

    Example: ragcli models show small_gpt2
    """
    from ragcli.models import show_model

    render.print_model(show_model(name), format == "json")


@app.command()
def pull(name: Name, format: TextFormat = "text") -> None:
    """Bring a model onto this machine, so that it works offline from then on.

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
