"""Requests as dataclasses: read from JSON or a query string, check, and describe for OpenAPI."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ragcli.answer.schema import Length, Style
from ragcli.errors import UsageError
from ragcli.search import Mode

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Request = TypeVar("Request", bound="DataclassInstance")

_NAMES: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def about(text: str, default: Any = MISSING, least: float | None = None, most: float | None = None) -> Any:
    """Describe a field of a request, with limits of a number or of the length of a text."""
    return field(default=default, metadata={"about": text, "least": least, "most": most})


def _k(default: int) -> Any:
    return about("passages to retrieve", default, 1, 1_000)


def _where() -> Any:
    return about("filters, such as year>=1990", ())


@dataclass(frozen=True)
class SearchRequest:
    """Ask for passages."""

    query: str = about("what to look for", most=100_000)
    k: int = _k(10)
    where: tuple[str, ...] = _where()
    mode: Mode | None = about("by words, by meaning, or by both", None)
    explain: bool = about("say what each score is made of", False)


@dataclass(frozen=True)
class AskRequest:
    """Ask a question."""

    question: str = about("the question", most=100_000)
    k: int = _k(5)
    where: tuple[str, ...] = _where()
    mode: Mode | None = about("by words, by meaning, or by both", None)
    style: Style = about("in sentences of the texts, or in a model's words", "grounded")
    length: Length = about("of a grounded answer", "normal")
    min_confidence: float | None = about("below it a grounded answer is none", None, 0, 1)
    before: str = about("the question before, on which this one may lean", "", most=100_000)
    stream: bool = about("send the answer as server-sent events", False)


@dataclass(frozen=True)
class ReviewRequest:
    """Ask for a review."""

    title: str = about("the film's title; near is near enough", most=10_000)
    k: int = _k(50)
    where: tuple[str, ...] = _where()
    style: Style = about("of sentences of the reviews, or in a model's words", "grounded")
    stream: bool = about("send the review as server-sent events", False)


@dataclass(frozen=True)
class ListRequest:
    """Ask for a list of documents."""

    where: tuple[str, ...] = _where()
    limit: int = about("documents at most", 100, 1, 10_000)


@dataclass(frozen=True)
class DocumentRequest:
    """Ask for a document."""

    id: str = about("the document's id")


def read_request(kind: type[Request], values: Mapping[str, Any]) -> Request:
    """Read a request from JSON. Raises UsageError for a field that is unknown, missing, or of another type."""
    known = {one.name: one for one in fields(kind)}
    hints = get_type_hints(kind)
    for name in values:
        if name not in known:
            raise UsageError(f"unknown field {name!r}", f"The fields are: {', '.join(known)}.")
    for name, one in known.items():
        if name not in values and one.default is MISSING:
            raise UsageError(f"the field {name!r} is missing", f"Give it: {one.metadata['about']}.")
    return kind(**{name: _checked(known[name], hints[name], value) for name, value in values.items()})


def read_query(kind: type[Request], pairs: list[tuple[str, str]]) -> Request:
    """Read a request from a query string; list fields may be repeated. Raises UsageError."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, text in pairs:
        if get_origin(hints.get(name)) is tuple:
            values[name] = [*values.get(name, ()), text]
        else:
            values[name] = _from_text(hints.get(name), text)
    return read_request(kind, values)


def _from_text(hint: Any, text: str) -> Any:
    """Convert a text of a query string; an invalid one stays a text, which the check refuses."""
    try:
        if hint is bool:
            return {"true": True, "1": True, "false": False, "0": False}.get(text, text)
        return hint(text) if hint in (int, float) else text
    except ValueError:
        return text


def _checked(one: Field[Any], hint: Any, value: Any) -> Any:
    kind, optional = _plain(hint)
    if value is None and optional:
        return None
    wanted = _name(kind)
    if get_origin(kind) is Literal:
        good = isinstance(value, str) and value in get_args(kind)
    elif get_origin(kind) is tuple:
        good = isinstance(value, list) and all(isinstance(part, str) for part in value)
    else:
        accepted = (int, float) if kind is float else (kind,)
        good = isinstance(value, accepted) and isinstance(value, bool) == (kind is bool)
    if not good:
        raise UsageError(f"the field {one.name!r} must be {wanted}", f"{one.name}: {one.metadata['about']}.")
    _check_limits(one, value)
    return tuple(value) if isinstance(value, list) else value


def _check_limits(one: Field[Any], value: Any) -> None:
    least, most = one.metadata["least"], one.metadata["most"]
    if isinstance(value, str):
        if most is not None and len(value) > most:
            raise UsageError(f"the field {one.name!r} is longer than {most:,} characters", "Send a shorter text.")
    elif (least is not None and not value >= least) or (most is not None and not value <= most):
        raise UsageError(f"the field {one.name!r} is out of range", f"Its range is from {least:g} to {most:g}.")


def _plain(hint: Any) -> tuple[Any, bool]:
    """Return a type without None, and whether None is allowed."""
    if get_origin(hint) in (Union, types.UnionType):
        [kind] = [part for part in get_args(hint) if part is not type(None)]
        return kind, True
    return hint, False


def _name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    return "a list of strings" if get_origin(kind) is tuple else f"of type {_NAMES[kind]}"


def schema(kind: type[Any]) -> dict[str, Any]:
    """Return the JSON schema of a request."""
    hints = get_type_hints(kind)
    required = [one.name for one in fields(kind) if one.default is MISSING]
    properties = {one.name: _property(one, hints[one.name]) for one in fields(kind)}
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def _property(one: Field[Any], hint: Any) -> dict[str, Any]:
    kind, optional = _plain(hint)
    if get_origin(kind) is Literal:
        described: dict[str, Any] = {"type": "string", "enum": list(get_args(kind))}
    elif get_origin(kind) is tuple:
        described = {"type": "array", "items": {"type": "string"}}
    else:
        described = {"type": _NAMES[kind]}
        names = ("maxLength",) if kind is str else ("maximum", "minimum")
        limits = zip(names, (one.metadata["most"], one.metadata["least"]), strict=False)
        described |= {name: limit for name, limit in limits if limit is not None}
    if optional:
        described["type"] = [described["type"], "null"]
    default = {} if one.default is MISSING else {"default": one.default}
    return described | {"description": one.metadata["about"]} | default
