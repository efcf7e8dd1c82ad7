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

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from ragcli.gpt2.checkpoint import Checkpoint, Matrix, Shape
from ragcli.gpt2.quantize import Block, balance, balance_norm, pad_heads, to_4_bits, to_8_bits, to_8_bits_by_block

Precision = Literal["float32", "int8", "int4"]
Kernel = Literal["float32", "rows8", "blocks8", "blocks4"]

BODY, MANY, HEAD = "body", "many", "head"  # graphs; MANY is the body for many tokens

_MS = "com.microsoft"
_PAGE = 4096  # weights begin at a page, so that they can be mapped
_SMALL = 1 << 16  # bytes up to which a tensor stays in the graph's own file
_TINY = 1e-20  # keeps a row of zeros from being divided by zero
_ELEMENT_TYPES = {"float32": TensorProto.FLOAT, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8}


_KERNELS: dict[Precision, dict[str, Kernel]] = {
    "float32": {BODY: "float32", HEAD: "float32"},
    "int8": {BODY: "blocks8", MANY: "rows8", HEAD: "blocks8"},
    "int4": {BODY: "blocks4", HEAD: "blocks4"},
}


def write_graphs(checkpoint: Checkpoint, precision: Precision, folder: Path) -> None:
    """Write the graphs of a precision and their weights into a folder."""
    for name, kernel in _KERNELS[precision].items():
        with (folder / f"{name}.bin").open("wb") as weights:
            graph = _Graph(checkpoint.shape, kernel, weights)
            model = _head(graph, checkpoint) if name == HEAD else _body(graph, checkpoint)
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


def _body(graph: "_Graph", checkpoint: Checkpoint) -> onnx.ModelProto:
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
        _value("embeddings", TensorProto.FLOAT, ["rows", "tokens", shape.width]),
        _value("wanted", TensorProto.INT64, ["n"]),
        _value("lengths", TensorProto.INT32, ["rows"]),
        _value("last", TensorProto.INT32, ["rows"]),
        _value("total", TensorProto.INT32, []),
        *(_value(name, TensorProto.FLOAT, size) for name, size in buffers.items()),
    ]
    written = [_value(f"new_{name}", TensorProto.FLOAT, size) for name, size in buffers.items()]
    return graph.finish(inputs, _value("hidden", TensorProto.FLOAT, ["n", shape.width]), written)


def _head(graph: "_Graph", checkpoint: Checkpoint) -> onnx.ModelProto:
    shape = checkpoint.shape
    graph.linear("head", "hidden", _balanced_head(checkpoint)[2])
    inputs = [_value("hidden", TensorProto.FLOAT, ["n", shape.width])]
    return graph.finish(inputs, _value("logits", TensorProto.FLOAT, ["n", shape.vocab]), [])


def _balanced_head(checkpoint: Checkpoint) -> tuple[Matrix, Matrix, Matrix]:
    """Return the gain and bias of the last norm, and the head (in, out)."""
    return balance_norm(checkpoint["ln_f.weight"], checkpoint["ln_f.bias"], checkpoint[checkpoint.head].T)


def _block(checkpoint: Checkpoint, i: int) -> Block:
    parts = ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
    return Block(*(checkpoint[f"h.{i}.{part}.{kind}"] for part in parts for kind in ("weight", "bias")))


Skip = tuple[str, Matrix]  # what to add to the stream: a layer's output, and its bias


def _add_block(graph: "_Graph", shape: Shape, block: Block, i: int, stream: str, skip: Skip | None) -> tuple[str, Skip]:
    """Add a block; return the residual stream, and what is still to be added to it, which the next norm does."""
    normed, stream = graph.norm(f"ln_1.{i}", stream, skip, block.ln_1, block.ln_1_bias)
    qkv = graph.linear(f"qkv.{i}", normed, block.qkv)
    qkv = graph.node("Add", [qkv, graph.constant(f"qkv_bias.{i}", block.qkv_bias)])
    mixed = graph.attention(i, qkv)
    if i == shape.layers - 1:  # nothing after the last attention looks at other places
        mixed = graph.pick("last_mixed", mixed, shape.heads * shape.head_width)
        stream = graph.pick("last_stream", stream, shape.width)
    out = graph.linear(f"out.{i}", mixed, block.out)
    normed, stream = graph.norm(f"ln_2.{i}", stream, (out, block.out_bias), block.ln_2, block.ln_2_bias)
    up = graph.activation(graph.linear(f"up.{i}", normed, block.up), f"up_bias.{i}", block.up_bias)
    return stream, (graph.linear(f"down.{i}", up, block.down), block.down_bias)


class _Graph:
    """Collect nodes and tensors; large tensors go to the weights' file at once."""

    def __init__(self, shape: Shape, kernel: Kernel, weights: BinaryIO) -> None:
        self._shape = shape
        self._kernel = kernel
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: list[onnx.TensorProto] = []
        if kernel == "rows8":
            self._tiny = self.constant("tiny", np.array(_TINY, dtype=np.float32))
            self._axis = self.constant("axis", np.array([-1]))

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, domain: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its first output; the others are called that and .1, .2, …."""
        name = f"{op}_{len(self._nodes)}"
        names = [name, *(f"{name}.{k}" for k in range(1, outputs))]
        self._nodes.append(helper.make_node(op, list(inputs), names, name, domain=domain, **attributes))
        return name

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a tensor and return its name."""
        values = np.ascontiguousarray(values)
        if values.nbytes <= _SMALL:
            self._tensors.append(numpy_helper.from_array(values, name))
            return name
        self._weights.write(b"\0" * (-self._weights.tell() % _PAGE))
        tensor = TensorProto(name=name, data_type=_ELEMENT_TYPES[str(values.dtype)], dims=values.shape, raw_data=b"")
        set_external_data(tensor, Path(self._weights.name).name, self._weights.tell(), values.nbytes)
        tensor.ClearField("raw_data")
        values.tofile(self._weights)
        self._tensors.append(tensor)
        return name

    def linear(self, name: str, x: str, weight: Matrix) -> str:
        """Multiply by a matrix (in, out), by the graph's kernel."""
        if self._kernel == "float32":
            return self.node("MatMul", [x, self.constant(name, weight)])
        if self._kernel == "rows8":
            return self._linear_rows(name, x, weight)
        bits = 8 if self._kernel == "blocks8" else 4
        values, scale = to_8_bits_by_block(weight) if bits == 8 else to_4_bits(weight)
        inputs = [x, self.constant(name, values), self.constant(f"{name}.scale", scale)]
        rows, columns = weight.shape
        block = values.shape[2] * 8 // bits
        sizes = {"K": rows, "N": columns, "bits": bits, "block_size": block, "accuracy_level": 4}
        return self.node("MatMulNBits", inputs, domain=_MS, **sizes)

    def _linear_rows(self, name: str, x: str, weight: Matrix) -> str:
        """Round the activations to 8 bits with one scale for each token, the weights with one for each output.

        The operator knows one scale for the whole input only: so all tokens are first brought to the same size.
        """
        size = self.node("ReduceMax", [self.node("Abs", [x]), self._axis], keepdims=1)
        size = self.node("Max", [size, self._tiny])
        values, scale = to_8_bits(weight)
        inputs = [
            self.node("Div", [x, size]),
            self.constant(name, values),
            self.constant(f"{name}.scale", scale),
            self.constant(f"{name}.zero", np.zeros(len(scale), np.int8)),
        ]
        return self.node("Mul", [self.node("DynamicQuantizeMatMul", inputs, domain=_MS), size])

    def norm(self, name: str, stream: str, skip: Skip | None, gain: Matrix, bias: Matrix) -> tuple[str, str]:
        """Add what is to be added to the stream, and normalise it; return both, the normalised first."""
        inputs = [self.constant(name, gain), self.constant(f"{name}.bias", bias)]
        if skip is None:
            return self.node("LayerNormalization", [stream, *inputs], epsilon=self._shape.epsilon), stream
        added, added_bias = skip
        inputs = [stream, added, *inputs, self.constant(f"{name}.skip", added_bias)]
        normed = self.node("SkipLayerNormalization", inputs, 4, _MS, epsilon=self._shape.epsilon)
        self._nodes[-1].output[1:3] = ["", ""]  # mean and deviation, which nobody asks for
        return normed, f"{normed}.3"

    def attention(self, i: int, qkv: str) -> str:
        """Attend from packed queries, keys and values (rows, tokens, 3 * width) to all that came before."""
        inputs = [qkv, "", "", f"key.{i}", f"value.{i}", "last", "total", *[""] * 9, "lengths"]
        heads = self._shape.heads
        name = self.node(
            "GroupQueryAttention", inputs, 3, _MS, num_heads=heads, kv_num_heads=heads, scale=self._shape.scales[i]
        )
        self._nodes[-1].output[1:3] = [f"new_key.{i}", f"new_value.{i}"]
        return name

    def activation(self, x: str, name: str, bias: Matrix) -> str:
        """Add a bias and apply the model's activation."""
        inputs = [x, self.constant(name, bias)]
        if self._shape.activation == "relu":
            return self.node("Relu", [self.node("Add", inputs)])
        return self.node("BiasGelu" if self._shape.activation == "gelu" else "FastGelu", inputs, domain=_MS)

    def pick(self, name: str, x: str, width: int) -> str:
        """Take the places whose logits are asked for, from (rows, tokens, width) to (n, width)."""
        flat = self.node("Reshape", [x, self.constant(name, np.array([-1, width]))])
        return self.node("Gather", [flat, "wanted"])

    def finish(
        self, inputs: Sequence[onnx.ValueInfoProto], output: onnx.ValueInfoProto, written: Sequence[onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        """Return the model: its output is the last node's; `written` is what other nodes put out."""
        self._nodes[-1].output[0] = output.name
        graph = helper.make_graph(self._nodes, "gpt2", inputs, [output, *written], self._tensors)
        versions = [helper.make_opsetid("", 20), helper.make_opsetid(_MS, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=10)


def _value(name: str, kind: int, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)
