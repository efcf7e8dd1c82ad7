"""The OpenAI-compatible API: chat and text completions from the index, embeddings, and reranking."""

import base64
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ragcli.answer.schema import Answer, Style
from ragcli.encoding import passage_text, suggested_encoder
from ragcli.errors import NothingFoundError, UsageError
from ragcli.render import silence
from ragcli.serve.fields import AskRequest, read_request
from ragcli.serve.replies import reply
from ragcli.serve.routes import Route, answered
from ragcli.serve.service import Service, read_json
from ragcli.serve.work import Emit

STYLES: Mapping[str, Style] = {"ragcli": "grounded", "ragcli-free": "free"}  # by the model name of the request
_MOST_TEXTS = 2_048
_HINT = "See docs/serve.md for what the server reads."
# Options that ask for another form of answer, and the values of them that do not.
_USUAL: Mapping[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "best_of": (None, 1),
    "tool_choice": (None, "auto", "none"),
    "response_format": (None, {"type": "text"}),
}


async def models(service: Service, _: Request) -> Response:
    """Return the list of models: grounded answers, or a language model."""
    return reply({"object": "list", "data": [_described(name) for name in STYLES]})


async def model(service: Service, request: Request) -> Response:
    """Return a model of the list."""
    name = request.path_params["name"]
    _style(name)
    return reply(_described(name))


def _described(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "ragcli"}


def _style(name: str) -> Style:
    if name not in STYLES:
        raise NothingFoundError(f"unknown model {name!r}", f"Models: {', '.join(STYLES)}.")
    return STYLES[name]


async def chat_completions(service: Service, request: Request) -> Response:
    """Answer the last message from the index; it may refer to the question before."""
    body = await read_json(request)
    said = [_text(message) for message in _messages(body) if message.get("role") == "user"]
    if not said:
        raise UsageError("there is no user message", _HINT)
    before = said[-2] if len(said) > 1 else ""
    return await _completion(service, request, body, said[-1], before, "chat.completion")


async def completions(service: Service, request: Request) -> Response:
    """Answer a prompt from the index."""
    body = await read_json(request)
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        [prompt] = prompt
    if not isinstance(prompt, str):
        raise UsageError("the prompt must be one text", _HINT)
    return await _completion(service, request, body, prompt, "", "text_completion")


async def _completion(
    service: Service, request: Request, body: Mapping[str, Any], question: str, before: str, kind: str
) -> Response:
    name = str(body.get("model") or "ragcli")
    asked = read_request(AskRequest, {"question": question, "style": _style(name), "before": before})
    for option, usual in _USUAL.items():
        if body.get(option) not in usual:
            raise UsageError(f"{option} is not supported", f"Leave out {option}: an answer is one text.")
    head = {"id": f"{kind.partition('.')[0]}-{uuid.uuid4().hex}", "created": int(time.time()), "model": name}

    def work(emit: Emit) -> Answer:
        return answered(service, asked, emit)

    if not body.get("stream"):
        return await service.reply(request, lambda emit: _whole(work(emit), head, kind), service.queues.answers)
    part = _parts(head, kind)
    counts = body.get("stream_options") == {"include_usage": True}
    response = await service.stream(work, part, lambda answer: _end(answer, part, counts))
    response.headers["x-accel-buffering"] = "no"
    if isinstance(response, StreamingResponse):
        response.body_iterator = _with_done(response.body_iterator)
    return response


async def _with_done(events: Any) -> Any:
    async for one in events:
        yield one
    yield b"data: [DONE]\n\n"


def _whole(answer: Answer, head: Mapping[str, Any], kind: str) -> dict[str, Any]:
    text, cited = content_of(answer), citations(answer)
    said = {"message": {"role": "assistant", "content": text, "citations": cited}} if _chats(kind) else {"text": text}
    return {
        **head,
        "object": kind,
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, **said}],
        "usage": _usage(answer),
        "citations": cited,
    }


def _usage(answer: Answer) -> dict[str, int]:
    read, written = answer.prompt_tokens, answer.new_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _parts(head: Mapping[str, Any], kind: str) -> Callable[..., dict[str, Any]]:
    """Return a function that turns text into a chunk."""
    name = f"{kind}.chunk" if _chats(kind) else kind

    def part(text: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
        said = {"delta": {"role": "assistant", "content": text}} if _chats(kind) else {"text": text}
        choice = {"index": 0, "finish_reason": finish, "logprobs": None, **said}
        return {**head, "object": name, "choices": [choice], **more}

    return part


def _end(answer: Answer, part: Callable[..., dict[str, Any]], counts: bool) -> list[Any]:
    """Return the last chunks: the text if it was not streamed, the citations, and if wanted, the counts of tokens."""
    streamed = answer.style == "free" and not answer.abstained
    texts = [] if streamed else [part(content_of(answer))]
    usage = [part("", choices=[], usage=_usage(answer))] if counts else []
    return [*texts, part("", "stop", citations=citations(answer)), *usage]


def _chats(kind: str) -> bool:
    return kind == "chat.completion"


def content_of(answer: Answer) -> str:
    """Return the answer, or that there is none, with the nearest text."""
    if not answer.abstained:
        return answer.answer
    nearest = f" {answer.nearest.text} [{answer.nearest.source}]" if answer.nearest else ""
    return silence(answer) + nearest


def citations(answer: Answer) -> list[dict[str, Any]]:
    """Return the citations: the text, its document, and its position."""
    sources = {source.n: source for source in answer.sources}
    return [
        {"n": one.source, "id": sources[one.source].id, "title": sources[one.source].title}
        | {"text": one.text, "start": one.start, "end": one.end}
        for one in answer.sentences
        if one.source
    ]


def _messages(body: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise UsageError("there are no messages", _HINT)
    return messages


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    said = [text for text in texts if isinstance(text, str)]
    if not said:
        raise UsageError("a message has no text", _HINT)
    return "\n".join(said)


async def embeddings(service: Service, request: Request) -> Response:
    """Return the index encoder's vectors of texts, as passages or, with input_type "query", as queries."""
    body = await read_json(request)
    texts = _texts(body.get("input"))
    as_query, encoded = body.get("input_type") == "query", body.get("encoding_format") == "base64"
    wanted = body.get("dimensions")

    def work(_: Emit) -> dict[str, Any]:
        with service.index.searcher() as searcher:
            encoder = _encoder(searcher)
            if wanted not in (None, encoder.config.dimension):
                raise UsageError(f"the vectors have {encoder.config.dimension} dimensions", "Leave out dimensions.")
            vectors = encoder.queries(texts) if as_query else encoder.passages(texts)
        shown = [base64.b64encode(row.tobytes()).decode() if encoded else row.tolist() for row in vectors]
        data = [{"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(shown)]
        usage = {"prompt_tokens": 0, "total_tokens": 0}
        return {"object": "list", "data": data, "model": encoder.config.name, "usage": usage}

    return await service.reply(request, work, service.queues.answers)


async def rerank(service: Service, request: Request) -> Response:
    """Rerank texts by their similarity to a query, with the index encoder, in the form of Jina's and Cohere's API."""
    body = await read_json(request)
    query, given = body.get("query"), body.get("documents")
    if not isinstance(query, str) or not isinstance(given, list):
        raise UsageError("there must be a query and documents", _HINT)
    texts = _texts([one.get("text") if isinstance(one, dict) else one for one in given])
    most = body.get("top_n") or len(texts)
    if not isinstance(most, int) or most < 1:
        raise UsageError("top_n must be a number from 1", _HINT)
    shows = body.get("return_documents", True)

    def work(_: Emit) -> dict[str, Any]:
        with service.index.searcher() as searcher:
            encoder = _encoder(searcher)
            scores = encoder.passages([passage_text("", text) for text in texts]) @ encoder.queries([query])[0]
        order = sorted(range(len(texts)), key=lambda n: (-float(scores[n]), n))[:most]
        results = [
            {"index": n, "relevance_score": float(scores[n])} | ({"document": {"text": texts[n]}} if shows else {})
            for n in order
        ]
        return {"object": "list", "model": encoder.config.name, "results": results}

    return await service.reply(request, work, service.queues.answers)


def _texts(given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise UsageError("there must be a text, or a list of texts", _HINT)
    if len(texts) > _MOST_TEXTS:
        raise UsageError(f"there are more than {_MOST_TEXTS:,} texts", "Send them in several requests.")
    return texts


def _encoder(searcher: Any) -> Any:
    if searcher.encoder is None:
        name = suggested_encoder(searcher.language)
        raise UsageError("the index has no vectors", f"Build it again: ragcli index FILE --encoder {name} --rebuild")
    return searcher.encoder


OPENAI = (
    Route("/v1/models", ("GET",), "List what answers.", None, models),
    Route("/v1/models/{name}", ("GET",), "Describe a model of the list.", None, model),
    Route("/v1/chat/completions", ("POST",), "Answer a conversation from the index.", None, chat_completions),
    Route("/v1/completions", ("POST",), "Answer a prompt from the index.", None, completions),
    Route("/v1/embeddings", ("POST",), "Return the vectors of texts.", None, embeddings),
    Route("/v1/rerank", ("POST",), "Order texts by how near they are to a query.", None, rerank),
)
