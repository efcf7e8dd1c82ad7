"""The commands on templates: template list, template show."""

from typing import Annotated

import typer

from ragcli import render
from ragcli.cli.options import TableFormat

app = typer.Typer(help="Templates of prompts: list, show.")


@app.command("list")
def list_(format: TableFormat = None) -> None:
    """List the packaged templates and your own.

    Example: ragcli template list
    """
    from ragcli.templates import list_templates

    render.print_templates(list_templates(), format == "json" if format else not render.on_terminal())


@app.command()
def show(name: Annotated[str, typer.Argument(help="A template's name, or a file.")]) -> None:
    """Print a template.

    Example: ragcli template show qa
    """
    from ragcli.templates import find_template

    render.print_text(find_template(name).source.rstrip())
