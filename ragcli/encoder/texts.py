"""Tokenize texts, and batch them by length so that there is no padding."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

Text = str | tuple[str, str]  # or a pair that is read together

_TOKENS = 2048  # per batch, so that activations stay in the processor's cache


def tokenize(tokenizer: Tokenizer, texts: Sequence[Text], longest: int) -> list[Encoding]:
    """Tokenize texts or pairs, truncated to the maximal length."""
    if (tokenizer.truncation or {}).get("max_length") != longest:  # changing it while another thread reads fails
        tokenizer.enable_truncation(longest)
    return list(tokenizer.encode_batch(texts))


def groups(lengths: Sequence[int]) -> list[list[int]]:
    """Return the places of texts with the same length, at most _TOKENS tokens in a batch, the longest first.

    A single text of 64 tokens is nearly as fast per token as a batch, and shorter texts often have the same length.
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    found: list[list[int]] = []
    begin = 0
    while begin < len(order):
        length = lengths[order[begin]]
        end = begin + 1
        while end < len(order) and lengths[order[end]] == length and (end - begin + 1) * length <= _TOKENS:
            end += 1
        found.append(order[begin:end])
        begin = end
    return found


def ids_of(encodings: Sequence[Encoding]) -> NDArray[np.int64]:
    """Return the token ids (rows, tokens) of texts with the same length."""
    return np.array([encoding.ids for encoding in encodings], dtype=np.int64)


def types_of(encodings: Sequence[Encoding]) -> NDArray[np.int64]:
    """Return the token types (rows, tokens) of pairs with the same length."""
    return np.array([encoding.type_ids for encoding in encodings], dtype=np.int64)
