"""Write a GPT-2 checkpoint as ONNX graphs with their weights in files beside them, tensor by tensor.

The body turns embeddings into what the head turns into logits. At 8 bits there are two bodies: one whose weights have a
scale for each block of inputs, the fastest to read for a few tokens, and one with a scale for each output, which
multiplies many tokens at once twice as fast.

Inputs of a body: embeddings (rows, tokens, width); wanted (n,), the places in the flattened (rows * tokens) that count;
lengths (rows,), how many tokens of each row are no padding; last (rows,), the last place that each row then fills in
the key/value buffers; total, their largest + 1; the buffers themselves, (rows, heads, capacity, head width), written in
place. Output: hidden (n, width). The head takes this and gives logits (n, vocab).

The embeddings stay outside: they are looked up in the checkpoint's own memory-mapped file, exact and without a copy.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto

from ragcli.decoder.checkpoint import Checkpoint, Shape
from ragcli.decoder.smoothquant import Block, balance, pad_heads
from ragcli.ort.quantization import Matrix, balance_norm
from ragcli.ort.writer import MS, Graph, Kernel, Skip, value

Precision = Literal["float32", "int8", "int4"]

BODY, MANY, HEAD = "body", "many", "head"  # graphs; MANY is the body for many tokens

_KERNELS: dict[Precision, dict[str, Kernel]] = {
    "float32": {BODY: "float32", HEAD: "float32"},
    "int8": {BODY: "blocks8", MANY: "rows8", HEAD: "blocks8"},
    "int4": {BODY: "blocks4", HEAD: "blocks4"},
}


def write_graphs(checkpoint: Checkpoint, precision: Precision, folder: Path) -> None:
    """Write the graphs of a precision and their weights into a folder."""
    for name, kernel in _KERNELS[precision].items():
        with (folder / f"{name}.bin").open("wb") as weights:
            graph = Graph(kernel, checkpoint.shape.epsilon, weights)
            model = _head(graph, checkpoint) if name == HEAD else _body(graph, checkpoint)
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


def _body(graph: Graph, checkpoint: Checkpoint) -> onnx.ModelProto:
    shape = checkpoint.shape
    stream, skip = "embeddings", None
    for i in range(shape.layers):
        block = balance(pad_heads(_block(checkpoint, i), shape.heads, shape.head_width))
        stream, skip = _add_block(graph, shape, block, i, stream, skip)
    gain, bias, _ = _balanced_head(checkpoint)
    graph.norm("ln_f", stream, skip, gain, bias)
    buffer: list[int | str] = ["rows", shape.heads, "capacity", shape.head_width]
    buffers = {f"{kind}.{i}": buffer for i in range(shape.layers) for kind in ("key", "value")}
    inputs = [
        value("embeddings", TensorProto.FLOAT, ["rows", "tokens", shape.width]),
        value("wanted", TensorProto.INT64, ["n"]),
        value("lengths", TensorProto.INT32, ["rows"]),
        value("last", TensorProto.INT32, ["rows"]),
        value("total", TensorProto.INT32, []),
        *(value(name, TensorProto.FLOAT, size) for name, size in buffers.items()),
    ]
    written = [value(f"new_{name}", TensorProto.FLOAT, size) for name, size in buffers.items()]
    return graph.finish(inputs, value("hidden", TensorProto.FLOAT, ["n", shape.width]), written)


def _head(graph: Graph, checkpoint: Checkpoint) -> onnx.ModelProto:
    shape = checkpoint.shape
    graph.linear("head", "hidden", _balanced_head(checkpoint)[2])
    inputs = [value("hidden", TensorProto.FLOAT, ["n", shape.width])]
    return graph.finish(inputs, value("logits", TensorProto.FLOAT, ["n", shape.vocab]), [])


def _balanced_head(checkpoint: Checkpoint) -> tuple[Matrix, Matrix, Matrix]:
    """Return the gain and bias of the last norm, and the head (in, out)."""
    return balance_norm(checkpoint["ln_f.weight"], checkpoint["ln_f.bias"], checkpoint[checkpoint.head].T)


def _block(checkpoint: Checkpoint, i: int) -> Block:
    parts = ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
    return Block(*(checkpoint[f"h.{i}.{part}.{kind}"] for part in parts for kind in ("weight", "bias")))


def _add_block(graph: Graph, shape: Shape, block: Block, i: int, stream: str, skip: Skip | None) -> tuple[str, Skip]:
    """Add a block; return the residual stream, and what is still to be added to it, which the next norm does."""
    normed, stream = graph.norm(f"ln_1.{i}", stream, skip, block.ln_1, block.ln_1_bias)
    qkv = graph.linear(f"qkv.{i}", normed, block.qkv)
    qkv = graph.node("Add", [qkv, graph.constant(f"qkv_bias.{i}", block.qkv_bias)])
    mixed = _attention(graph, shape, i, qkv)
    if i == shape.layers - 1:  # nothing after the last attention looks at other places
        mixed = _pick(graph, "last_mixed", mixed, shape.heads * shape.head_width)
        stream = _pick(graph, "last_stream", stream, shape.width)
    out = graph.linear(f"out.{i}", mixed, block.out)
    normed, stream = graph.norm(f"ln_2.{i}", stream, (out, block.out_bias), block.ln_2, block.ln_2_bias)
    up = graph.activation(shape.activation, graph.linear(f"up.{i}", normed, block.up), f"up_bias.{i}", block.up_bias)
    return stream, (graph.linear(f"down.{i}", up, block.down), block.down_bias)


def _attention(graph: Graph, shape: Shape, i: int, qkv: str) -> str:
    """Attend from packed queries, keys and values (rows, tokens, 3 * width) to all that came before."""
    inputs = [qkv, "", "", f"key.{i}", f"value.{i}", "last", "total", *[""] * 9, "lengths"]
    heads = shape.heads
    name = graph.node("GroupQueryAttention", inputs, 3, MS, num_heads=heads, kv_num_heads=heads, scale=shape.scales[i])
    graph.name_outputs(f"new_key.{i}", f"new_value.{i}")
    return name


def _pick(graph: Graph, name: str, x: str, width: int) -> str:
    """Take the places whose logits are asked for, from (rows, tokens, width) to (n, width)."""
    flat = graph.node("Reshape", [x, graph.constant(name, np.array([-1, width]))])
    return graph.node("Gather", [flat, "wanted"])
