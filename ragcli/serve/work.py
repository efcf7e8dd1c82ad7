"""Run work in threads, with a bounded queue; work is cancelled when nobody waits for it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Done = TypeVar("Done")
Emit = Callable[[str], None]


class BusyError(Exception):
    """Report that the queue is full."""


class GoneError(Exception):
    """Report that nobody waits for the work anymore."""


class Workers:
    """Run work in `threads` threads; up to `waiting` more are queued."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="work")
        self._threads, self._most = threads, threads + waiting
        self._lock = threading.Lock()
        self.taken = 0
        self.refused = 0

    @property
    def running(self) -> int:
        """Return the number of running tasks."""
        return min(self.taken, self._threads)

    @property
    def waiting(self) -> int:
        """Return the number of queued tasks."""
        return self.taken - self.running

    def submit(self, work: Callable[[], Done]) -> "Future[Done]":
        """Run work. Raises BusyError if the queue is full."""
        with self._lock:
            if self.taken >= self._most:
                self.refused += 1
                raise BusyError
            self.taken += 1
        future = self._pool.submit(work)
        future.add_done_callback(self._finish)
        return future

    def _finish(self, _: "Future[Any]") -> None:
        with self._lock:
            self.taken -= 1

    async def run(self, work: Callable[[Emit], Done], gone: Callable[[], Awaitable[Any]]) -> Done:
        """Run work, unless what `gone` starts completes first: then queued work is cancelled. Raises GoneError."""
        cancelled = threading.Event()
        future = self.submit(lambda: work(_guarded(lambda _: None, cancelled)))
        waiting = asyncio.ensure_future(gone())
        result = asyncio.wrap_future(future)
        try:
            await asyncio.wait({result, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not result.done():
                raise GoneError
            return await result
        finally:
            cancelled.set()
            waiting.cancel()
            result.cancel()

    async def stream(self, work: Callable[[Emit], Done]) -> AsyncIterator[str | Done]:
        """Yield what the work emits, then its result; the work ends if the consumer stops."""
        loop = asyncio.get_running_loop()
        cancelled = threading.Event()
        pieces: asyncio.Queue[str | None] = asyncio.Queue()

        def put(piece: str | None) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

        future: Future[Any] = self.submit(lambda: work(_guarded(put, cancelled)))
        future.add_done_callback(lambda _: None if loop.is_closed() else put(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            yield await asyncio.wrap_future(future)
        finally:
            cancelled.set()
            future.cancel()

    def close(self) -> None:
        """Start no more work."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _guarded(emit: Emit, cancelled: threading.Event) -> Emit:
    def guarded(piece: str) -> None:
        if cancelled.is_set():
            raise GoneError
        emit(piece)

    return guarded
