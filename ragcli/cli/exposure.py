"""The warning for a password or key that anyone on the way to a server could read."""

import re
from functools import cache

from ragcli import render

_OPEN = re.compile(r"(?:^|,)\s*http://(?>(?:([^/]*)@)?)(?!localhost\b|127\.|\[::1\])([^/,]+)")


@cache
def warn_of_exposure(url: str, has_key: bool) -> None:
    """Say, once, that a secret goes over plain http to another machine."""
    found = _OPEN.search(url)
    if found and (found[1] or has_key):
        what = "password" if found[1] else "API key"
        render.print_note(f"the {what} goes to {found[2]} in the clear: anyone on the way can read it; use https")
