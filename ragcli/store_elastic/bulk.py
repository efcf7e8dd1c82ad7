"""Bulk requests: entries that a busy server rejects are sent again; a refused document is reported and removed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.pool import AsyncResult, ThreadPool
from typing import Any, NamedTuple

from elastic_transport import ObjectApiResponse
from elasticsearch import ApiError, Elasticsearch

from ragcli.analysis.analyzer import Analyzer
from ragcli.counts import counted
from ragcli.store import DocumentUpdate
from ragcli.store_elastic.layout import removed, written
from ragcli.store_elastic.server import IncompleteAnswerError, not_elasticsearch, refused
from ragcli.store_elastic.session import Json, Session

_THREADS = 2
_BULK = 500  # passages in one thread's batch of documents
_BULK_ENTRIES = 2 * _BULK
_BULK_BYTES = 10 * 2**20
_WAIT = "5s"  # how long the server waits for a shard before it reports none
_REPEATED = (429, 502, 503, 504)
_TOO_LARGE = 413
_ANSWER = "items.*._id,items.*.status,items.*.error.type,items.*.error.reason"


class Refusal(NamedTuple):
    """Hold a document that the server refused, and the reason."""

    update: DocumentUpdate
    reason: str


class _Entry(NamedTuple):
    """Hold an action on one entry of the index, with its serialized lines."""

    update: DocumentUpdate
    action: Json
    lines: tuple[bytes, ...]

    @property
    def deletes(self) -> bool:
        """Return whether the entry is to be removed."""
        return "delete" in self.action


def write_all(
    session: Session, updates: Iterable[DocumentUpdate], words: Analyzer, dimension: int
) -> Iterator[Refusal]:
    """Send the updates in a few threads, and yield the documents that were refused.

    The analyzer must be new, so that its unseen words are new to this run.
    """

    def send(batch: list[DocumentUpdate]) -> list[Refusal]:
        return _send_batch(session, batch, words, dimension)

    # Not helpers.parallel_bulk: it gives up on 429, and after an error or Ctrl-C it first sends all the rest.
    # Here the caller's thread reads the updates, and when it stops, everything stops.
    with ThreadPool(_THREADS) as pool:
        running: deque[AsyncResult[list[Refusal]]] = deque()
        for batch in _batches(updates):
            running.append(pool.apply_async(send, (batch,)))
            if len(running) > _THREADS:
                yield from running.popleft().get()
        for sent in running:
            yield from sent.get()


def _batches(updates: Iterable[DocumentUpdate]) -> Iterator[list[DocumentUpdate]]:
    batch, size = [], 0
    for update in updates:
        batch.append(update)
        size += max(len(update.passages), update.old.passages if update.old else 0)
        if size >= _BULK:
            yield batch
            batch, size = [], 0
    yield batch


def _send_batch(session: Session, batch: list[DocumentUpdate], words: Analyzer, dimension: int) -> list[Refusal]:
    """Write the passages of some documents, then remove the leftover passages of their old versions.

    The old version of a refused document stays, unless the server accepted part of the new one; then all is removed.
    """
    refusals: dict[int, Refusal] = {}  # by the update's identity, because an id may occur more than once
    taken: set[int] = set()
    new = (_entry(session, update, *pair) for update in batch for pair in written(update, words, dimension))
    for entry, reason in _sent(session, new):
        if reason is None:
            taken.add(id(entry.update))
        else:
            refusals.setdefault(id(entry.update), Refusal(entry.update, reason))
    old = (
        _entry(session, update, action)
        for update in batch
        for action in removed(
            update.doc_id, _left_over(update, refused=id(update) in refusals, taken=id(update) in taken)
        )
    )
    for _ in _sent(session, old):
        pass
    return list(refusals.values())


def _left_over(update: DocumentUpdate, refused: bool, taken: bool) -> range:
    """Return the numbers of the passages to remove."""
    before = update.old.passages if update.old else 0
    if not refused:
        return range(len(update.passages), before)
    return range(max(before, len(update.passages))) if taken else range(0)


def _sent(session: Session, entries: Iterable[_Entry]) -> Iterator[tuple[_Entry, str | None]]:
    for request in _requests(entries):
        yield from _send(session, request)


def _entry(session: Session, update: DocumentUpdate, *lines: Json) -> _Entry:
    write = session.client.transport.serializers.dumps
    return _Entry(update, lines[0], tuple(write(line, "application/json") for line in lines))


def _requests(entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
    request: list[_Entry] = []
    size = 0
    for entry in entries:
        length = sum(map(len, entry.lines))
        if request and (len(request) == _BULK_ENTRIES or size + length > _BULK_BYTES):
            yield request
            request, size = [], 0
        request.append(entry)
        size += length
    if request:
        yield request


def _send(session: Session, request: list[_Entry]) -> list[tuple[_Entry, str | None]]:
    """Send entries until the server has accepted or refused each; refused ones get a reason.

    Raises IncompleteAnswerError or ApiError if the server keeps failing.
    """
    done: list[tuple[_Entry, str | None]] = []
    waiting = request

    def send() -> None:
        nonlocal waiting
        again: list[_Entry] = []
        busy: Json = {}
        for entry, item in zip(waiting, _items(session, waiting), strict=True):
            if item["status"] in _REPEATED:
                again.append(entry)
                busy = item
            else:
                done.append((entry, _reason(session, entry, item)))
        waiting = again
        if again:
            reason = busy.get("error", {}).get("reason", f"status {busy['status']}").partition("\n")[0]
            entries = counted(len(again), "entry", "entries")
            raise IncompleteAnswerError(session.url, f"{entries} not accepted: {reason}", busy["status"])

    try:
        session.repeated(send)
    except ApiError as e:
        if e.meta.status != _TOO_LARGE:
            raise
        return done + _halves(session, waiting)
    return done


def _halves(session: Session, request: list[_Entry]) -> list[tuple[_Entry, str | None]]:
    """Send a request that was too large in two halves; a single entry that is too large is refused."""
    if len(request) == 1:
        return [(request[0], "too large for the server")]
    half = len(request) // 2
    return _send(session, request[:half]) + _send(session, request[half:])


def _items(session: Session, request: list[_Entry]) -> list[Json]:
    """Send one request and return the answer to each of its entries."""
    lines = [line for entry in request for line in entry.lines]

    def send(client: Elasticsearch) -> ObjectApiResponse[Any]:
        bulk: Callable[..., ObjectApiResponse[Any]] = client.bulk  # which accepts serialized lines
        return bulk(operations=lines, index=session.index, filter_path=_ANSWER, timeout=_WAIT)

    answer = session.written(send).body
    items = answer.get("items") if isinstance(answer, dict) else None
    if not isinstance(items, list):
        raise not_elasticsearch(session.url)
    found = [next(iter(item.values())) for item in items if isinstance(item, dict) and item]
    if len(found) != len(request):
        raise IncompleteAnswerError(session.url, f"{len(found):,} of {len(request):,} entries were answered")
    return found


def _reason(session: Session, entry: _Entry, item: Json) -> str | None:
    """Return why an entry was refused, None if accepted. Raises RagcliError if all others would be refused too."""
    status, error = item["status"], item.get("error", {})
    if status < 300 or (entry.deletes and status == 404):
        return None
    if status != 400 or error.get("type") == "index_closed_exception":
        raise refused(item, session.url)
    return str(error.get("reason", f"status {status}")).partition("\n")[0]
