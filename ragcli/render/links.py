"""Links that a terminal can follow (OSC 8): to the local file of a section, and to its line or page."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragcli.render.base import on_terminal

if TYPE_CHECKING:
    from rich.style import Style


def linked(metadata: Mapping[str, Any]) -> "Style":
    """Return the style of what leads to a document's file, if that is here and stdout is a terminal."""
    from rich.style import Style

    return Style(dim=True, link=_address(metadata) if on_terminal() else None)


def _address(metadata: Mapping[str, Any]) -> str | None:
    source = metadata.get("source")
    try:
        if not isinstance(source, str) or not Path(source).is_file():
            return None
        address = Path(source).absolute().as_uri()
    except (OSError, ValueError):  # a name that is too long, or none at all
        return None
    if isinstance(page := metadata.get("page"), int):
        return f"{address}#page={page}"  # as PDF viewers have it
    return f"{address}#{line}" if isinstance(line := metadata.get("line"), int) else address
