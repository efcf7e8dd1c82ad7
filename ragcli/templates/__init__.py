"""Prompts as Jinja2 templates: packaged ones, the user's own, and files.

A template may begin with settings between `---`: `description`, `model`, `style`, `stop`, `passages` (`optional` if it
is also used without any that answers), and `values` of variables. Its variables are `question` (or `text`), `passages`
(each with `n`, `id`, `title`, `text`), `turns` of a conversation (each with `question` and `answer`), and its values.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import yaml
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ragcli.errors import RagcliError, UsageError, first_line
from ragcli.settings import data_home
from ragcli.store import Hit

Style = Literal["free", "copy"]
Passages = Literal["needed", "optional"]

_ENDING = ".jinja"
_PACKAGED = Path(__file__).parent
_SETTINGS = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*\n", re.DOTALL | re.MULTILINE)
_KEYS = ("description", "model", "style", "stop", "passages", "values")
_SANDBOX = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


class Turn(NamedTuple):
    """Hold a question of a conversation and its answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Template:
    """Hold a template: its source, its settings, and the values of its variables."""

    name: str
    path: Path
    source: str
    description: str = ""
    model: str | None = None
    style: Style = "free"
    stop: tuple[str, ...] = ()
    passages: Passages = "needed"
    values: Mapping[str, Any] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()

    def render(self, used: Sequence[Hit], question: str) -> str:
        """Return the prompt. Raises RagcliError if the template fails."""
        passages = [{"n": n, "id": hit.id, "title": hit.title, "text": hit.text} for n, hit in enumerate(used, 1)]
        variables = {"question": question, "text": question, "passages": passages, "turns": self.turns}
        body = _SETTINGS.sub("", self.source)
        try:
            return _SANDBOX.from_string(body).render({**self.values, **variables}).strip()
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, OverflowError) as error:
            line = f" (line {error.lineno + self._above()})" if isinstance(error, TemplateSyntaxError) else ""
            hint = f"`ragcli template show {self.name}` prints it; --set NAME=VALUE sets a variable."
            raise RagcliError(f"the template {self.name} fails{line}: {first_line(error)}", hint) from error

    def filled(self, values: Mapping[str, Any]) -> "Template":
        """Return the template with other values."""
        return replace(self, values={**self.values, **values})

    def after(self, turns: Iterable[tuple[str, str]]) -> "Template":
        """Return the template with the turns of a conversation."""
        return replace(self, turns=tuple(Turn(*turn) for turn in turns))

    def _above(self) -> int:
        found = _SETTINGS.match(self.source)
        return found[0].count("\n") if found else 0


def list_templates() -> Iterator[Template]:
    """Yield the user's and the packaged templates by name; the user's replace packaged ones of the same name."""
    for name, path in sorted(_found().items()):
        yield read_template(name, path)


def find_template(name: str) -> Template:
    """Find a template: a file if the name is a path, else the user's or a packaged one.

    Raises UsageError for an unknown name, RagcliError for a template that cannot be read.
    """
    if os.sep in name or name.endswith(_ENDING):
        return read_template(Path(name).stem, Path(name))
    found = _found()
    if name not in found:
        message = f"there is no template {name!r}"
        raise UsageError(message, f"Give a file ending in {_ENDING}, or one of: {', '.join(sorted(found))}.")
    return read_template(name, found[name])


def read_template(name: str, path: Path) -> Template:
    """Read a template from a file. Raises RagcliError if it cannot be read or its settings are invalid."""
    try:
        source = path.read_text(encoding="utf-8")
        found = _SETTINGS.match(source)
        settings = (yaml.safe_load(found[1]) if found else None) or {}
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise RagcliError(f"cannot read the template {path}: {first_line(error)}", "Correct the file.") from error
    wrong = _wrong(settings)
    if wrong:
        raise RagcliError(
            f"the settings of the template {path} are wrong: {wrong}", f"Settings are {', '.join(_KEYS)}."
        )
    stop = settings.get("stop", ())
    settings["stop"] = (stop,) if isinstance(stop, str) else tuple(map(str, stop))
    return Template(name, path, source, **settings)


def _found() -> dict[str, Path]:
    folders = (_PACKAGED, data_home() / "templates")
    return {path.stem: path for folder in folders for path in folder.glob(f"*{_ENDING}")}


def _wrong(settings: Any) -> str:
    """Return what is wrong with a template's settings; empty if nothing is."""
    if not isinstance(settings, dict):
        return "they are not a mapping"
    if unknown := [str(key) for key in settings if key not in _KEYS]:
        return f"unknown {unknown[0]}"
    if settings.get("style", "free") not in get_args(Style):
        return f"style {settings['style']}"
    if settings.get("passages", "needed") not in get_args(Passages):
        return f"passages {settings['passages']}"
    return "" if isinstance(settings.get("values", {}), dict) else "values are not a mapping"
