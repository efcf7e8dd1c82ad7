"""Run a GGUF file by llama.cpp, which takes tokenizer, chat template and stop tokens from the file.

llama.cpp's server runs in a process of its own, which can be killed at any moment; within this process, Ctrl-C would
have to wait for it. It listens on the loopback address only, requires a random key, and ends with this process.
"""

import importlib.util
import os
import re
import secrets
import subprocess
import sys
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

from ragcli.endpoint import Endpoint
from ragcli.errors import RagcliError
from ragcli.models import gguf_parts

_PATIENCE = 3600.0  # seconds; our own server does not hang, and a long prompt takes a slow machine minutes

Pooling = Literal["mean", "cls", "last", "rank"]

_REASON = re.compile(r"\bE \S+: (?:error(?: loading model)?: )?(.+)")  # the first line that llama.cpp marks as an error

_SERVE = """
import os, sys
import xllamacpp
file, size, context, threads, pooling = sys.argv[1:]
devices, size = xllamacpp.get_device_info(), int(size)
if len(devices) == 1 and size > devices[0]["memory_total"] > 0:
    sys.exit(f"E size: it has {size / 1e9:,.0f} GB, the memory {devices[0]['memory_total'] / 1e9:,.0f} GB")
parameters = xllamacpp.CommonParams()
parameters.fit_params = len(devices) > 1  # which loads the model twice, to see what a GPU can hold
parameters.model.path = file
parameters.n_ctx, parameters.n_parallel = int(context), 1
parameters.port, parameters.api_keys = 0, [sys.stdin.readline().strip()]
parameters.verbosity, parameters.warmup = 1, False  # errors only
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = int(threads)
if pooling:
    parameters.embedding = True
    parameters.pooling_type = getattr(xllamacpp.llama_pooling_type, "LLAMA_POOLING_TYPE_" + pooling.upper())
    parameters.n_batch = parameters.n_ubatch = int(context)  # a text is read in one step
try:
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()  # until the parent process ends
finally:
    os._exit(0)  # at once: the server's threads would wait for each other
"""


def start(file: Path, context: int, pooling: Pooling | None = None) -> Endpoint:
    """Load a file and return the connection to its server, which ends with it; with a pooling, it does not write.

    Raises RagcliError for a file that cannot be loaded, ModuleNotFoundError without xllamacpp.
    """
    _check(file)
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModuleNotFoundError("No module named 'xllamacpp'", name="xllamacpp")
    key = secrets.token_hex(16)
    size = sum(part.stat().st_size for part in gguf_parts(file))
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(  # noqa: S603 (our own Python)
            [sys.executable, "-c", _SERVE, str(file), str(size), str(context), str(_threads()), pooling or ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,  # so that Ctrl-C does not reach it
            text=True,
        )
        assert server.stdin  # noqa: S101 (it is a pipe)
        try:
            server.stdin.write(f"{key}\n")
            server.stdin.flush()
            address = _address(server, file, said)
        except (KeyboardInterrupt, OSError, RagcliError):
            _end(server)
            raise
    endpoint = Endpoint(f"{address}/v1", key, timeout=_PATIENCE, who="llama.cpp")
    weakref.finalize(endpoint, _end, server)
    return endpoint


def _threads() -> int:
    """Return as many threads as there are idle cores, at least half of the cores.

    All threads wait for each other after each step, so that one on a busy core holds up the others: beside a process
    that used two cores, two threads encoded 32 passages in 28 seconds, one thread in 1.1.
    """
    cores = os.cpu_count() or 1
    busy = round(os.getloadavg()[0]) if hasattr(os, "getloadavg") else 0
    return max(cores - busy, cores // 2, 1)


def _address(server: "subprocess.Popen[str]", file: Path, said: IO[bytes]) -> str:
    """Return the server's address once the model is loaded. Raises RagcliError, with what it `said`, if it ended."""
    assert server.stdout  # noqa: S101 (it is a pipe)
    if address := server.stdout.readline().strip():
        return address
    said.seek(0)
    found = _REASON.search(said.read().decode("utf-8", "replace"))
    why = found[1] if found else "it gives no reason"
    hint = "Copy or download it again, or use a smaller model or a newer xllamacpp."
    raise RagcliError(f"llama.cpp cannot load {file}: {why}", hint)


def _end(server: "subprocess.Popen[str]") -> None:
    """End the process, also if Ctrl-C comes meanwhile."""
    with suppress(KeyboardInterrupt):
        server.kill()
        server.communicate()


def _check(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            magic = opened.read(4)
    except OSError as error:
        raise RagcliError(f"cannot read {file}: {error.strerror}", "Give a file that exists.") from error
    if magic != b"GGUF":
        raise RagcliError(f"{file} is not a GGUF file", "Give a model in that format.")
