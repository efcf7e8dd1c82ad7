"""Run batches of texts in parallel, one on each core.

ONNX Runtime's own threads divide each operation instead: for small models that is slower, and they spin while they
wait, which takes the cores from other requests and programs.
"""

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def in_parallel(run: Callable[[Batch], Result], batches: Sequence[Batch]) -> list[Result]:
    """Return the result of each batch; a single one is run by the caller's thread."""
    if len(batches) == 1:
        return [run(batches[0])]
    return list(_threads().map(run, batches))


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="model")
