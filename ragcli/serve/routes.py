"""The paths of the HTTP API: search, ask, review, documents, index."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from ragcli import __version__
from ragcli.answer.schema import Answer
from ragcli.answer.tidy import TidyStream
from ragcli.contents import document_json
from ragcli.documents import Reject
from ragcli.errors import RagcliError
from ragcli.render import shown_text
from ragcli.search import Ranking
from ragcli.serve.fields import (
    AskRequest,
    DocumentRequest,
    ListRequest,
    ReviewRequest,
    SearchRequest,
    read_query,
    read_request,
)
from ragcli.serve.replies import error_json, failure, reply, status_of
from ragcli.serve.service import Service, read_json
from ragcli.serve.work import Emit

Endpoint = Callable[[Service, Request], Awaitable[Response]]


class Route(NamedTuple):
    """Describe a path of the server: its methods, purpose, request, and handler."""

    path: str
    methods: tuple[str, ...]
    about: str
    reads: type[Any] | None
    endpoint: Endpoint


async def _request(kind: type[Any], request: Request) -> Any:
    if request.method == "GET":
        return read_query(kind, list(request.query_params.multi_items()))
    return read_request(kind, await read_json(request))


async def search(service: Service, request: Request) -> Response:
    """Return hits."""
    asked: SearchRequest = await _request(SearchRequest, request)

    def work(_: Emit) -> list[dict[str, Any]]:
        hits = service.index.search(asked.query, asked.k, asked.where, _ranking(service, asked.mode))
        return [hit.as_json(asked.explain) for hit in hits]

    return await service.reply(request, work, service.queues.searches)


async def ask(service: Service, request: Request) -> Response:
    """Return an answer, or stream it."""
    asked: AskRequest = await _request(AskRequest, request)
    return await _answer(service, request, partial(answered, service, asked), "question", asked.stream)


def answered(service: Service, asked: AskRequest, emit: Emit) -> Answer:
    """Answer a question, after an earlier one as in a conversation, and emit what a model writes."""
    return _tidied(partial(_asked, service, asked), asked.k, emit)


def _tidied(work: Callable[[Emit], Answer], k: int, emit: Emit) -> Answer:
    """Answer, and emit a model's text as it is in the answer."""
    stream = TidyStream(emit, k)
    answer = work(stream)
    if answer.style == "free" and not answer.abstained:
        stream.finish(answer.answer)
    return answer


def _asked(service: Service, asked: AskRequest, emit: Emit) -> Answer:
    ranking = _ranking(service, asked.mode)
    if not asked.before:
        return service.index.ask(
            asked.question,
            asked.k,
            asked.where,
            style=asked.style,
            length=asked.length,
            min_confidence=asked.min_confidence,
            ranking=ranking,
            emit=emit,
        )
    with service.index.conversation(asked.k, asked.where, asked.style, before=asked.before) as conversation:
        return conversation.ask(asked.question, emit).answer


async def review(service: Service, request: Request) -> Response:
    """Return a review, or stream it."""
    asked: ReviewRequest = await _request(ReviewRequest, request)

    def work(emit: Emit) -> Answer:
        write = partial(service.index.review, asked.title, asked.k, asked.where, style=asked.style)
        return _tidied(lambda stream: write(emit=stream), asked.k, emit)

    return await _answer(service, request, work, "title", asked.stream)


async def _answer(
    service: Service, request: Request, work: Callable[[Emit], Answer], key: str, stream: bool
) -> Response:
    if not stream:
        return await service.reply(request, lambda emit: work(emit).as_json(key), service.queues.answers)

    def end(answer: Answer) -> list[Any]:
        """Send the sentences from sources without markup, and the whole answer."""
        shown = [
            {"text": shown_text(one.text), "source": one.source} for one in answer.sentences if answer.style != "free"
        ]
        return [*shown, {"answer": answer.as_json(key)}]

    return await service.stream(work, lambda piece: {"text": piece}, end)


def _ranking(service: Service, mode: Any) -> Ranking:
    return service.index.ranking._replace(mode=mode) if mode else service.index.ranking


async def documents(service: Service, request: Request) -> Response:
    """Return the list of documents."""
    asked: ListRequest = await _request(ListRequest, request)

    def work(_: Emit) -> list[dict[str, Any]]:
        return [entry._asdict() for entry in service.index.documents(asked.where, asked.limit)]

    return await service.reply(request, work, service.queues.searches)


async def document(service: Service, request: Request) -> Response:
    """Return a document."""
    asked: DocumentRequest = await _request(DocumentRequest, request)

    def work(_: Emit) -> dict[str, Any]:
        return document_json(*service.index.document(asked.id))

    return await service.reply(request, work, service.queues.searches)


async def status(service: Service, request: Request) -> Response:
    """Return the status of the index."""

    def work(_: Emit) -> dict[str, Any]:
        return service.index.status().as_json(service.index.location.name)

    return await service.reply(request, work, service.queues.searches)


_SHOWN = 100  # rejects whose reasons are sent


async def index(service: Service, request: Request) -> Response:
    """Index documents in JSON Lines, as `ragcli index` does."""
    if not service.writable:
        return failure(403, "this server takes no documents", "Start it with a token in RAGCLI_TOKEN, and send that.")
    body = await request.body()

    def work(_: Emit) -> dict[str, Any]:
        with TemporaryDirectory() as folder:
            file = Path(folder, "documents.jsonl")
            file.write_bytes(body)
            rejects: list[Reject] = []
            counts = asdict(service.index.add(file, reject=rejects.append))
            shown = [{"line": one.line, "id": one.id, "reason": one.reason} for one in rejects[:_SHOWN]]
            return {**counts, "rejects": shown}

    return await service.reply(request, work, service.queues.documents)


async def health(service: Service, _: Request) -> Response:
    """Return that the server is alive, without using the index."""
    return reply({"status": "ok", "version": __version__, "index": service.index.location.name})


async def metrics(service: Service, _: Request) -> Response:
    """Return the metrics."""
    queues = service.queues._asdict()
    gauges = {
        "ragcli_requests_running": {name: workers.running for name, workers in queues.items()},
        "ragcli_requests_waiting": {name: workers.waiting for name, workers in queues.items()},
        "ragcli_requests_refused": {name: workers.refused for name, workers in queues.items()},
    }
    text = service.metrics.text(gauges)
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


OWN = (
    Route("/search", ("GET", "POST"), "Find passages.", SearchRequest, search),
    Route("/ask", ("GET", "POST"), "Answer a question from the texts.", AskRequest, ask),
    Route("/review", ("GET", "POST"), "Compose a review of a film.", ReviewRequest, review),
    Route("/documents", ("GET",), "List the documents.", ListRequest, documents),
    Route("/document", ("GET",), "Return a document.", DocumentRequest, document),
    Route("/status", ("GET",), "Return the status of the index.", None, status),
    Route("/index", ("POST",), "Take in documents as JSON Lines.", None, index),
    Route("/health", ("GET",), "Say that the server is there.", None, health),
    Route("/metrics", ("GET",), "Return the counts for Prometheus.", None, metrics),
)


def endpoint(service: Service, answer: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler for Starlette; invalid requests become errors with a hint."""

    async def called(request: Request) -> Response:
        try:
            return await answer(service, request)
        except RagcliError as error:
            return reply(error_json(error), status_of(error))

    return called
