"""Counts for Prometheus, in its text format."""

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TYPES = {
    "ragcli_requests_total": ("counter", "Requests by path and status."),
    "ragcli_request_seconds": ("histogram", "How long requests took."),
}


class Metrics:
    """Count requests and their durations."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(_BUCKETS) + 1))
        self._sums: defaultdict[str, float] = defaultdict(float)

    def count(self, path: str, status: int, seconds: float) -> None:
        """Count a request. `path` must be a path of the server, so that clients cannot add names."""
        with self._lock:
            self._requests[path, status] += 1
            self._seconds[path][bisect_left(_BUCKETS, seconds)] += 1
            self._sums[path] += seconds

    def text(self, gauges: Mapping[str, Mapping[str, int]]) -> str:
        """Return all counts, and gauges by name and queue, in the text format of Prometheus."""
        with self._lock:
            lines = _head("ragcli_requests_total")
            for (path, status), count in sorted(self._requests.items()):
                lines.append(f'ragcli_requests_total{{path="{path}",status="{status}"}} {count}')
            lines += _head("ragcli_request_seconds")
            for path in sorted(self._seconds):
                lines += self._histogram(path)
        for name, values in gauges.items():
            lines.append(f"# TYPE {name} gauge")
            lines += [f'{name}{{queue="{queue}"}} {value}' for queue, value in values.items()]
        return "\n".join(lines) + "\n"

    def _histogram(self, path: str) -> list[str]:
        lines, below = [], 0
        for limit, count in zip((*map(str, _BUCKETS), "+Inf"), self._seconds[path], strict=True):
            below += count
            lines.append(f'ragcli_request_seconds_bucket{{path="{path}",le="{limit}"}} {below}')
        lines.append(f'ragcli_request_seconds_sum{{path="{path}"}} {self._sums[path]:.6f}')
        lines.append(f'ragcli_request_seconds_count{{path="{path}"}} {below}')
        return lines


def _head(name: str) -> list[str]:
    kind, about = _TYPES[name]
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
