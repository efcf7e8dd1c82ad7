"""A server that answers as a test wants: it says that it is Elasticsearch, on a real socket."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from ragcli.store import IndexConfig
from ragcli.store_elastic.layout import index_mapping

Answer = Callable[[str, str, bytes], tuple[int, Any]]

CONFIG = IndexConfig("en", 100)
WHOLE: dict[str, Any] = {"_shards": {"total": 1, "successful": 1, "failed": 0}, "timed_out": False}


class Raw(NamedTuple):
    """Hold an answer that is sent as it is; `length` is what its header says, None for its own."""

    body: bytes
    content_type: str = "application/json"
    length: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


@contextmanager
def fake_server(answer: Answer, product: str = "Elasticsearch") -> Iterator[str]:
    """Run a server that answers (method, path, body) with a status and JSON, or Raw, and yield its URL.

    A status of 0 drops the connection.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, reply = answer(self.command, self.path, body)
            if not status:
                self.close_connection = True
                return
            raw = reply if isinstance(reply, Raw) else Raw(json.dumps(reply).encode())
            self.send_response(status)
            self.send_header("content-type", raw.content_type)
            self.send_header("x-elastic-product", product)
            self.send_header("warning", '299 Elasticsearch-8.19.0 "advice to the administrator"')
            self.send_header("content-length", str(len(raw.body) if raw.length is None else raw.length))
            for header in raw.headers:
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(raw.body)
            self.close_connection = raw.length is not None

        do_GET = do_POST = do_PUT = do_DELETE = respond  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Keep stderr for the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def own_index(bulk: Callable[[list[str]], tuple[int, Any]]) -> Answer:
    """Answer as an index `any` of ragcli's does, with a bulk request's ids going to `bulk`."""

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path.startswith("/any?"):
            return 200, {"any": {"settings": {"index": {"uuid": "x"}}, "mappings": index_mapping(CONFIG)}}
        if "/_bulk" in path:
            actions = [json.loads(line) for line in body.splitlines()]
            return bulk([action["index"]["_id"] for action in actions if "index" in action])
        return 200, WHOLE

    return answer


def taken(ids: list[str]) -> tuple[int, Any]:
    """Answer that all passages of a bulk request were taken."""
    return 200, {"items": [{"index": {"_id": i, "status": 200}} for i in ids]}
