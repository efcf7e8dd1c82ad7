"""Read the front matter of a Markdown page: YAML between `---`, or TOML between `+++`."""

import re
import tomllib
from typing import Any, NamedTuple

import yaml

_YAML = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\A\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_LONGEST = 64_000


class Front(NamedTuple):
    """Hold the front matter of a page, and its text with those lines blank."""

    values: dict[str, Any]
    text: str


class _NoAliases(yaml.SafeLoader):
    """Load YAML without aliases, which can expand to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def split_front(text: str) -> Front:
    """Split the front matter off a text; invalid front matter is removed too."""
    found = _YAML.match(text[:_LONGEST]) or _TOML.match(text[:_LONGEST])
    if not found:
        return Front({}, text)
    try:
        values = yaml.load(found[1], _NoAliases) if text.startswith("---") else tomllib.loads(found[1])  # noqa: S506
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) and text.startswith("---") and "\n\n" in found[1]:
        return Front({}, text)  # two horizontal rules
    rest = "\n" * found[0].count("\n") + text[found.end() :]
    return Front({str(key): value for key, value in values.items()} if isinstance(values, dict) else {}, rest)
