"""Settings: flag > RAGCLI_* variable > ragcli.toml > default; and the folders for data and caches."""

import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import platformdirs

from ragcli.errors import RagcliError, UsageError

API_KEY = "RAGCLI_ELASTICSEARCH_API_KEY"
MODEL_API_KEY = "RAGCLI_API_KEY"
CACHE = "RAGCLI_CACHE"
CONFIG = "RAGCLI_CONFIG"
HOME = "RAGCLI_HOME"
TIMEOUT = "RAGCLI_TIMEOUT"
TOKEN = "RAGCLI_TOKEN"  # noqa: S105 (its name)

Known = Mapping[
    str, "frozenset[str] | Known"
]  # the options of each command; for a group of commands, another such mapping


class Setting(NamedTuple):
    """Hold the value of a setting and its origin; an empty command stands for all commands."""

    command: str
    name: str
    value: Any
    origin: str


def data_home() -> Path:
    """Return the folder for indexes and models: RAGCLI_HOME, else the platform's folder for user data."""
    named = os.environ.get(HOME)
    return Path(named).expanduser() if named else platformdirs.user_data_path("ragcli", appauthor=False)


def models_home() -> Path:
    """Return the folder of trained and pulled models."""
    return data_home() / "models"


def cache_home() -> Path:
    """Return the folder for files that can be made again: RAGCLI_CACHE, else the platform's cache folder."""
    named = os.environ.get(CACHE)
    return Path(named).expanduser() if named else platformdirs.user_cache_path("ragcli", appauthor=False)


def chat_history() -> Path:
    """Return the default file for conversations."""
    return data_home() / "chat.jsonl"


def api_key() -> str | None:
    """Return the Elasticsearch API key, which is read from the environment only."""
    return os.environ.get(API_KEY) or None


def model_api_key() -> str | None:
    """Return the API key of a model server, which is read from the environment only."""
    return os.environ.get(MODEL_API_KEY) or None


def model_timeout() -> float:
    """Return the seconds after which a model server that sends nothing is given up. Raises UsageError."""
    named = os.environ.get(TIMEOUT) or "120"
    try:
        seconds = float(named)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"{TIMEOUT} is {named!r}", "Set it to a number of seconds, such as 300.")
    return seconds


def key_for(url: str) -> str | None:
    """Return the API key for a server that an index names, but only if the environment names that server too.

    Whoever made the index chose its server; the key is not sent wherever that one wants it.
    """
    named = [os.environ.get(name, "").partition("#")[0].rstrip("/") for name in ("RAGCLI_ENCODER", "RAGCLI_BASE_URL")]
    return model_api_key() if url.partition("#")[0] in named else None


def server_token() -> str | None:
    """Return the token that `serve` wants to see, which only the environment may hold."""
    return os.environ.get(TOKEN) or None


def config_file() -> Path | None:
    """Return the settings file: RAGCLI_CONFIG, ./ragcli.toml, or the user's own; None if there is none."""
    named = os.environ.get(CONFIG)
    if named:
        return Path(named)
    usual = (Path("ragcli.toml"), platformdirs.user_config_path("ragcli", appauthor=False) / "ragcli.toml")
    return next((path for path in usual if path.is_file()), None)


def places() -> list[Setting]:
    """Return the folders and files in force, and which keys are set, but never a key."""
    folders = [
        Setting("", name, str(value or "none"), f"environment: {name}" if os.environ.get(name) else "default")
        for name, value in ((HOME, data_home()), (CACHE, cache_home()), (CONFIG, config_file()))
    ]
    keys = [
        Setting("", name, "set", f"environment: {name}") for name in (API_KEY, MODEL_API_KEY) if os.environ.get(name)
    ]
    return folders + keys


def read_defaults(path: Path, commands: Known) -> dict[str, Any]:
    """Read the defaults of options from a TOML file, nested like the commands.

    A key at the top applies to every command with that option, a key in a `[command]` table to that command only.
    Raises RagcliError for a file that cannot be read and for an unknown key.
    """
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        raise RagcliError(
            f"cannot read the settings in {path}: {e}", f"Correct the file, or name another with {CONFIG}."
        ) from e
    tables = {key: value for key, value in config.items() if isinstance(value, dict)}
    everywhere = {_name(key): value for key, value in config.items() if key not in tables}
    _check(path, everywhere, _all_options(commands))
    return _defaults(path, commands, everywhere, tables)


def _defaults(path: Path, commands: Known, everywhere: dict[str, Any], tables: dict[str, Any]) -> dict[str, Any]:
    defaults = {}
    for command, options in commands.items():
        own = tables.get(command, {})
        if isinstance(options, Mapping):
            defaults[command] = _defaults(path, options, everywhere, own)
            continue
        named = {_name(key): value for key, value in own.items()}
        _check(path, named, options)
        defaults[command] = {key: value for key, value in everywhere.items() if key in options} | named
    _check(path, {key: value for key, value in tables.items() if key not in commands}, frozenset())
    return defaults


def _all_options(commands: Known) -> frozenset[str]:
    parts = (_all_options(part) if isinstance(part, Mapping) else part for part in commands.values())
    return frozenset().union(*parts)


def _name(key: str) -> str:
    return key.replace("-", "_")


def _check(path: Path, keys: Mapping[str, object], known: frozenset[str]) -> None:
    for key in keys:
        if key not in known:
            names = ", ".join(sorted(known)) or "none"
            raise RagcliError(f"unknown setting {key!r} in {path}", f"Settings have the names of the options: {names}.")
