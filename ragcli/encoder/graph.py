"""Write an encoder as an ONNX graph, with its weights in a separate file.

Input: embeddings (rows, tokens, hidden); all rows have the same length, so there is neither padding nor a mask.
Output: pooled (rows, hidden), the states of the first tokens or the mean of all; without pooling the states of all
tokens (rows, tokens, hidden). The embeddings are looked up outside, in the checkpoint's memory-mapped file.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from onnx import TensorProto

from ragcli.encoder.checkpoint import BertConfig, Checkpoint
from ragcli.encoder.recipe import Pooling
from ragcli.ort.quantization import Matrix
from ragcli.ort.writer import MS, Graph, Kernel, value

Precision = Literal["float32", "int8"]

_KERNELS: dict[Precision, Kernel] = {"float32": "float32", "int8": "tokens8"}


def write_graph(checkpoint: Checkpoint, pooling: Pooling | Literal["none"], precision: Precision, folder: Path) -> None:
    """Write the graph and its weights into a folder."""
    config = checkpoint.config
    with (folder / "encoder.bin").open("wb") as weights:
        graph = Graph(_KERNELS[precision], config.epsilon, weights)
        gain, bias = _norm(checkpoint, "embeddings.LayerNorm")
        stream, _ = graph.norm("embeddings_norm", "embeddings", None, gain, bias)
        for i in range(config.layers):
            stream = _add_layer(graph, checkpoint, i, stream, first_only=pooling == "cls" and i == config.layers - 1)
        sizes: list[str | int] = ["rows", config.hidden_size]
        if pooling == "mean":
            graph.node("ReduceMean", [stream, graph.constant("tokens", np.array([1]))], keepdims=0)
        elif pooling == "cls":
            graph.node("Reshape", [stream, graph.constant("flat", np.array([-1, config.hidden_size]))])
        else:
            graph.node("Identity", [stream])
            sizes.insert(1, "tokens")
        model = graph.finish(
            [value("embeddings", TensorProto.FLOAT, ["rows", "tokens", config.hidden_size])],
            value("pooled", TensorProto.FLOAT, sizes),
        )
    (folder / "encoder.onnx").write_bytes(model.SerializeToString())


def _add_layer(graph: Graph, checkpoint: Checkpoint, i: int, stream: str, *, first_only: bool) -> str:
    """Add a layer; return its output (rows, tokens, hidden), or that of the first tokens (rows, 1, hidden)."""
    layer = f"encoder.layer.{i}"
    mixed = _attention(graph, checkpoint.config, *_qkv(checkpoint, layer), layer, stream)
    if first_only:
        first = graph.constant("first", np.array([0]))
        mixed, stream = (graph.node("Gather", [x, first], axis=1) for x in (mixed, stream))
    out = _linear(graph, checkpoint, f"{layer}.attention.output.dense", mixed)
    stream = _add_norm(graph, checkpoint, f"{layer}.attention.output", stream, out)
    up = _linear(graph, checkpoint, f"{layer}.intermediate.dense", stream)
    up_bias = checkpoint[f"{layer}.intermediate.dense.bias"]
    up = graph.activation(checkpoint.config.activation, up, f"{layer}.up_bias", up_bias)
    down = _linear(graph, checkpoint, f"{layer}.output.dense", up)
    return _add_norm(graph, checkpoint, f"{layer}.output", stream, down)


def _qkv(checkpoint: Checkpoint, layer: str) -> tuple[list[Matrix], Matrix]:
    """Return the weights (in, out) of queries, keys and values, and their biases in one row."""
    names = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
    biases = np.concatenate([checkpoint[f"{name}.bias"] for name in names])
    return [checkpoint[f"{name}.weight"].T for name in names], biases


def _attention(graph: Graph, config: BertConfig, weights: list[Matrix], bias: Matrix, layer: str, stream: str) -> str:
    """Add full self-attention within each row."""
    qkv = [graph.linear(f"{layer}.{part}", stream, w) for part, w in zip("qkv", weights, strict=True)]
    inputs = [*qkv, graph.constant(f"{layer}.qkv_bias", bias)]
    return graph.node("MultiHeadAttention", inputs, domain=MS, num_heads=config.heads)


def _linear(graph: Graph, checkpoint: Checkpoint, name: str, x: str) -> str:
    return graph.linear(name, x, checkpoint[f"{name}.weight"].T)


def _add_norm(graph: Graph, checkpoint: Checkpoint, part: str, stream: str, added: str) -> str:
    """Add a layer's output with its bias to the stream, and normalise the sum.

    Sum is used because Add would be fused into a SkipLayerNormalization, which takes three times as long as both.
    """
    summed = graph.node("Sum", [added, stream, graph.constant(f"{part}.bias", checkpoint[f"{part}.dense.bias"])])
    return graph.norm(f"{part}.norm", summed, None, *_norm(checkpoint, f"{part}.LayerNorm"))[0]


def _norm(checkpoint: Checkpoint, name: str) -> tuple[Matrix, Matrix]:
    return checkpoint[f"{name}.weight"], checkpoint[f"{name}.bias"]
