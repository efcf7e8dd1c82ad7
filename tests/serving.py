"""A server in a process of its own, for tests."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support import environment


@contextmanager
def server(*options: str, env: Mapping[str, str], killed_after: float | None = None) -> Iterator[str]:
    """Run `ragcli serve` on a free port; yield its address. It may be killed so many seconds after it is there."""
    words = [sys.executable, "-m", "ragcli", "serve", "--port", "0", *options]
    with subprocess.Popen(words, env=environment(env), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:  # notes come first
            if " at http://" in line:
                if killed_after:
                    threading.Timer(killed_after, process.kill).start()
                yield line.partition(" at ")[2].split()[0].rstrip("/")
                break
        process.terminate()
        assert process.wait(20) in ((-9,) if killed_after else (0, -15))


def world(folder: Path) -> dict[str, str]:
    """Return the variables of a data folder of its own."""
    return {"RAGCLI_HOME": str(folder / "home"), "RAGCLI_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
