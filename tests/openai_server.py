"""A small server with OpenAI's API that says what a test tells it to."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from ragcli.endpoint import Endpoint
from ragcli.generate.remote import RemoteGenerator

KEY = "sk-secret"

Reply = Callable[["Fake", dict[str, Any]], None]


class Fake(BaseHTTPRequestHandler):
    """Answer as the test's replies say, one after another, the last one again and again; remember the requests."""

    replies: list[Reply]
    requests: list[tuple[str, dict[str, Any]]]
    keys: list[str | None]
    listed: ClassVar[dict[str, Any]] = {"data": [{"id": "tiny", "max_model_len": 1000}]}

    def do_GET(self) -> None:
        self.say(200, self.listed)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append((self.path, body))
        self.keys.append(self.headers.get("Authorization"))
        reply = self.replies[min(len(self.requests), len(self.replies)) - 1]
        reply(self, body)

    def say(self, status: int, content: Any, **headers: str) -> None:
        sent = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: Any) -> None:
        pass


def says(*pieces: str, ended: str = "stop", usage: dict[str, int] | None = None) -> Reply:
    """Stream pieces, in the form of the way that was asked."""

    def reply(fake: Fake, _: dict[str, Any]) -> None:
        chat = "chat" in fake.path
        choices: list[Any] = [{"delta": {"content": piece}} if chat else {"text": piece} for piece in pieces]
        choices.append({"delta": {}, "finish_reason": ended} if chat else {"text": "", "finish_reason": ended})
        events = [{"choices": [choice]} for choice in choices] + ([{"choices": [], "usage": usage}] if usage else [])
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        fake.say(200, "".join([": ping\n\n", *lines, "data: [DONE]\n\n"]).encode())

    return reply


def refuses(status: int, reason: str = "no", **headers: str) -> Reply:
    return lambda fake, _: fake.say(status, {"error": {"message": reason}}, **headers)


def breaks_off(fake: Fake, _: dict[str, Any]) -> None:
    fake.send_response(200)
    fake.send_header("Content-Length", "1000")
    fake.end_headers()
    fake.wfile.write(b'data: {"choices": [{"delta": {"content": "Half"}}]}\n\n')
    fake.close_connection = True


class Server:
    """Hold a fake server that runs, and what it was asked."""

    def __init__(self) -> None:
        class Handler(Fake):
            pass

        Handler.replies, Handler.requests, Handler.keys = [], [], []
        self.handler = Handler
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.pauses: list[float] = []
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def replies(self, *replies: Reply) -> "Server":
        self.handler.replies = list(replies)
        return self

    @property
    def requests(self) -> list[tuple[str, dict[str, Any]]]:
        return self.handler.requests

    def open(self, model: str | None = None, as_text: bool = False) -> RemoteGenerator:
        return RemoteGenerator(Endpoint(self.url, KEY, self.pauses.append), model, as_text)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()
