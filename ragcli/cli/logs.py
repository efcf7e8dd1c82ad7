"""The command for the log of answers, and the option to turn it off."""

from dataclasses import dataclass
from typing import Annotated

import typer

from ragcli import render
from ragcli.cli.options import TableFormat
from ragcli.cli.writing import ModelArgs
from ragcli.inputs import read_argument
from ragcli.log import Log


@dataclass(frozen=True)
class LogArgs:
    """Choose whether answers are logged."""

    log: Annotated[
        bool, typer.Option("--log/--no-log", envvar="RAGCLI_LOG", help="Write the question and its answer to the log.")
    ] = True

    def open(self, command: str, model_args: ModelArgs) -> Log:
        """Return the log."""
        from ragcli.models import revision_of

        if model_args.base_url:
            return Log(command, lambda _: model_args.base_url or "", self.log, render.print_note)
        return Log(command, lambda name: revision_of(model_args.model or name), self.log, render.print_note)


def logs(
    words: Annotated[
        str | None, typer.Argument(help="Words of the question or the answer.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Entries at most, the newest first.")] = 10,
    format: TableFormat = None,
) -> None:
    """List logged questions and answers.

    Example: ragcli logs lambda
    """
    from ragcli.log import read_log

    entries = read_log(read_argument(words or ""), limit)
    if not entries:
        render.print_note("No logged answer has these words." if words else "The log is empty.")
    render.print_log(entries, format == "json" if format else not render.on_terminal())
