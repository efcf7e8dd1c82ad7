"""Arithmetic on weights: smooth the channels of neighbouring layers, and round to 8 or 4 bits."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

BLOCK_4 = 32  # weights that share a scale
_TINY = np.float32(1e-12)


def smooth_norm(gain: Matrix, bias: Matrix, weight: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Move scale from a layer norm into the linear layer (in, out) that follows it."""
    scale = smoothing_scale(np.hypot(gain, bias), weight)
    return gain / scale, bias / scale, weight * scale[:, np.newaxis]


def smoothing_scale(size: Matrix, weight: Matrix) -> Matrix:
    """Return the divisor of each channel, from the size of its activations and the weights (in, out) that read it."""
    largest = np.abs(weight).max(axis=1)
    scale = np.sqrt(np.maximum(size, _TINY) / np.maximum(largest, _TINY))
    scale[(size <= _TINY) | (largest <= _TINY)] = 1  # channels that are off stay
    return np.asarray(scale, dtype=np.float32)


def to_8_bits(weight: Matrix) -> tuple[NDArray[np.int8], Matrix]:
    """Round (in, out) to -127..127, with one scale for each output."""
    scale = np.maximum(np.abs(weight).max(axis=0), _TINY) / 127
    return np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)


def to_4_bits(weight: Matrix) -> tuple[NDArray[np.uint8], Matrix]:
    """Round (in, out) to 1..15 around 8, with one scale for each BLOCK_4 inputs of an output.

    Returns (out, blocks, BLOCK_4 / 2) with two weights a byte, the first in its lower half, and scales (out, blocks).
    The last block is padded with zeros.
    """
    missing = -len(weight) % BLOCK_4
    blocks = np.pad(weight, ((0, missing), (0, 0))).T.reshape(weight.shape[1], -1, BLOCK_4)
    scale = np.maximum(np.abs(blocks).max(axis=-1), _TINY) / 7
    values = (np.rint(blocks / scale[..., np.newaxis]) + 8).astype(np.uint8)
    return np.asarray(values[..., 0::2] | (values[..., 1::2] << 4), dtype=np.uint8), scale.astype(np.float32)
