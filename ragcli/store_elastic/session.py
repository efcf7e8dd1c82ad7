"""Requests about one index: repeated while the server is busy; incomplete answers are errors."""

from collections.abc import Callable, Iterator
from time import monotonic, sleep
from typing import Any, TypeVar

from elastic_transport import ObjectApiResponse
from elasticsearch import ApiError, ConnectionTimeout, Elasticsearch, SSLError, TransportError
from elasticsearch import ConnectionError as NoConnectionError

from ragcli.errors import UnreachableError
from ragcli.store_elastic.server import TOO_LONG, WRITE_TIMEOUT, IncompleteAnswerError, not_elasticsearch

Json = dict[str, Any]
T = TypeVar("T")

# Seconds for which a request is repeated after too many requests (429), or without a node or shard to answer.
_PATIENCE = {429: 30.0, 502: 8.0, 503: 8.0, 504: 8.0}
_PATIENCE_WITHOUT_CONNECTION = 1.0
_PATIENCE_WITHOUT_ANSWER = 7.0  # longer than the timeout with several nodes only: another one is tried
_PROBE = 3  # seconds in which a node has to say that it is there
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0


class Session:
    """Send requests about one index, or several that are searched as one."""

    def __init__(self, client: Elasticsearch, url: str, index: str, wait: Callable[[float], None] = sleep) -> None:
        self.client = client
        self.url = url
        self.index = index
        self._wait = wait

    def search(self, **body: Any) -> Json:
        """Search the index. Raises IncompleteAnswerError if a part of it did not answer."""
        return self.ask(self.client.search, "hits", allow_partial_search_results=False, **body)

    def page(self, size: int, **body: Any) -> list[Json]:
        """Return at most `size` hits of a search. Raises IncompleteAnswerError if some are missing."""
        first = body.get("search_after") is None

        def search() -> list[Json]:
            # Always the same copy of a shard, because copies count deleted passages, and so score, differently.
            answer = self._once(
                self.client.search,
                "hits",
                size=size,
                preference="ragcli",
                track_total_hits=size if first else False,
                allow_partial_search_results=False,
                **body,
            )
            rows, total = answer["hits"].get("hits"), answer["hits"].get("total")
            if not isinstance(rows, list) or not all(isinstance(row, dict) and "_id" in row for row in rows):
                raise not_elasticsearch(self.url)
            counted = (
                first and isinstance(total, dict) and "collapse" not in body
            )  # the total counts collapsed hits too
            if counted and len(rows) < min(size, total["value"]):
                raise IncompleteAnswerError(self.url, f"{len(rows):,} of {total['value']:,} hits arrived")
            return rows

        return self.repeated(search)

    def scan(self, size: int, **body: Any) -> Iterator[Json]:
        """Yield all hits of a sorted search, page by page."""
        after: list[Any] | None = None
        while True:
            page = self.page(size, search_after=after, **body)
            yield from page
            if len(page) < size:
                return
            after = page[-1]["sort"]

    def count(self, query: Json, **options: Any) -> int:
        """Return the number of hits of a query."""
        return int(self.ask(self.client.count, "count", query=query, **options)["count"])

    def refresh(self) -> None:
        """Let what was written be found."""
        self.repeated(lambda: self.written(lambda client: self._once(client.indices.refresh, "_shards")))

    def ask(self, endpoint: Callable[..., ObjectApiResponse[Any]], wanted: str, **body: Any) -> Json:
        """Return an answer with the key `wanted`; the request is repeated while the server is busy."""
        return self.repeated(lambda: self._once(endpoint, wanted, **body))

    def _once(self, endpoint: Callable[..., ObjectApiResponse[Any]], wanted: str, **body: Any) -> Json:
        answer = endpoint(index=self.index, **body).body
        if not isinstance(answer, dict) or wanted not in answer:
            raise not_elasticsearch(self.url)
        check_whole(answer, self.url)
        return answer

    def written(self, send: Callable[[Elasticsearch], T]) -> T:
        """Send a request that a busy server may take long for.

        One that is not answered soon is sent again, and given a minute, if most nodes of the cluster do answer.
        Elasticsearch itself needs longer than that to notice that a node hangs.
        """
        try:
            return send(self.client)
        except ConnectionTimeout:
            self._check_nodes()
        return send(self.client.options(request_timeout=WRITE_TIMEOUT))

    def _check_nodes(self) -> None:
        """Raise IncompleteAnswerError if at least half of the cluster's nodes do not answer."""
        try:
            asking = self.client.options(request_timeout=_PROBE + 1)
            answer = asking.nodes.info(metric="http", timeout=f"{_PROBE}s").body
        except ApiError:  # this user may not ask
            return
        counts = answer.get("_nodes", {}) if isinstance(answer, dict) else {}
        failed, total = counts.get("failed", 0), counts.get("total", 0)
        if failed and 2 * failed >= total:
            raise IncompleteAnswerError(self.url, f"{failed} of {total} nodes do not answer")

    def repeated(self, request: Callable[[], T]) -> T:
        """Send a request, repeatedly while the server is busy or not ready, up to a time limit for each reason."""
        began, waited, pause = monotonic(), 0.0, _FIRST_PAUSE
        while True:
            try:
                return request()
            except (ApiError, TransportError, IncompleteAnswerError) as e:
                wait = _retry_after(e) or pause
                if max(monotonic() - began, waited) + wait > _patience(e):
                    raise
            self._wait(wait)
            waited += wait
            pause = min(2 * pause, _LONGEST_PAUSE)


def check_whole(answer: Json, url: str) -> None:
    """Raise IncompleteAnswerError if the search ran out of time or failed in a part of the index."""
    shards = answer.get("_shards", {})
    if failed := shards.get("failed"):
        reasons = [failure.get("reason", {}).get("reason") for failure in shards.get("failures", ())]
        said = f": {reasons[0]}" if reasons and reasons[0] else ""
        raise IncompleteAnswerError(url, f"{failed} of {shards.get('total')} shards failed{said}")
    if answer.get("timed_out"):
        raise IncompleteAnswerError(url, "the search ran out of time")


def _patience(error: ApiError | TransportError | UnreachableError) -> float:
    """Return the seconds for which a request that failed like this is repeated."""
    if isinstance(error, IncompleteAnswerError):
        return _PATIENCE.get(error.status, 0.0)
    if isinstance(error, ApiError):
        return _PATIENCE.get(error.meta.status, 0.0)
    if isinstance(error, ConnectionTimeout):
        return _PATIENCE_WITHOUT_ANSWER
    lost = isinstance(error, NoConnectionError) and not isinstance(error, SSLError)
    return _PATIENCE_WITHOUT_CONNECTION if lost and TOO_LONG not in str(error) else 0.0


def _retry_after(error: BaseException) -> float:
    """Return the seconds that the server asks to wait (Retry-After), 0 if it does not."""
    said = error.meta.headers.get("retry-after") or "" if isinstance(error, ApiError) else ""
    return float(said) if said.isdecimal() else 0.0
