"""URLs as inputs: fetched once, within limits, and nothing that they link to."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from tests.support import Run, assert_two_lines

PAGES = {
    "/guide": ("text/html; charset=utf-8", b"<h1>Guide</h1><p>An ant walks. <a href='/other'>More</a></p>"),
    "/notes.md": ("text/plain", b"# Notes\n\nA bee flies.\n"),
    "/rows": ("application/x-ndjson", b'{"id": "x", "text": "A cat sleeps."}\n'),
}


class Site(BaseHTTPRequestHandler):
    """Serve the pages, and remember what was asked for."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/guide")
            self.end_headers()
            return
        kind, content = PAGES.get(self.path, ("text/plain", b""))
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        Site.asked.clear()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def ids(ragcli: Run) -> list[str]:
    return [one["id"].rpartition("/")[2] for one in ragcli("list").objects()]


def test_what_a_url_names_is_read_by_its_kind(ragcli: Run, site: str) -> None:
    urls = [f"{site}{path}" for path in PAGES]
    assert ragcli("index", *urls, "--format", "json").summary()["added"] == 3
    assert ids(ragcli) == ["guide#guide", "notes.md#notes", "x"]
    assert sorted(Site.asked) == sorted(PAGES)  # each once, and no link
    assert ragcli("index", f"{site}/guide", "--format", "json").summary()["unchanged"] == 1
    assert ragcli("index", f"{site}/moved", "--format", "json").summary()["added"] == 1
    assert ragcli("show", f"{site}/guide#guide").out.startswith(f"Guide\nsource: {site}/guide\n")


def test_what_cannot_be_fetched_is_told(ragcli: Run, site: str) -> None:
    assert_two_lines(ragcli("index", f"{site}/nothing"), 1, "404 Not Found")
    assert_two_lines(ragcli("index", "http://127.0.0.1:9/x"), 5, "cannot be fetched")
    assert_two_lines(ragcli("index", f"{site}/guide", "--watch"), 2, "cannot be watched")
