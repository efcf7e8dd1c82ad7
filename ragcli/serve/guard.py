"""Guard the server: check the token, Host, Origin and body size of requests, and add security headers."""

import hmac
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragcli.serve.metrics import Metrics
from ragcli.serve.replies import failure

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OPEN = ("/", "/favicon.ico", "/health")  # and the files of the page
_PAGE = "/page/"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Rules(NamedTuple):
    """Hold the required token (None: none), the allowed host names (empty: any), and the maximal size of bodies."""

    token: str | None
    hosts: tuple[str, ...] = LOOPBACK
    longest: int = 16 * 2**20


class Refusal(NamedTuple):
    """Hold the reason for refusing a request."""

    status: int
    message: str
    hint: str


class TooLongError(Exception):
    """Report a body that is too long."""


class Guard:
    """Pass allowed requests, count them, and add security headers."""

    def __init__(self, app: ASGIApp, rules: Rules, metrics: Metrics, paths: frozenset[str]) -> None:
        self._app, self._rules, self._metrics, self._paths = app, rules, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            refusal = refused(scope["path"], Headers(scope=scope), self._rules)
            if refusal:
                await failure(*refusal)(scope, receive, counted)
            else:
                await self._app(scope, _limited(receive, self._rules.longest), counted)
        except TooLongError:
            await failure(*_too_long(self._rules.longest))(scope, receive, counted)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.count(path, status, time.perf_counter() - started)
        return None


def refused(path: str, headers: Headers, rules: Rules) -> Refusal | None:
    """Return why a request is refused, or None."""
    host = _host(headers.get("host", ""))
    if rules.hosts and host not in rules.hosts:
        return Refusal(421, f"this server is not {host!r}", "Start it with --allow-host and that name.")
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        return Refusal(403, "a page of another site may not ask this server", "Open the server's own page.")
    if int(headers.get("content-length", "0")) > rules.longest:
        return _too_long(rules.longest)
    is_open = path in _OPEN or path.startswith(_PAGE)
    if rules.token is not None and not is_open and not _knows(headers, rules.token):
        return Refusal(401, "the token is missing or wrong", "Send the header: Authorization: Bearer TOKEN.")
    return None


def _knows(headers: Headers, token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def _host(value: str) -> str:
    """Return the name in a Host header, without the port and the brackets of an IPv6 address."""
    return (value.partition("]")[0].lstrip("[") if value.startswith("[") else value.partition(":")[0]).lower()


def _too_long(longest: int) -> Refusal:
    return Refusal(413, f"the body is longer than {longest:,} bytes", "Send it in several parts.")


def _limited(receive: Receive, longest: int) -> Receive:
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > longest:
            raise TooLongError
        return message

    return limited
