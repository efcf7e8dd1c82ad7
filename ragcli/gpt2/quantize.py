"""Pure arithmetic on weights: balance the channels of neighbouring layers, then round to 8 or 4 bits."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

BLOCK_8 = 128  # weights that share a scale
BLOCK_4 = 32
_TINY = np.float32(1e-12)


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


def pad_heads(block: Block, heads: int, width: int) -> Block:
    """Widen each head of the attention by zeros, which change nothing: the kernel knows some widths only."""
    before = len(block.out) // heads
    missing = width - before
    if not missing:
        return block
    qkv = block.qkv.reshape(-1, 3 * heads, before)
    out = block.out.reshape(heads, before, -1)
    return block._replace(
        qkv=np.pad(qkv, ((0, 0), (0, 0), (0, missing))).reshape(len(qkv), -1),
        qkv_bias=np.pad(block.qkv_bias.reshape(-1, before), ((0, 0), (0, missing))).reshape(-1),
        out=np.pad(out, ((0, 0), (0, missing), (0, 0))).reshape(heads * width, -1),
    )


def balance(block: Block) -> Block:
    """Move scale between neighbouring layers, channel by channel: the same function, easier to round.

    A channel whose activations are large is divided, and the next layer's weights for it multiplied, by the square root
    of the ratio of both. Source: Xiao et al. 2023, SmoothQuant, with the activations' size estimated from the weights:
    what a layer norm puts out has the size of its gain and bias, a value that of its column.
    """
    ln_1, ln_1_bias, qkv = balance_norm(block.ln_1, block.ln_1_bias, block.qkv)
    ln_2, ln_2_bias, up = balance_norm(block.ln_2, block.ln_2_bias, block.up)
    values, out = len(block.out), block.out
    size = np.hypot(ln_1, ln_1_bias) @ np.abs(qkv[:, -values:])
    scale = _scale(size, out)
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


def balance_norm(gain: Matrix, bias: Matrix, weight: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Balance a layer norm with the linear layer (in, out) behind it."""
    scale = _scale(np.hypot(gain, bias), weight)
    return gain / scale, bias / scale, weight * scale[:, np.newaxis]


def _scale(size: Matrix, weight: Matrix) -> Matrix:
    """Return by what to divide channels of this size, before a layer with these weights."""
    largest = np.abs(weight).max(axis=1)
    scale = np.sqrt(np.maximum(size, _TINY) / np.maximum(largest, _TINY))
    scale[(size <= _TINY) | (largest <= _TINY)] = 1  # a channel that is off may stay as it is
    return np.asarray(scale, dtype=np.float32)


def to_8_bits(weight: Matrix) -> tuple[NDArray[np.int8], Matrix]:
    """Round (in, out) to -127..127, with one scale for each output."""
    scale = np.maximum(np.abs(weight).max(axis=0), _TINY) / 127
    return np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)


def to_8_bits_by_block(weight: Matrix) -> tuple[NDArray[np.uint8], Matrix]:
    """Round (in, out) to 1..255 around 128, with one scale for each BLOCK_8 inputs of an output.

    Returns (out, blocks, BLOCK_8) and scales (out, blocks). What is missing in the last block is zero.
    """
    rounded, scale = _by_block(weight, BLOCK_8, 127)
    return (rounded + 128).astype(np.uint8), scale


def to_4_bits(weight: Matrix) -> tuple[NDArray[np.uint8], Matrix]:
    """Round (in, out) to 1..15 around 8, with one scale for each BLOCK_4 inputs of an output.

    Returns (out, blocks, BLOCK_4 / 2) with two weights a byte, the first in its lower half, and scales (out, blocks).
    What is missing in the last block is zero.
    """
    rounded, scale = _by_block(weight, BLOCK_4, 7)
    values = (rounded + 8).astype(np.uint8)
    return np.asarray(values[..., 0::2] | (values[..., 1::2] << 4), dtype=np.uint8), scale


def _by_block(weight: Matrix, block: int, top: int) -> tuple[Matrix, Matrix]:
    """Return the blocks (out, blocks, block) rounded to -top..top, and their scales (out, blocks)."""
    missing = -len(weight) % block
    blocks = np.pad(weight, ((0, missing), (0, 0))).T.reshape(weight.shape[1], -1, block)
    scale = np.maximum(np.abs(blocks).max(axis=-1), _TINY) / top
    return np.rint(blocks / scale[..., np.newaxis]), scale.astype(np.float32)
