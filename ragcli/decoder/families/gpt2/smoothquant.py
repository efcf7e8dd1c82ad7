"""SmoothQuant: move scale between neighbouring layers of a transformer block, so that it quantizes better."""

from typing import NamedTuple

import numpy as np

from ragcli.ort.quantization import Matrix, smooth_norm, smoothing_scale


class Block(NamedTuple):
    """Hold the weights of one transformer block, linear layers as (in, out)."""

    ln_1: Matrix
    ln_1_bias: Matrix
    qkv: Matrix
    qkv_bias: Matrix
    out: Matrix
    out_bias: Matrix
    ln_2: Matrix
    ln_2_bias: Matrix
    up: Matrix
    up_bias: Matrix
    down: Matrix
    down_bias: Matrix


def pad_heads(block: Block, heads: int, head_size: int) -> Block:
    """Widen each head of the attention by zeros, which change nothing: the kernel takes some sizes only."""
    before = len(block.out) // heads
    missing = head_size - before
    if not missing:
        return block
    qkv = block.qkv.reshape(-1, 3 * heads, before)
    out = block.out.reshape(heads, before, -1)
    return block._replace(
        qkv=np.pad(qkv, ((0, 0), (0, 0), (0, missing))).reshape(len(qkv), -1),
        qkv_bias=np.pad(block.qkv_bias.reshape(-1, before), ((0, 0), (0, missing))).reshape(-1),
        out=np.pad(out, ((0, 0), (0, missing), (0, 0))).reshape(heads * head_size, -1),
    )


def smooth(block: Block) -> Block:
    """Move scale between neighbouring layers, channel by channel: the same function, easier to round.

    A channel whose activations are large is divided, and the next layer's weights for it multiplied, by the square root
    of the ratio of both. Source: Xiao et al. 2023, SmoothQuant, with the activations' size estimated from the weights:
    what a layer norm puts out has the size of its gain and bias, a value that of its column.
    """
    ln_1, ln_1_bias, qkv = smooth_norm(block.ln_1, block.ln_1_bias, block.qkv)
    ln_2, ln_2_bias, up = smooth_norm(block.ln_2, block.ln_2_bias, block.up)
    values, out = len(block.out), block.out
    size = np.hypot(ln_1, ln_1_bias) @ np.abs(qkv[:, -values:])
    scale = smoothing_scale(size, out)
    by = np.concatenate([np.ones(2 * values, np.float32), scale])
    return block._replace(
        ln_1=ln_1,
        ln_1_bias=ln_1_bias,
        qkv=qkv / by,
        qkv_bias=block.qkv_bias / by,
        out=out * scale[:, np.newaxis],
        ln_2=ln_2,
        ln_2_bias=ln_2_bias,
        up=up,
    )
