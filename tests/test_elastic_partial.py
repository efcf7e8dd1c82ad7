"""Answers of Elasticsearch that are not whole, or fail for a while: repeated or told, never taken for whole."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from ragcli.chunking import split_passages
from ragcli.documents import Document, content_hash
from ragcli.errors import RagcliError, UnreachableError
from ragcli.store import Access, DocumentUpdate, QueryClause
from ragcli.store_elastic import ElasticStore
from tests.elastic.fake import CONFIG, WHOLE, Answer, Raw, fake_server, own_index, taken
from tests.support import Run, assert_two_lines, write_lines

WORDS = [QueryClause("apples")]


def update(doc_id: str, text: str = "All about apples.") -> DocumentUpdate:
    digest = content_hash("", text, {})
    return DocumentUpdate(doc_id, None, Document(doc_id, "", text, {}), digest, split_passages(text, 100))


class Waits:
    """Note how long a store would have waited, without waiting."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds


def opened(url: str, wait: Callable[[float], None] | None = None) -> ElasticStore:
    return ElasticStore.open(url, "any", Access(), CONFIG, wait=wait or Waits())


def hit(doc_id: str) -> dict[str, Any]:
    source = {"doc_id": doc_id, "title": "", "text": "All about apples.", "start": 0}
    return {"_id": f"{doc_id}#0", "_score": 1.0, "_source": source, "sort": [1.0, doc_id, 0]}


def found(*rows: dict[str, Any], total: int | None = None, **more: Any) -> dict[str, Any]:
    count = len(rows) if total is None else total
    return {**WHOLE, "hits": {"total": {"value": count, "relation": "eq"}, "hits": list(rows)}, **more}


def searched(reply: Callable[[int], tuple[int, Any]]) -> Answer:
    """Answer the first, second, … search by `reply`; everything else as an index does."""
    seen = Counter[str]()

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if "/_search" in path or "/_count" in path:
            seen["search"] += 1
            return reply(seen["search"])
        return own_index(taken)(method, path, body)

    return answer


SHARD_LOST = {"total": 3, "successful": 2, "failed": 1, "failures": [{"reason": {"reason": "no copy of shard 2"}}]}
PARTIAL: dict[str, tuple[Any, str]] = {
    "shards": (found(hit("a"), _shards=SHARD_LOST), "1 of 3 shards failed: no copy of shard 2"),
    "time": (found(hit("a"), timed_out=True), "out of time"),
    "hits": (found(hit("a"), total=3), "1 of 3 hits arrived"),
    "html": (Raw(b"<html>Log in</html>", "text/html"), "not Elasticsearch"),
    "nothing": (Raw(b""), "not Elasticsearch|not valid JSON"),
    "null": (None, "not Elasticsearch"),
    "list": ([1, 2], "not Elasticsearch"),
    "other": ({"status": "ok"}, "not Elasticsearch"),
    "rows": (found({"name": "x"}), "not Elasticsearch"),
    "cut": (Raw(b'{"hits": {"hits": [', length=10_000), "does not answer|not valid JSON"),
    "no json": (Raw(b"{"), "not valid JSON"),
    "huge": (Raw(b"[", length=600 * 2**20), "more than 256 MB"),
}


@pytest.mark.parametrize(("reply", "message"), PARTIAL.values(), ids=PARTIAL)
def test_a_part_of_an_answer_is_an_error(reply: Any, message: str) -> None:
    waits = Waits()
    answer = searched(lambda _: (200, reply))
    with fake_server(answer) as url, opened(url, waits) as store, pytest.raises(RagcliError, match=message):
        store.search(WORDS, 10)
    assert waits.seconds < 15


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.counts(),
        lambda store: list(store.stored()),
        lambda store: list(store.stored(["a"])),
        lambda store: store.frequencies(["apples"]),
        lambda store: store.near_words(["apples"]),
        lambda store: store.fields(),
        lambda store: store.passages("a"),
    ],
)
def test_no_question_takes_a_part_for_the_whole(ask: Callable[[ElasticStore], Any]) -> None:
    lost = {**found(hit("a"), _shards=SHARD_LOST), "count": 1, "aggregations": {}, "suggest": {}}
    with (
        fake_server(searched(lambda _: (200, lost))) as url,
        opened(url) as store,
        pytest.raises(UnreachableError, match="1 of 3 shards failed"),
    ):
        ask(store)


def test_a_part_of_an_answer_is_asked_for_again() -> None:
    whole = found(hit("a"), hit("b"))
    replies = [(200, found(hit("a"), _shards=SHARD_LOST)), (503, {"error": "no shard"}), (0, None), (200, whole)]
    with fake_server(searched(lambda n: replies[min(n, len(replies)) - 1])) as url, opened(url) as store:
        assert [hit.id for hit in store.search(WORDS, 10)] == ["a", "b"]


def test_retry_after_is_kept() -> None:
    waits = Waits()

    def reply(number: int) -> tuple[int, Any]:
        if number == 1:
            return 429, Raw(b'{"error": "busy"}', headers=(("retry-after", "2"),))
        return 200, found(hit("a"))

    with fake_server(searched(reply)) as url, opened(url, waits) as store:
        store.search(WORDS, 10)
    assert waits.seconds == 2


# Bulk requests


def items(ids: list[str], **status: int) -> tuple[int, Any]:
    """Answer a bulk request, with another status for some documents."""
    rows = [{"_id": i, "status": status.get(i.partition("#")[0], 200)} for i in ids]
    errors: dict[int, dict[str, str]] = {
        400: {"type": "document_parsing_exception", "reason": "too deep"},
        503: {"reason": "no primary"},
    }
    return 200, {"items": [{"index": row | {"error": errors.get(int(str(row["status"])), {})}} for row in rows]}


@pytest.mark.parametrize(
    "fault",
    [
        lambda ids: (200, {"items": taken(ids)[1]["items"][:-1]}),
        lambda ids: (200, {"items": []}),
        lambda ids: items(ids, a=503),
        lambda ids: items(ids, a=502, b=429),
        lambda _: (503, {"error": {"type": "cluster_block_exception", "reason": "no master"}}),
        lambda _: (504, Raw(b"<html>Gateway timeout</html>", "text/html")),
        lambda _: (0, None),
    ],
    ids=["short", "empty", "no primary", "both", "no master", "gateway", "dropped"],
)
def test_a_bulk_request_is_repeated_until_all_is_taken(fault: Callable[[list[str]], tuple[int, Any]]) -> None:
    kept: list[str] = []
    seen = Counter[str]()

    def bulk(ids: list[str]) -> tuple[int, Any]:
        seen["bulk"] += 1
        status, reply = fault(ids) if seen["bulk"] <= 2 else taken(ids)
        if status == 200:
            kept.extend(item["index"]["_id"] for item in reply["items"] if item["index"]["status"] == 200)
        return status, reply

    with fake_server(own_index(bulk)) as url, opened(url) as store:
        store.write([update("a"), update("b"), update("c")])
    assert set(kept) == {"a#0", "b#0", "c#0"}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda ids: (200, {"items": taken(ids)[1]["items"][:-1]}), "2 of 3 entries"),
        (lambda ids: items(ids, a=503), "1 entry not accepted: no primary"),
        (lambda _: (503, {"error": {"type": "x", "reason": "no master"}}), "not ready: no master"),
        (lambda _: (200, Raw(b"<html>Log in</html>", "text/html")), "not Elasticsearch"),
        (lambda _: (200, {"took": 1}), "not Elasticsearch"),
        (lambda _: (302, Raw(b"", "text/html", headers=(("location", "http://other/"),))), "not Elasticsearch"),
        (lambda _: (0, None), "does not answer"),
    ],
)
def test_a_fault_that_stays_is_told_within_15_seconds(
    fault: Callable[[list[str]], tuple[int, Any]], message: str
) -> None:
    waits = Waits()
    with (
        fake_server(own_index(fault)) as url,
        opened(url, waits) as store,
        pytest.raises(UnreachableError, match=message),
    ):
        store.write([update("a"), update("b"), update("c")])
    assert waits.seconds < 15


def test_what_the_server_refuses_is_told_and_the_rest_is_taken() -> None:
    refusals: list[tuple[str, str]] = []
    kept: list[str] = []

    def bulk(ids: list[str]) -> tuple[int, Any]:
        status, reply = items(ids, b=400)
        kept.extend(item["index"]["_id"] for item in reply["items"] if item["index"]["status"] == 200)
        return status, reply

    with fake_server(own_index(bulk)) as url, opened(url) as store:
        store.write([update("a"), update("b"), update("c")], lambda change, why: refusals.append((change.doc_id, why)))
    assert (kept, refusals) == (["a#0", "c#0"], [("b", "too deep")])


def test_a_request_that_is_too_large_is_sent_in_parts() -> None:
    refusals: list[tuple[str, str]] = []
    kept: list[str] = []

    def bulk(ids: list[str]) -> tuple[int, Any]:
        if len(ids) > 1 or ids == ["d7#0"]:
            return 413, Raw(b"", "text/html")
        kept.extend(ids)
        return taken(ids)

    with fake_server(own_index(bulk)) as url, opened(url) as store:
        changes = [update(f"d{i}") for i in range(20)]
        store.write(changes, lambda change, why: refusals.append((change.doc_id, why)))
    assert sorted(kept) == sorted(f"d{i}#0" for i in range(20) if i != 7)
    assert refusals == [("d7", "too large for the server")]


def test_a_refused_document_is_a_reject_and_the_sum_is_right(ragcli: Run, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", *({"id": i, "text": f"Text {i}.", "n": 1} for i in "abc"))
    counted = {"hits": {"total": {"value": 0}, "hits": []}, "count": 0}

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if "/_search" in path or "/_count" in path:
            return 200, {**WHOLE, **counted}
        fixed = own_index(lambda ids: items(ids, b=400))(method, path, body)
        return (200, json.loads(json.dumps(fixed[1]).replace('"passage_size": 100', '"passage_size": 1200')))

    with fake_server(answer) as url:
        rejects = tmp_path / "rejects.jsonl"
        result = ragcli("index", path, "--store", url, "--index", "any", "--rejects", rejects, "--format", "json")
    summary = result.summary()
    assert (result.code, summary["read"], summary["added"], summary["rejected"]) == (6, 3, 2, 1)
    [reject] = map(orjson.loads, rejects.read_bytes().splitlines())
    assert (reject["id"], reject["reason"]) == ("b", "too deep")
    assert orjson.loads(reject["raw"]) == {"id": "b", "title": "", "text": "Text b.", "n": 1}


def test_a_server_that_hangs_is_told_soon(ragcli: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        began = time.monotonic()
        result = ragcli("search", "apples", "--store", f"http://127.0.0.1:{hung.getsockname()[1]}")
    assert_two_lines(result, 5, "did not answer in time")
    assert time.monotonic() - began < 15


def test_a_cluster_of_frozen_nodes_is_told_soon() -> None:
    frozen = {"_nodes": {"total": 3, "successful": 1, "failed": 2}, "nodes": {}}
    with hanging(frozen, times=9) as url, opened(url) as store:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match="2 of 3 nodes do not answer"):
            store.write([update("a")])
        assert time.monotonic() - began < 15


@pytest.mark.parametrize("status", [200, 403])
def test_a_busy_server_is_waited_for(status: int) -> None:
    healthy = {"_nodes": {"total": 3, "successful": 2, "failed": 1}, "nodes": {}}
    with hanging(healthy, times=1, status=status) as url, opened(url) as store:
        store.write([update("a")])


@contextmanager
def hanging(nodes: dict[str, Any], times: int, status: int = 200) -> Iterator[str]:
    """Run a server that does not answer the first bulk requests, and says of its nodes what it is told to say."""
    seen = Counter[str]()
    over = threading.Event()

    def bulk(ids: list[str]) -> tuple[int, Any]:
        seen["bulk"] += 1
        if seen["bulk"] <= times:
            over.wait(60)
            return 0, None
        return taken(ids)

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        return (status, nodes) if path.startswith("/_nodes") else own_index(bulk)(method, path, body)

    with fake_server(answer) as url:
        yield url
        over.set()


def test_another_node_answers_for_one_that_hangs() -> None:
    answer = searched(lambda _: (200, found(hit("a"))))
    with socket.create_server(("127.0.0.1", 0)) as hung, fake_server(answer) as url:
        urls = f"{url},http://127.0.0.1:{hung.getsockname()[1]}"
        began = time.monotonic()
        with ElasticStore.open(urls, "any", Access(), None) as store:  # one node is asked, then the other
            assert [one.id for one in store.search(WORDS, 10)] == ["a"]
    assert time.monotonic() - began < 15


def test_an_index_is_opened_once_for_a_run(ragcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAGCLI_NO_ENCODER")
    paths: list[str] = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        paths.append(path)
        return own_index(taken)(method, path, body) if "/_count" not in path else (200, {**WHOLE, "count": 0})

    with fake_server(answer) as url:
        result = ragcli(
            "index", write_lines(tmp_path / "a", {"id": "a", "text": "An apple."}), "--store", url, "--index", "any"
        )
    assert result.code == 0, result.err
    assert sum(path.startswith("/any?") for path in paths) == 2  # to open it, and to see that it is still the same
