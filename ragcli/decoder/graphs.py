"""Write the graph of a model of any family, from embeddings to logits.

Inputs: embeddings (rows * tokens, hidden size); shape (3,), which is rows, tokens, -1; wanted (n,), the positions in
the flattened rows that have logits; lengths (rows,), the tokens of each row without padding; last (rows,), the last
position of each row in the key/value buffers; total, the largest of these + 1; the buffers (rows, heads, capacity, head
size), written in place. Output: logits (n, vocab).

The embeddings are looked up outside, in the checkpoint's memory-mapped file, exactly and without a copy.
"""

from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import TensorProto

from ragcli.decoder.family import GRAPH, Precision, Sizes
from ragcli.ort.writer import Graph, Kernel, value

_KERNELS: dict[Precision, Kernel] = {"float32": "float32", "int8": "rows8", "int4": "blocks4"}


def write(precision: Precision, folder: Path, sizes: Sizes, epsilon: float, add: Callable[[Graph], None]) -> None:
    """Write the graph of a precision; `add` adds a family's nodes, the last being the logits."""
    file = folder / GRAPH
    with file.with_suffix(".bin").open("wb") as weights:
        graph = Graph(_KERNELS[precision], epsilon, weights)
        add(graph)
        model = _finish(graph, sizes)
    file.write_bytes(model.SerializeToString())


def _finish(graph: Graph, sizes: Sizes) -> onnx.ModelProto:
    buffer: list[int | str] = ["rows", sizes.kv_heads, "capacity", sizes.head_size]
    buffers = {f"{kind}.{i}": buffer for i in range(sizes.layers) for kind in ("key", "value")}
    inputs = [
        value("embeddings", TensorProto.FLOAT, ["flat", sizes.hidden_size]),
        value("shape", TensorProto.INT64, [3]),
        value("wanted", TensorProto.INT64, ["n"]),
        value("lengths", TensorProto.INT32, ["rows"]),
        value("last", TensorProto.INT32, ["rows"]),
        value("total", TensorProto.INT32, []),
        *(value(name, TensorProto.FLOAT, shape) for name, shape in buffers.items()),
    ]
    written = [value(f"new_{name}", TensorProto.FLOAT, shape) for name, shape in buffers.items()]
    return graph.finish(inputs, value("logits", TensorProto.FLOAT, ["n", sizes.vocab_size]), written)
