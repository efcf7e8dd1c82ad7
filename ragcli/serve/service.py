"""The common part of all routes: the index, the workers, and responses."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Self, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ragcli.api import Index
from ragcli.errors import RagcliError, UsageError
from ragcli.serve.metrics import Metrics
from ragcli.serve.replies import error_json, event, failure, reply, status_of
from ragcli.serve.work import BusyError, Emit, GoneError, Workers

Done = TypeVar("Done")
Work = Callable[[Emit], Done]


class Queues(NamedTuple):
    """Hold the workers by what they do, so that a search does not wait for answers, nor an answer for documents."""

    searches: Workers
    answers: Workers
    documents: Workers

    @classmethod
    def start(cls, threads: int, waiting: int) -> Self:
        """Return queues of `waiting` requests each; documents are indexed by one thread."""
        return cls(Workers(threads, waiting), Workers(threads, waiting), Workers(1, waiting))


@dataclass(frozen=True)
class Service:
    """An index with its queues and metrics."""

    index: Index
    queues: Queues
    metrics: Metrics
    writable: bool  # whether documents may be added

    async def reply(self, request: Request, work: Work[Any], workers: Workers) -> Response:
        """Return the result of the work as JSON; the work is cancelled if the client disconnects."""
        try:
            return reply(await workers.run(work, partial(_gone, request)))
        except RagcliError as error:
            return _failed(error)
        except BusyError:
            return _busy()
        except GoneError:
            return Response(status_code=499)  # only for the metrics

    async def stream(self, work: Work[Done], piece: Callable[[str], Any], end: Callable[[Done], list[Any]]) -> Response:
        """Return server-sent events: a `piece` for each emitted text, and the result at the `end`."""
        events = self._events(work, piece, end)
        try:
            first = await anext(events)
        except RagcliError as error:  # before anything was sent
            return _failed(error)
        except BusyError:
            return _busy()
        return StreamingResponse(_after(first, events), media_type="text/event-stream")

    async def _events(
        self, work: Work[Done], piece: Callable[[str], Any], end: Callable[[Done], list[Any]]
    ) -> AsyncIterator[bytes]:
        async for item in self.queues.answers.stream(work):
            if isinstance(item, str):
                yield event(piece(item))
            else:
                for value in end(item):
                    yield event(value)


async def _after(first: bytes, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    try:
        async for one in events:
            yield one
    except RagcliError as error:
        yield event(error_json(error))


def _failed(error: RagcliError) -> Response:
    return reply(error_json(error), status_of(error))


def _busy() -> Response:
    return failure(429, "too many requests wait already", "Ask again in a moment.")


async def _gone(request: Request) -> None:
    """Wait until the client disconnects."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def read_json(request: Request) -> Mapping[str, Any]:
    """Return the JSON object of a request. Raises UsageError."""
    try:
        body = orjson.loads(await request.body())
    except ValueError as error:
        raise UsageError(f"the body is not JSON: {error}", "Send a JSON object.") from error
    if not isinstance(body, dict):
        raise UsageError("the body is not a JSON object", "Send a JSON object.")
    return body
