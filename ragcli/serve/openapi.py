"""The OpenAPI document of the server's paths."""

import re
from collections.abc import Sequence
from typing import Any

from ragcli import __version__
from ragcli.serve.fields import schema
from ragcli.serve.routes import Route

_DONE = {"200": {"description": "what the command prints with --format json"}}
_FAILED = {
    "400": {"description": "invalid request; `error` is the reason, `hint` what to do"},
    "404": {"description": "nothing found"},
    "429": {"description": "too many requests; try again"},
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths = {route.path: {method.lower(): _operation(route, method) for method in route.methods} for route in routes}
    return {
        "openapi": "3.1.0",
        "info": {"title": "ragcli", "version": __version__},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "paths": paths,
    }


def _operation(route: Route, method: str) -> dict[str, Any]:
    operation: dict[str, Any] = {"summary": route.about, "responses": _DONE | _FAILED}
    if names := re.findall(r"{(\w+)}", route.path):
        where = {"in": "path", "required": True, "schema": {"type": "string"}}
        operation["parameters"] = [{"name": name, **where} for name in names]
    if route.reads is None:
        return operation
    content = schema(route.reads)
    if method == "POST":
        return operation | {"requestBody": {"required": True, "content": {"application/json": {"schema": content}}}}
    parameters = [
        {"name": name, "in": "query", "required": name in content["required"], "schema": one}
        for name, one in content["properties"].items()
    ]
    return operation | {"parameters": parameters}
