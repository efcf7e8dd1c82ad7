"""Extend a tokenizer by words that it splits badly, or train a new byte-level BPE."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from ragcli.errors import RagcliError
from ragcli.train.data import END

_FIRST = 0xF0000  # private-use characters, one for each known token
_LAST = 0x10FFFF


class Extension(NamedTuple):
    """Hold an extended tokenizer, and the ids of the old pieces of each new token."""

    tokenizer: Tokenizer
    pieces: list[list[int]]


def new_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Train a byte-level BPE of at most `size` tokens (Sennrich et al. 2016); token 0 ends a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[END], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def extend(tokenizer: Tokenizer, texts: Iterable[str], count: int) -> Extension:
    """Add `count` tokens by merging the most frequent pairs of pieces within words.

    The new merges come after the old ones, so a text that contains none of them keeps its tokens. Raises RagcliError
    if the texts have no such pair.
    """
    content = json.loads(tokenizer.to_str())
    vocabulary: dict[str, int] = content["model"]["vocab"]
    names = {number: token for token, number in vocabulary.items()}
    merges = _learn(tokenizer, texts, count)
    pieces: dict[str, list[int]] = {}
    size = tokenizer.get_vocab_size()
    for left, right in merges:
        one, other = ("".join(names[ord(char) - _FIRST] for char in side) for side in (left, right))
        pieces[one + other] = [ord(char) - _FIRST for char in left + right]
        content["model"]["merges"].append([one, other])
        vocabulary[one + other] = size + len(pieces) - 1
    if not pieces:
        raise RagcliError("the texts have no word that the tokenizer splits", "Leave out --extend-vocabulary.")
    return Extension(Tokenizer.from_str(json.dumps(content)), list(pieces.values()))


def _learn(tokenizer: Tokenizer, texts: Iterable[str], count: int) -> list[tuple[str, str]]:
    """Learn merges over token ids with the library's trainer, writing each id as one private-use character."""
    end = _LAST  # ends a word: no merge crosses it
    if _FIRST + tokenizer.get_vocab_size() > end:
        raise RagcliError("the vocabulary is too large to be extended", f"At most {end - _FIRST} tokens are possible.")
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Split(chr(end), "removed")
    lines = [_as_characters(tokenizer, text, chr(end)) for text in texts]
    alphabet = len({char for line in lines for char in line} - {chr(end)})
    trainer = trainers.BpeTrainer(vocab_size=alphabet + count, min_frequency=2, show_progress=False)
    learner.train_from_iterator(lines, trainer)
    model: dict[str, Any] = json.loads(learner.to_str())["model"]
    known = set(tokenizer.get_vocab())
    names = {number: token for token, number in tokenizer.get_vocab().items()}
    merges = [(left, right) for left, right in model["merges"]]
    return [pair for pair in merges if "".join(names[ord(char) - _FIRST] for char in "".join(pair)) not in known]


def _as_characters(tokenizer: Tokenizer, text: str, border: str) -> str:
    encoding = tokenizer.encode(text)
    found: list[str] = []
    before: int | None = -1
    for number, word in zip(encoding.ids, encoding.word_ids, strict=True):
        if word != before:
            found.append(border)
        found.append(chr(_FIRST + number))
        before = word
    return "".join(found)
