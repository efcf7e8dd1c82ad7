"""Add the nodes of a GPT-2 to its graphs, tensor by tensor."""

from pathlib import Path

import numpy as np

from ragcli.decoder import graphs
from ragcli.decoder.families.gpt2.checkpoint import Checkpoint, Gpt2Config
from ragcli.decoder.families.gpt2.smoothquant import Block, pad_heads, smooth
from ragcli.decoder.family import Precision
from ragcli.ort.quantization import Matrix, smooth_norm
from ragcli.ort.writer import MS, Graph, Skip


def write_graph(checkpoint: Checkpoint, precision: Precision, folder: Path) -> None:
    """Write the graph of a precision and its weights into a folder."""
    graphs.write(
        precision, folder, checkpoint.sizes, checkpoint.config.epsilon, lambda graph: _add_model(graph, checkpoint)
    )


def _add_model(graph: Graph, checkpoint: Checkpoint) -> None:
    config = checkpoint.config
    stream, skip = "embeddings", None
    for i in range(config.layers):
        block = smooth(pad_heads(_block(checkpoint, i), config.heads, config.head_size))
        stream, skip = _add_block(graph, config, block, i, stream, skip)
    gain, bias, head = _smoothed_head(checkpoint)
    normed, _ = graph.norm("ln_f", stream, skip, gain, bias)
    graph.linear("head", normed, head)


def _smoothed_head(checkpoint: Checkpoint) -> tuple[Matrix, Matrix, Matrix]:
    """Return the gain and bias of the last norm, and the head (in, out)."""
    return smooth_norm(checkpoint["ln_f.weight"], checkpoint["ln_f.bias"], checkpoint[checkpoint.head].T)


def _block(checkpoint: Checkpoint, i: int) -> Block:
    parts = ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
    return Block(*(checkpoint[f"h.{i}.{part}.{kind}"] for part in parts for kind in ("weight", "bias")))


def _add_block(
    graph: Graph, config: Gpt2Config, block: Block, i: int, stream: str, skip: Skip | None
) -> tuple[str, Skip]:
    """Add a block; return the residual stream, and what is still to be added to it, which the next norm does."""
    normed, stream = graph.norm(f"ln_1.{i}", stream, skip, block.ln_1, block.ln_1_bias)
    qkv = graph.linear(f"qkv.{i}", normed, block.qkv)
    qkv = graph.node("Add", [qkv, graph.constant(f"qkv_bias.{i}", block.qkv_bias)])
    mixed = _attention(graph, config, i, graph.node("Reshape", [qkv, "shape"]))
    if i == config.layers - 1:  # after the last attention, only the wanted positions matter
        mixed, stream = (graph.node("Gather", [x, "wanted"]) for x in (mixed, stream))
    out = graph.linear(f"out.{i}", mixed, block.out)
    normed, stream = graph.norm(f"ln_2.{i}", stream, (out, block.out_bias), block.ln_2, block.ln_2_bias)
    up = graph.activation(config.activation, graph.linear(f"up.{i}", normed, block.up), f"up_bias.{i}", block.up_bias)
    return stream, (graph.linear(f"down.{i}", up, block.down), block.down_bias)


def _attention(graph: Graph, config: Gpt2Config, i: int, qkv: str) -> str:
    """Attend from packed queries, keys and values (rows, tokens, 3 * heads * head size) to all that came before."""
    inputs = [qkv, "", "", f"key.{i}", f"value.{i}", "last", "total", *[""] * 9, "lengths"]
    heads, scale = config.heads, config.scales[i]
    name = graph.node("GroupQueryAttention", inputs, 3, MS, num_heads=heads, kv_num_heads=heads, scale=scale)
    graph.name_outputs(f"new_key.{i}", f"new_value.{i}")
    return graph.node("Reshape", [name, graph.constant(f"flat.{i}", np.array([-1, heads * config.head_size]))])
