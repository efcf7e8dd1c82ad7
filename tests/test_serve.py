"""The server, in a process of its own: its paths, who may ask, many at once, OpenAI's client."""

import asyncio
import contextlib
import json
import math
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from starlette.datastructures import Headers

from ragcli.answer.schema import Answer
from ragcli.api import Hit, Index
from ragcli.errors import UsageError
from ragcli.serve.app import make_app
from ragcli.serve.fields import AskRequest, SearchRequest, read_query, read_request, schema
from ragcli.serve.guard import Rules, refused
from ragcli.serve.metrics import Metrics
from ragcli.serve.run import _listen
from ragcli.serve.work import BusyError, Workers
from ragcli.warm import keep_models
from tests.serving import server, world
from tests.support import ROOT, assert_two_lines, run_process, write_lines

TOKEN = "a-long-secret"
DOCUMENTS = (
    {"id": "fox", "title": "The fox", "text": "A quick brown fox jumps over a lazy dog.", "year": 1999},
    {"id": "owl", "title": "Birds › The owl", "text": "An owl sleeps by day and hunts by night.", "year": 2005},
    {"id": "cat", "title": "The cat", "text": "A cat <b>sleeps</b> by day and by night.", "year": 2010},
)
QUESTION = "When does an owl hunt?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    write_lines(folder / "corpus.jsonl", *DOCUMENTS)
    indexed = run_process("index", folder / "corpus.jsonl", "--encoder", "minilm", env=world(folder))
    assert indexed.code == 0, indexed
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    model = str(ROOT / "ragcli" / "small_gpt2")
    with server("--waiting", "4", "--model", model, env={**world(folder), "RAGCLI_TOKEN": TOKEN}) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=address, headers={"authorization": f"Bearer {TOKEN}"}, timeout=60) as client:
        yield client


def events(response: httpx2.Response) -> list[Any]:
    assert response.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line[len("data: ") :]) for line in response.text.split("\n\n") if line]


def test_answers_are_those_of_the_command_line(client: httpx2.Client, folder: Path) -> None:
    [told] = run_process("ask", QUESTION, "--format", "json", env=world(folder)).objects()
    answered = client.post("/ask", json={"question": QUESTION}).json()
    for one in (told, answered):
        del one["seconds"], one["seed"]
    assert answered == told
    assert "hunts by night" in answered["answer"]


def test_hits_are_those_of_the_command_line(client: httpx2.Client, folder: Path) -> None:
    told = run_process("search", "sleeps by day", "--where", "year>=2000", "--explain", env=world(folder)).objects()
    asked: dict[str, Any] = {"query": "sleeps by day", "where": ["year>=2000"], "explain": True}
    assert client.post("/search", json=asked).json() == told
    assert client.get("/search", params={**asked, "explain": "true"}).json() == told


def test_an_answer_comes_as_events(client: httpx2.Client) -> None:
    *pieces, last = events(client.post("/ask", json={"question": QUESTION, "stream": True}))
    assert "".join(piece["text"] for piece in pieces) == "An owl sleeps by day and hunts by night."
    assert pieces[0]["source"] == last["answer"]["sentences"][0]["source"]


def test_a_models_answer_is_streamed_as_it_is_in_the_end(client: httpx2.Client) -> None:
    *pieces, last = events(client.post("/ask", json={"question": QUESTION, "style": "free", "stream": True}))
    assert "".join(piece["text"] for piece in pieces) == last["answer"]["answer"]


def test_broken_documents_are_a_reject(client: httpx2.Client) -> None:
    summary = client.post("/index", content=b"\x1f\x8b\x08broken").json()
    assert summary["rejected"] == 1
    [reject] = summary["rejects"]
    assert "the compressed file is damaged" in reject["reason"]


def test_a_question_may_lean_on_the_one_before(client: httpx2.Client) -> None:
    answer = client.post("/ask", json={"question": "And when does it sleep?", "before": QUESTION}).json()
    assert answer["question"] == f"{QUESTION} — And when does it sleep?"


def test_a_review_is_made_of_documents_with_the_title(client: httpx2.Client) -> None:
    assert client.get("/review", params={"title": "The cat"}).json()["title"] == "The cat"


def test_documents_are_listed_and_shown_as_they_are(client: httpx2.Client) -> None:
    assert [one["id"] for one in client.get("/documents", params={"where": "year>=2000"}).json()] == ["cat", "owl"]
    document = client.get("/document", params={"id": "cat"}).json()
    assert (document["text"], document["metadata"]) == (DOCUMENTS[2]["text"], {"year": 2010})
    assert client.get("/status").json()["documents"] >= 3


def test_documents_come_in_and_are_found_at_once_also_those_of_other_processes(
    client: httpx2.Client, folder: Path
) -> None:
    sent = client.post("/index", content=b'{"id": "emu", "text": "An emu runs.", "title": "The emu"}\n{}')
    assert (sent.json()["added"], sent.json()["rejected"]) == (1, 1)
    assert client.get("/search", params={"query": "emu"}).json()[0]["id"] == "emu"
    write_lines(folder / "more.jsonl", {"id": "yak", "title": "The yak", "text": "A yak climbs."})
    assert run_process("index", folder / "more.jsonl", env=world(folder)).code == 0
    assert client.get("/search", params={"query": "yak"}).json()[0]["id"] == "yak"
    assert run_process("delete", "emu", "yak", env=world(folder)).code == 0
    assert client.get("/document", params={"id": "yak"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/ask", {}, 400, "'question' is missing"),
        ("/ask", {"question": ""}, 400, "empty"),
        ("/ask", {"question": 5}, 400, "of type string"),
        ("/ask", {"question": "x", "k": True}, 400, "of type integer"),
        ("/ask", {"question": "x", "k": 0}, 400, "out of range"),
        ("/ask", {"question": "x", "min_confidence": math.nan}, 400, "not JSON"),
        ("/ask", {"question": "x", "style": "loud"}, 400, "grounded"),
        ("/ask", {"question": "x", "model": "/etc"}, 400, "unknown field"),
        ("/search", {"query": "x", "where": ["color=red"]}, 400, "has a field"),
        ("/search", ["query"], 400, "not a JSON object"),
        ("/review", {"title": "Nothing like it"}, 404, ""),
        ("/nowhere", {}, 404, "there is no path /nowhere"),
        ("/v1/chat/completions", {"messages": []}, 400, "no user message"),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "n": 2}, 400, "n is not supported"),
        ("/v1/completions", {"prompt": "x", "response_format": {"type": "json_object"}}, 400, "one text"),
        ("/v1/completions", {"prompt": "x" * 100_001}, 400, "longer than 100,000 characters"),
        ("/v1/completions", {"prompt": "x", "model": "gpt-9"}, 404, "unknown model 'gpt-9'"),
        ("/v1/embeddings", {"input": [[1, 2]]}, 400, "list of texts"),
        ("/v1/embeddings", {"input": "x", "dimensions": 256}, 400, "384 dimensions"),
        ("/v1/rerank", {"query": "x", "documents": ["y"], "top_n": "many"}, 400, "top_n"),
    ],
)
def test_what_cannot_be_meant_is_said(client: httpx2.Client, path: str, body: Any, status: int, words: str) -> None:
    response = client.post(path, content=json.dumps(body).encode())
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert words in error["message"] + error["hint"]
    assert error["hint"]


def test_without_the_token_there_is_the_page_and_nothing_else(address: str) -> None:
    for path in ("/search?query=owl", "/ask?question=owl", "/document?id=owl", "/metrics", "/openapi.json", "/status"):
        assert httpx2.get(address + path).status_code == 401, path
    assert httpx2.get(f"{address}/search?query=owl", headers={"authorization": "Bearer wrong"}).status_code == 401
    page = httpx2.get(address)
    assert page.status_code == 200
    assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
    for file in ("/favicon.ico", *re.findall(r'(?:src|href)="(/[^"]+)"', page.text)):
        assert httpx2.get(address + file).status_code == 200, file
    assert not re.search(r"https?://|<style|<script>|\son\w+=|\sstyle=", page.text)
    assert httpx2.get(f"{address}/page/../run.py").status_code in (401, 404)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "evil.example:8420"}, 421),
        ({}, 421),
        ({"host": "localhost:8420", "origin": "http://evil.example"}, 403),
        ({"host": "localhost:8420", "origin": "null"}, 403),
        ({"host": "localhost:8420", "content-length": "11"}, 413),
        ({"host": "localhost:8420", "origin": "http://localhost:8420"}, None),
        ({"host": "[::1]:8420"}, None),
        ({"host": "127.0.0.1"}, None),
    ],
)
def test_who_may_ask(headers: dict[str, str], status: int | None) -> None:
    refusal = refused("/ask", Headers(headers), Rules(token=None, longest=10))
    assert (refusal.status if refusal else None) == status


def test_a_body_is_cut_off_where_it_is_too_long(client: httpx2.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 2**20

    with contextlib.suppress(httpx2.WriteError):  # the server may have hung up already
        assert client.post("/index", content=endless()).status_code == 413
    assert client.get("/health").status_code == 200


def test_an_address_that_others_can_reach_wants_a_token(folder: Path) -> None:
    assert_two_lines(run_process("serve", "--host", "0.0.0.0", env=world(folder)), 2, "no token", "RAGCLI_TOKEN")  # noqa: S104


def test_an_answer_is_sent_without_waiting_for_the_client_to_confirm_its_beginning() -> None:
    with (
        _listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_an_index_that_is_not_there_and_a_port_that_is_taken_are_said(folder: Path, address: str) -> None:
    assert_two_lines(run_process("serve", "--index", "none", env=world(folder)), 1, "no index named none")
    port = address.rpartition(":")[2]
    assert_two_lines(run_process("serve", "--port", port, env=world(folder)), 1, "cannot listen", "--port")


def test_many_ask_at_once_and_the_rest_come_again(client: httpx2.Client, address: str) -> None:
    with ThreadPoolExecutor(24) as pool:
        done = list(pool.map(lambda _: client.post("/ask", json={"question": QUESTION}), range(24)))
    statuses = [response.status_code for response in done]
    assert set(statuses) <= {200, 429}
    assert {response.json()["answer"] for response in done if response.status_code == 200} == {
        "An owl sleeps by day and hunts by night. [1]"
    }
    assert all(response.headers["retry-after"] == "1" for response in done if response.status_code == 429)
    text = client.get("/metrics").text
    assert re.search(r'ragcli_requests_total\{path="/ask",status="200"\} \d+', text)
    assert 'ragcli_request_seconds_bucket{path="/ask",le="+Inf"}' in text


def test_who_goes_gives_up_his_place(address: str, client: httpx2.Client) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    body = json.dumps({"question": QUESTION}).encode()
    head = f"POST /ask HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
    for _ in range(20):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + body)
    deadline = time.monotonic() + 30
    while 'ragcli_requests_waiting{queue="answers"} 0' not in (text := client.get("/metrics").text):
        assert time.monotonic() < deadline, text
        time.sleep(0.1)
    assert 'path="/ask",status="499"' in text
    assert client.post("/ask", json={"question": QUESTION}).status_code == 200


def test_a_killed_server_has_lost_nothing_that_it_confirmed(folder: Path) -> None:
    where = {**world(folder), "RAGCLI_TOKEN": TOKEN, "RAGCLI_INDEX": "killed"}
    assert run_process("index", folder / "corpus.jsonl", "--no-encoder", env=where).code == 0
    authorized = {"authorization": f"Bearer {TOKEN}"}
    confirmed = []
    with server(env=where, killed_after=3) as address, contextlib.suppress(httpx2.TransportError):
        for n in range(10_000):
            body = json.dumps({"id": f"emu-{n}", "text": f"Emu number {n} runs."})
            sent = httpx2.post(f"{address}/index", content=body, headers=authorized, timeout=60)
            assert sent.json()["added"] == 1
            confirmed.append(f"emu-{n}")
    listed = run_process("list", "--limit", "100000", env=where).objects()
    assert confirmed and set(confirmed) <= {one["id"] for one in listed}


def test_work_beyond_the_queue_is_refused() -> None:
    workers = Workers(1, 1)
    with workers._lock:
        workers.taken = 2
    with pytest.raises(BusyError):
        workers.submit(lambda: None)
    assert (workers.running, workers.waiting, workers.refused) == (1, 1, 1)
    workers.close()


class HeldIndex(Index):
    """An index whose answers wait until they are let go."""

    let_go = threading.Event()

    def ask(self, *_: Any, **__: Any) -> Answer:
        assert self.let_go.wait(60)
        return Answer("")

    def search(self, *_: Any, **__: Any) -> list[Hit]:
        return []


def test_a_search_does_not_wait_for_answers() -> None:
    index = HeldIndex()
    transport = httpx2.ASGITransport(make_app(index, Rules(token=None), threads=1, waiting=0))

    async def whole() -> list[int]:
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            asked = asyncio.create_task(client.get("/ask?question=x"))
            while 'running{queue="answers"} 1' not in (await client.get("/metrics")).text:
                await asyncio.sleep(0.01)
            beside = [(await client.get(path)).status_code for path in ("/search?query=x", "/ask?question=y")]
            index.let_go.set()
            return [*beside, (await asked).status_code]

    try:
        assert asyncio.run(whole()) == [200, 429, 200]
    finally:
        keep_models(False)


def test_metrics_count_by_buckets() -> None:
    metrics = Metrics()
    metrics.count("/ask", 200, 0.2)
    metrics.count("/ask", 200, 99)
    lines = metrics.text({"ragcli_requests_waiting": {"searches": 0}}).splitlines()
    for line in ('bucket{path="/ask",le="0.1"} 0', 'bucket{path="/ask",le="0.25"} 1', 'le="+Inf"} 2'):
        assert any(line in one for one in lines), line
    assert lines[-2:] == ["# TYPE ragcli_requests_waiting gauge", 'ragcli_requests_waiting{queue="searches"} 0']


# OpenAI's client


@pytest.fixture
def assistant(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=TOKEN, max_retries=0) as client:
        yield client


def test_openais_client_chats(assistant: openai.OpenAI) -> None:
    assert [model.id for model in assistant.models.list()] == ["ragcli", "ragcli-free"]
    answer = assistant.chat.completions.create(model="ragcli", messages=[{"role": "user", "content": QUESTION}])
    message: Any = answer.choices[0].message
    assert message.content == "An owl sleeps by day and hunts by night. [1]"
    [cited] = message.citations
    assert (cited["id"], cited["start"], cited["end"]) == ("owl", 0, 40)


def test_openais_client_gets_a_stream(assistant: openai.OpenAI) -> None:
    chunks: list[Any] = list(
        assistant.chat.completions.create(model="ragcli", messages=[{"role": "user", "content": QUESTION}], stream=True)
    )
    said = "".join(chunk.choices[0].delta.content for chunk in chunks)
    assert said == "An owl sleeps by day and hunts by night. [1]"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].citations[0]["id"] == "owl"


def test_openais_client_gets_the_counts_of_a_stream(assistant: openai.OpenAI) -> None:
    *_, text, last = assistant.completions.create(
        model="ragcli-free", prompt=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    assert text.choices[0].finish_reason == "stop" and last.choices == []
    assert last.usage and last.usage.completion_tokens > 0


def test_options_of_sampling_and_tools_are_ignored(assistant: openai.OpenAI) -> None:
    answer = assistant.chat.completions.create(
        model="ragcli",
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}],
        n=1, stop=["night"], temperature=0.5, max_completion_tokens=2, tool_choice="auto",
        tools=[{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    )  # fmt: skip
    assert answer.choices[0].message.content == "An owl sleeps by day and hunts by night. [1]"


def test_openais_client_goes_on_with_what_was_said(assistant: openai.OpenAI) -> None:
    said = [("user", QUESTION), ("assistant", "By night."), ("user", "And when does it sleep?")]
    answer = assistant.chat.completions.create(
        model="ragcli",
        messages=[{"role": role, "content": text} for role, text in said],  # type: ignore[misc]
    )
    assert "owl sleeps by day" in str(answer.choices[0].message.content)


def test_openais_client_completes_with_a_model(assistant: openai.OpenAI) -> None:
    answer = assistant.completions.create(model="ragcli-free", prompt=QUESTION)
    assert answer.usage and answer.usage.completion_tokens > 0
    parts = list(assistant.completions.create(model="ragcli-free", prompt=QUESTION, stream=True))
    assert "".join(part.choices[0].text for part in parts).strip() == answer.choices[0].text.strip()


def test_openais_client_describes_a_model(assistant: openai.OpenAI) -> None:
    assert assistant.models.retrieve("ragcli-free") == list(assistant.models.list())[1]
    for name in ("gpt-9", "a/b"):
        with pytest.raises(openai.NotFoundError):
            assistant.models.retrieve(name)


def test_openais_client_gets_vectors(assistant: openai.OpenAI) -> None:
    both = assistant.embeddings.create(model="minilm", input=["an owl", "an owl"]).data
    assert both[0].embedding == both[1].embedding
    assert math.isclose(sum(value * value for value in both[0].embedding), 1, abs_tol=1e-3)
    [plain] = assistant.embeddings.create(model="minilm", input="an owl", encoding_format="float").data
    assert plain.embedding == pytest.approx(both[0].embedding, abs=1e-6)


def test_texts_are_ordered_for_a_query(client: httpx2.Client) -> None:
    texts = ["The moon is a stone.", {"text": "Owls hunt mice at night."}, "Bread is baked."]
    ranked = client.post("/v1/rerank", json={"query": QUESTION, "documents": texts, "top_n": 2}).json()
    assert ranked["results"][0]["index"] == 1
    assert ranked["results"][0]["document"]["text"] == "Owls hunt mice at night."
    assert len(ranked["results"]) == 2
    bare = client.post("/v1/rerank", json={"query": QUESTION, "documents": texts, "return_documents": False}).json()
    assert [set(one) for one in bare["results"]] == [{"index", "relevance_score"}] * 3


# Requests


def test_a_request_is_read_from_json_and_from_a_query_string() -> None:
    asked = SearchRequest("owl", 3, ("a=1", "b=2"), None, True)
    assert read_request(SearchRequest, {"query": "owl", "k": 3, "where": ["a=1", "b=2"], "explain": True}) == asked
    pairs = [("query", "owl"), ("k", "3"), ("where", "a=1"), ("where", "b=2"), ("explain", "1")]
    assert read_query(SearchRequest, pairs) == asked
    for pair in (("k", "many"), ("explain", "perhaps"), ("color", "red")):
        with pytest.raises(UsageError):
            read_query(SearchRequest, [("query", "owl"), pair])


def test_requests_are_described(client: httpx2.Client) -> None:
    told = schema(AskRequest)
    assert told["required"] == ["question"]
    assert told["properties"]["k"] == {
        "type": "integer", "maximum": 1000, "minimum": 1, "default": 5, "description": "passages to retrieve",
    }  # fmt: skip
    document = client.get("/openapi.json").json()
    asked = document["paths"]["/ask"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert asked == json.loads(json.dumps(told))
    assert {"/v1/chat/completions", "/v1/rerank", "/metrics"} <= document["paths"].keys()
