"""The application: routes, the page, and the guard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ragcli.api import Index
from ragcli.serve.guard import Guard, Rules
from ragcli.serve.metrics import Metrics
from ragcli.serve.openai import OPENAI
from ragcli.serve.openapi import document
from ragcli.serve.replies import failure, reply
from ragcli.serve.routes import OWN, endpoint
from ragcli.serve.service import Queues, Service

_PAGE = Path(__file__).parent / "page"
_ALL = (*OWN, *OPENAI)


def make_app(index: Index, rules: Rules, threads: int = 2, waiting: int = 32) -> Starlette:
    """Return the application that serves an index; see Queues for `threads` and `waiting`."""
    service = Service(index, Queues.start(threads, waiting), Metrics(), writable=rules.token is not None)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        for workers in service.queues:
            workers.close()

    routes = [Route(one.path, endpoint(service, one.endpoint), methods=list(one.methods)) for one in _ALL]
    paths = frozenset(["/", "/favicon.ico", "/openapi.json", *(one.path for one in _ALL)])
    return Starlette(
        routes=[
            *routes,
            Route("/openapi.json", lambda _: reply(document(_ALL))),
            Route("/", _page),
            Route("/favicon.ico", _icon),
            Mount("/page", StaticFiles(directory=_PAGE)),
        ],
        middleware=[Middleware(Guard, rules=rules, metrics=service.metrics, paths=paths)],
        exception_handlers={HTTPException: _no_such_path, Exception: _bug},
        lifespan=lifespan,
    )


def _page(_: Request) -> Response:
    return FileResponse(_PAGE / "index.html")


def _icon(_: Request) -> Response:
    """Return the icon to browsers that show another path than the page, whose head names it."""
    return FileResponse(_PAGE / "icon.svg")


def _no_such_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (Starlette calls it for nothing else)
    message = f"there is no path {request.url.path}" if error.status_code == 404 else error.detail
    return failure(error.status_code, message, "The paths are listed in /openapi.json.")


def _bug(_: Request, error: Exception) -> Response:
    """Return an error of the server itself, whose traceback is in its log."""
    return failure(500, f"the server failed: {type(error).__name__}", "Its log says where.")
