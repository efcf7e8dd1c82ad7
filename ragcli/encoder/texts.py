"""Turn texts into what the graph reads, and group them so that nothing is padded."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

Text = str | tuple[str, str]  # or a pair, which is read together

_TOKENS = 2048  # read at once: what they compute stays in the processor's cache


def tokenize(tokenizer: Tokenizer, texts: Sequence[Text], longest: int) -> list[Encoding]:
    """Tokenize texts, or pairs of them, cut to the longest that the model takes."""
    if (tokenizer.truncation or {}).get("max_length") != longest:  # to change it while another thread reads fails
        tokenizer.enable_truncation(longest)
    return list(tokenizer.encode_batch(texts))


def groups(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the places of texts of the same length, at most _TOKENS tokens together, the shortest first.

    A text of 64 tokens alone is nearly as fast a token as many together, and shorter ones often have the same length.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    begin = 0
    while begin < len(order):
        length = lengths[order[begin]]
        end = begin + 1
        while end < len(order) and lengths[order[end]] == length and (end - begin + 1) * length <= _TOKENS:
            end += 1
        yield order[begin:end]
        begin = end


def ids_of(encodings: Sequence[Encoding]) -> NDArray[np.int64]:
    """Return the token ids (rows, tokens) of texts of the same length."""
    return np.array([encoding.ids for encoding in encodings], dtype=np.int64)


def types_of(encodings: Sequence[Encoding]) -> NDArray[np.int64]:
    """Return the token types (rows, tokens) of pairs of the same length: which text of its pair a token is of."""
    return np.array([encoding.type_ids for encoding in encodings], dtype=np.int64)
