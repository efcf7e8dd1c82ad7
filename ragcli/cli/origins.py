"""The value of each option and its origin: command line, environment, settings file, or default."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ragcli import settings
from ragcli.errors import UsageError
from ragcli.settings import Setting

_PASSWORD = re.compile(r"//[^/@\s]*@")


def settings_of(root: Any, words: Sequence[str]) -> list[Setting]:
    """Return the settings of a command line, or of all commands if there are no words.

    Raises UsageError for an unknown command.
    """
    if not words:
        found = [one for name, command in _commands("", root.command) for one in _settings(root, name, command, [])]
        return list(_grouped(found))
    name, command, rest = _named(root.command, words)
    return list(_settings(root, name, command, rest))


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for part, inside in command.commands.items():
        yield from _commands(f"{name} {part}".strip(), inside)


def _named(command: Any, words: Sequence[str]) -> tuple[str, Any, list[str]]:
    at = 0
    while hasattr(command, "commands"):
        if at == len(words) or words[at] not in command.commands:
            known = ", ".join(command.commands)
            raise UsageError(f"unknown command: {' '.join(words[: at + 1])}", f"Commands: {known}.")
        command = command.commands[words[at]]
        at += 1
    return " ".join(words[:at]), command, list(words[at:])


def _settings(root: Any, name: str, command: Any, words: list[str]) -> Iterator[Setting]:
    defaults: Any = root.default_map or {}
    for part in name.split():
        defaults = defaults.get(part, {})
    context = command.make_context(name, words, default_map=defaults, resilient_parsing=True)
    for option in command.params:
        if option.param_type_name == "option" and option.name != "help":
            source = context.get_parameter_source(option.name)
            value = _shown(context.params[option.name])
            yield Setting(name, max(option.opts, key=len), value, _origin(source.name, option))


def _origin(source: str, option: Any) -> str:
    if source == "ENVIRONMENT":
        return f"environment: {option.envvar}"
    return {"COMMANDLINE": "command line", "DEFAULT_MAP": f"file: {settings.config_file()}"}.get(source, "default")


def _shown(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_shown(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float) else _PASSWORD.sub("//", str(value))


def _grouped(found: Sequence[Setting]) -> Iterator[Setting]:
    """Yield each value of an option once, with its commands; values other than defaults come first."""
    groups: dict[tuple[str, str, str], list[Setting]] = {}
    having = Counter(one.name for one in found)
    for one in found:
        groups.setdefault((one.name, str(one.value), one.origin), []).append(one)
    for key in sorted(groups, key=lambda key: (key[2] == "default", key)):
        same = groups[key]
        commands = ", ".join(one.command for one in same)
        yield same[0]._replace(command="" if 1 < len(same) == having[key[0]] else commands)
