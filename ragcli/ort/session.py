"""Open ONNX Runtime sessions: without threads, or all with the same."""

import os
import platform
from pathlib import Path

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as states

from ragcli.errors import first_line

_LOAD_ERRORS = (
    *(states.Fail, states.InvalidArgument, states.InvalidGraph, states.InvalidProtobuf),
    *(states.NoSuchFile, states.NotImplemented, states.RuntimeException),
)


class LoadError(Exception):
    """Report that a graph cannot be loaded, with ONNX Runtime's reason."""


def open_session(graph: Path, threads: bool = True) -> ort.InferenceSession:
    """Load a graph; without threads, a run stays in the caller's. Raises LoadError if it is damaged."""
    try:
        return ort.InferenceSession(graph, _options(threads), providers=["CPUExecutionProvider"])
    except _LOAD_ERRORS as error:
        raise LoadError(first_line(error)) from error


def _options(threads: bool) -> ort.SessionOptions:
    # Flash attention takes twice as long as whole matrices, whose size the pieces of a prompt limit.
    os.environ.setdefault("ORT_GQA_DISABLE_FLASH_ATTENTION", "1")
    options = ort.SessionOptions()
    options.intra_op_num_threads = 0 if threads else 1
    # Otherwise the threads of one session still spin when the next one runs. A pool that all sessions share would do
    # as well, but then none may have threads of its own.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 4
    if _may_overflow():
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _may_overflow() -> bool:
    """Return whether the fast 8-bit kernel may overflow (x86 without VNNI); the exact one takes twice as long.

    Source: ONNX Runtime's documentation of quantization, "U8S8 on AVX2 and AVX512".
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        return "vnni" not in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except (OSError, ValueError):  # unknown outside Linux
        return True
