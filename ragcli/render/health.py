"""Print the checks of doctor, and the settings."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ragcli.render.base import console, line, print_json, print_text

if TYPE_CHECKING:
    from ragcli.doctor import Check
    from ragcli.settings import Setting

_MARKS = {"ok": "ok", "warning": "WARNING", "failed": "FAILED"}


def print_checks(checks: Iterable["Check"], as_json: bool) -> bool:
    """Print each check as soon as it is done, or all as one JSON object; return whether none failed."""
    done = []
    for check in checks:
        done.append(check)
        if not as_json:
            print_text(f"{_MARKS[check.state]:<7}  {check.name:<9}  {line(check.detail)}")
            if check.mend:
                print_text(f"{'':<20}→ {line(check.mend)}")
    if as_json:
        print_json({"checks": [check._asdict() for check in done]})
    return all(check.state != "failed" for check in done)


def print_settings(settings: Sequence["Setting"], as_json: bool) -> None:
    """Print settings as JSON Lines, or as a table."""
    if as_json:
        for setting in settings:
            print_json(setting._asdict())
        return
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("Command", "Setting", "Value", "From"):
        table.add_column(name, overflow="fold")
    for setting in settings:
        value = "" if setting.value in (None, []) else str(setting.value)
        table.add_row(setting.command or "all", setting.name, line(value), line(setting.origin))
    console().print(table)
