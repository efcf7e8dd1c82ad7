"""The settings at the top of a Markdown page: YAML between `---`, or TOML between `+++`."""

import re
import tomllib
from typing import Any, NamedTuple

import yaml

_YAML = re.compile(r"\A---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\A\+\+\+[ \t]*\n(.*?)^\+\+\+[ \t]*$\n?", re.DOTALL | re.MULTILINE)
_LONGEST = 64_000


class Front(NamedTuple):
    """Hold the settings of a page, and its text with the settings' lines left blank."""

    values: dict[str, Any]
    text: str


class _NoAliases(yaml.SafeLoader):
    """Load YAML without aliases, by which a few lines can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def split_front(text: str) -> Front:
    """Take the settings from the top of a text; what cannot be read is taken away as well."""
    found = _YAML.match(text[:_LONGEST]) or _TOML.match(text[:_LONGEST])
    if not found:
        return Front({}, text)
    try:
        values = yaml.load(found[1], _NoAliases) if text.startswith("---") else tomllib.loads(found[1])  # noqa: S506
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) and text.startswith("---") and "\n\n" in found[1]:
        return Front({}, text)  # a rule, and another one further down
    rest = "\n" * found[0].count("\n") + text[found.end() :]
    return Front({str(key): value for key, value in values.items()} if isinstance(values, dict) else {}, rest)
