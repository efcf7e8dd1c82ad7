"""Generate with a GGUF file by llama.cpp, which takes the chat template, stop tokens and context from the file.

llama.cpp's server runs in a process of its own, which can be killed at any moment; within this process, Ctrl-C would
have to wait for it. It listens on the loopback address only, requires a random key, and ends with this process.
"""

import importlib.util
import secrets
import subprocess
import sys
import weakref
from pathlib import Path

from ragcli.endpoint import Endpoint
from ragcli.errors import RagcliError
from ragcli.generate.remote import RemoteGenerator

_CONTEXT = 8192  # maximal tokens: keys and values of a full context may be larger than the model
_SERVE = """
import os, sys
import xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.n_ctx, parameters.n_parallel = int(sys.argv[2]), 1
parameters.port, parameters.api_keys = 0, [sys.stdin.readline().strip()]
parameters.verbosity, parameters.warmup = -1, False
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = os.cpu_count() or 1
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()  # until the parent process ends
os._exit(0)
"""


class GgufGenerator(RemoteGenerator):
    """A model, and the process that runs it."""

    def __init__(self, name: str, file: Path, as_text: bool = False) -> None:
        """Load a file.

        Raises RagcliError for a file that cannot be loaded, ModuleNotFoundError without xllamacpp.
        """
        _check(file)
        key = secrets.token_hex(16)
        server = _serve(file, key)
        weakref.finalize(self, _end, server)
        super().__init__(Endpoint(f"{_address(server, file)}/v1", key), None, as_text)
        self.name = file.stem if name.endswith(".gguf") else name
        self.context = min(self.context, _CONTEXT)


def _serve(file: Path, key: str) -> "subprocess.Popen[str]":
    """Start the server in its own session, so that Ctrl-C does not reach it."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModuleNotFoundError("No module named 'xllamacpp'", name="xllamacpp")
    server = subprocess.Popen(  # noqa: S603 (our own Python)
        [sys.executable, "-c", _SERVE, str(file), str(_CONTEXT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    assert server.stdin  # noqa: S101 (it is a pipe)
    server.stdin.write(f"{key}\n")
    server.stdin.flush()
    return server


def _address(server: "subprocess.Popen[str]", file: Path) -> str:
    """Return the server's address once the model is loaded. Raises RagcliError if it ended instead."""
    assert server.stdout  # noqa: S101 (it is a pipe)
    if address := server.stdout.readline().strip():
        return address
    message = f"llama.cpp cannot load {file}: it is truncated, too large for the memory, or of an unknown family"
    raise RagcliError(message, "Copy or download it again, or use a smaller model or a newer xllamacpp.")


def _end(server: "subprocess.Popen[str]") -> None:
    server.kill()
    server.communicate()


def _check(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            magic = opened.read(4)
    except OSError as error:
        raise RagcliError(f"cannot read {file}: {error.strerror}", "Give --model a file that exists.") from error
    if magic != b"GGUF":
        raise RagcliError(f"{file} is not a GGUF file", "Give --model a model in that format.")
