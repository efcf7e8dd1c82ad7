"""Responses: JSON as on the command line, server-sent events, and errors with a status and a hint."""

from typing import Any

import orjson
from starlette.responses import Response

from ragcli.errors import (
    IndexMismatchError,
    MissingIndexError,
    NothingFoundError,
    RagcliError,
    UnreachableError,
    UsageError,
)

_STATUS: tuple[tuple[type[RagcliError], int], ...] = (
    (UsageError, 400),
    (NothingFoundError, 404),
    (MissingIndexError, 404),
    (UnreachableError, 503),
    (IndexMismatchError, 409),
    (RagcliError, 400),
)


def encoded(value: Any) -> bytes:
    """Return a value as JSON."""
    return orjson.dumps(value, default=dict)  # read-only mappings are not dicts


def reply(value: Any, status: int = 200) -> Response:
    """Return a response of JSON."""
    return Response(encoded(value), status, media_type="application/json")


def event(value: Any) -> bytes:
    """Return a server-sent event."""
    return b"data: " + encoded(value) + b"\n\n"


def status_of(error: RagcliError) -> int:
    """Return the HTTP status of an error."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def error_json(error: RagcliError) -> dict[str, Any]:
    """Return an error in the form of OpenAI's API, with a hint."""
    return {"error": {"message": error.message, "hint": error.hint, "type": type(error).__name__, "code": None}}


def failure(status: int, message: str, hint: str) -> Response:
    """Return an error response with a message and a hint."""
    response = reply(error_json(RagcliError(message, hint)), status)
    if status == 429:
        response.headers["retry-after"] = "1"
    if status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response
