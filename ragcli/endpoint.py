"""Connect to a server with OpenAI's API: requests, retries, and translated errors. The key is never shown."""

import json
import math
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar

import httpx2 as httpx

from ragcli.errors import RagcliError, UnreachableError, UsageError, first_line
from ragcli.settings import TIMEOUT, model_timeout

Sleep = Callable[[float], None]
Asked = TypeVar("Asked")
Given = TypeVar("Given")

_CONNECT = 5.0  # seconds
_LIST = 20.0  # seconds until the list of models, which needs no model
_RETRIES = 4  # after 0.5, 1, 2, 4 seconds, or as the server asks
_LONGEST_PAUSE = 30.0
_TOGETHER = 4  # requests at a time
_JSON = {"Content-Type": "application/json"}
_BUSY = (429, 500, 502, 503, 504)
_TOO_LARGE = re.compile(r"too (large|long|many|much)|context|maximum|exceed|longer|larger", re.IGNORECASE)


class StatusError(RagcliError):
    """Report that a server refused a request."""

    def __init__(self, status: int, reason: str, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.status = status
        self.reason = reason

    @property
    def is_too_large(self) -> bool:
        """Return whether a text was too long, or too many texts were sent."""
        return self.status in (400, 413, 422, 500) and bool(_TOO_LARGE.search(self.reason))


class Endpoint:
    """A connection to a server; `url` is its address without a password, `option` the one that names it."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        sleep: Sleep = time.sleep,
        option: str = "--base-url",
        timeout: float | None = None,
        who: str = "",
    ) -> None:
        """Prepare a connection; `timeout` are the seconds until the next piece, by default what RAGCLI_TIMEOUT says.

        `who` is what errors call the server, by default its address. Raises UsageError for an invalid URL or timeout.
        """
        try:
            url = httpx.URL(base_url.rstrip("/"))
        except httpx.InvalidURL as error:
            raise _invalid_url(base_url) from error
        if url.scheme not in ("http", "https") or not url.host:
            raise _invalid_url(base_url)
        self.url = str(url.copy_with(userinfo=b""))
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=_timeout(timeout or model_timeout()))
        self._listing = _timeout(timeout or _LIST)
        weakref.finalize(self, self._client.close)
        self._sleep = sleep
        self._who = who or f"the server at {self.url}"
        self._option, self._place = option, f"{option}: it often ends in /v1."

    def close(self) -> None:
        """End all requests."""
        self._client.close()

    def get(self, path: str) -> Any:
        """Return the JSON at a path. Raises UnreachableError, StatusError, RagcliError."""
        with self._answer("GET", path, None) as response:
            return self._json(response)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send JSON, and return the JSON of the answer. Raises UnreachableError, StatusError, RagcliError."""
        with self._answer("POST", path, body) as response:
            return self._json(response)

    def stream(self, path: str, body: Mapping[str, Any]) -> Iterator[Any]:
        """Send JSON, and yield the JSON of each event. Raises UnreachableError, StatusError, RagcliError."""
        with self._answer("POST", path, body) as response, self._translated():
            events = 0
            for line in response.iter_lines():
                data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                if data == "[DONE]":
                    return
                if data:
                    events += 1
                    yield self._event(data)
            if not events:
                raise self._not_json()

    @contextmanager
    def _answer(self, method: str, path: str, body: Mapping[str, Any] | None) -> Iterator[httpx.Response]:
        """Send a request; leaving the context ends it."""
        response = self._accepted(method, path, body)
        try:
            yield response
        finally:
            response.close()

    def _accepted(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """Send a request, repeatedly while the server is busy or does not answer; half a character becomes a `?`."""
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        for again in count():
            headers: Mapping[str, str] = {}
            try:
                request = self._client.build_request(method, path.lstrip("/"), content=content, headers=_JSON)
                if body is None:
                    request.extensions["timeout"] = self._listing.as_dict()
                response = self._client.send(request, stream=True)
                if response.status_code < 300:
                    return response
                response.read()
            except httpx.ReadTimeout as error:  # again it would only take as long
                raise self._silent(error) from error
            except httpx.RequestError as error:
                lost = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
                if again == _RETRIES or not lost or isinstance(error, httpx.ConnectError):
                    raise self._unreachable(error) from error
            else:
                refusal = self._refused(response)
                if again == _RETRIES or refusal.status not in _BUSY or refusal.is_too_large:
                    raise refusal
                headers = response.headers
            self._sleep(_pause(again, headers))
        raise AssertionError  # unreachable

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.ReadTimeout as error:
            raise self._silent(error) from error
        except httpx.RequestError as error:
            raise UnreachableError(
                f"{self._who} closed the connection: {first_line(error)}",
                "Try again, or check the server's log.",
            ) from error

    def _json(self, response: httpx.Response) -> Any:
        with self._translated():
            return self._event(response.read())

    def _event(self, data: str | bytes) -> Any:
        try:
            content = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._not_json() from error
        if isinstance(content, dict) and content.get("error"):  # in the middle of a stream, after status 200
            reason = _reason(content)
            raise RagcliError(f"{self._who} says: {reason}", "Check the server's log.")
        return content

    def _not_json(self) -> RagcliError:
        return RagcliError(f"{self._who} does not answer in JSON", f"Check {self._place}")

    def _unreachable(self, error: Exception) -> UnreachableError:
        message = f"no server answers at {self.url} ({first_line(error)})"
        return UnreachableError(message, f"Start it, or check {self._place}")

    def _silent(self, error: httpx.ReadTimeout) -> UnreachableError:
        seconds = error.request.extensions["timeout"]["read"]
        message = f"{self._who} has sent nothing for {seconds:g} seconds"
        return UnreachableError(message, f"Check its log, or for a slow model set {TIMEOUT} to more seconds.")

    def _refused(self, response: httpx.Response) -> StatusError:
        status = response.status_code
        try:
            reason = _reason(response.json())
        except (ValueError, RecursionError):
            reason = response.reason_phrase
        hints = {
            401: "Set RAGCLI_API_KEY to a key that the server accepts.",
            403: "Set RAGCLI_API_KEY to a key that the server accepts.",
            404: f"Check the model's name, and {self._place}",
        }
        if place := response.headers.get("Location"):
            hints[status] = f"Give {self._option} the new address: {place}"
        hint = hints.get(status, "Try again later." if status in _BUSY else "Correct what the server reports.")
        refusal = StatusError(status, reason, f"{self._who} says {status}: {reason}", hint)
        if refusal.is_too_large:
            refusal.hint = "Shorten the text, or choose a model with a longer context."
        return refusal


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=_CONNECT)


def together(ask: Callable[[Asked], Given], requests: Sequence[Asked]) -> list[Given]:
    """Answer requests, a few at a time; raise the first error.

    The threads are daemons, so that Ctrl-C does not wait for a server that is still reading a prompt.
    """
    done: dict[int, Given] = {}
    failed: list[RagcliError] = []
    waiting, lock = iter(enumerate(requests)), threading.Lock()

    def work() -> None:
        while not failed:
            with lock:
                item = next(waiting, None)
            if item is None:
                return
            try:
                done[item[0]] = ask(item[1])
            except RagcliError as error:
                failed.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_TOGETHER, len(requests)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return [done[place] for place in range(len(requests))]


def _reason(content: Any) -> str:
    """Return a server's error message in one line; servers differ in its form."""
    error = content.get("error", content) if isinstance(content, dict) else content
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return " ".join(str(error).split())[:300]


def _pause(again: int, headers: Mapping[str, str]) -> float:
    """Return the seconds to wait: what the server asks, else twice as long each time."""
    try:
        wanted = float(headers.get("Retry-After", ""))
    except ValueError:
        wanted = math.nan
    return min(wanted if wanted >= 0 else 0.5 * 2**again, _LONGEST_PAUSE)


def _invalid_url(text: str) -> UsageError:
    return UsageError(
        f"not the URL of a server: {text.rpartition('@')[2]!r}", "Give one such as http://localhost:11434/v1 (Ollama)."
    )
