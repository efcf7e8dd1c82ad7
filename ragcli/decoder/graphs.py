"""Write the graphs of a model of any family: a body from embeddings to hidden states, a head from these to logits.

With 8 bits there are two bodies: one with a scale for each block of inputs, which is faster for a few tokens (decode),
and one with a scale for each output, which is twice as fast for many tokens (prefill).

Inputs of a body: embeddings (rows, tokens, hidden size); wanted (n,), the wanted positions in the flattened (rows *
tokens); lengths (rows,), the tokens of each row without padding; last (rows,), the last position of each row in the
key/value buffers; total, the largest of these + 1; the buffers (rows, heads, capacity, head size), written in place.
Output: hidden (n, hidden size). The head maps this to logits (n, vocab).

The embeddings are looked up outside, in the checkpoint's memory-mapped file, exactly and without a copy.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from ragcli.decoder.family import DECODE, HEAD, PREFILL, Precision, Sizes
from ragcli.ort.writer import Graph, Kernel, value

Build = Callable[[Graph], None]

_KERNELS: dict[Precision, dict[str, Kernel]] = {
    "float32": {DECODE: "float32", HEAD: "float32"},
    "int8": {DECODE: "blocks8", PREFILL: "rows8", HEAD: "blocks8"},
    "int4": {DECODE: "blocks4", HEAD: "blocks4"},
}


def write(precision: Precision, folder: Path, sizes: Sizes, epsilon: float, body: Build, head: Build) -> None:
    """Write all graphs of a precision; `body` and `head` add a family's nodes, the last being the output."""
    for name, kernel in _KERNELS[precision].items():
        with (folder / f"{name}.bin").open("wb") as weights:
            graph = Graph(kernel, epsilon, weights)
            (head if name == HEAD else body)(graph)
            model = _finish_head(graph, sizes) if name == HEAD else _finish_body(graph, sizes)
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


def pick(graph: Graph, name: str, x: str, size: int) -> str:
    """Select the wanted positions, from (rows, tokens, size) to (n, size)."""
    flat = graph.node("Reshape", [x, graph.constant(name, np.array([-1, size]))])
    return graph.node("Gather", [flat, "wanted"])


def _finish_body(graph: Graph, sizes: Sizes) -> onnx.ModelProto:
    buffer: list[int | str] = ["rows", sizes.kv_heads, "capacity", sizes.head_size]
    buffers = {f"{kind}.{i}": buffer for i in range(sizes.layers) for kind in ("key", "value")}
    inputs = [
        value("embeddings", TensorProto.FLOAT, ["rows", "tokens", sizes.hidden_size]),
        value("wanted", TensorProto.INT64, ["n"]),
        value("lengths", TensorProto.INT32, ["rows"]),
        value("last", TensorProto.INT32, ["rows"]),
        value("total", TensorProto.INT32, []),
        *(value(name, TensorProto.FLOAT, shape) for name, shape in buffers.items()),
    ]
    written = [value(f"new_{name}", TensorProto.FLOAT, shape) for name, shape in buffers.items()]
    return graph.finish(inputs, value("hidden", TensorProto.FLOAT, ["n", sizes.hidden_size]), written)


def _finish_head(graph: Graph, sizes: Sizes) -> onnx.ModelProto:
    inputs = [value("hidden", TensorProto.FLOAT, ["n", sizes.hidden_size])]
    return graph.finish(inputs, value("logits", TensorProto.FLOAT, ["n", sizes.vocab_size]), [])
