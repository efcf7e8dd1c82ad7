"""Pack texts into rows of tokens: documents in one stream with an end token after each, questions whole."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ragcli.prompt import QUESTION
from ragcli.train.data import Text
from ragcli.train.overlap import words

IGNORE_INDEX = -100  # the label that cross_entropy ignores
_BATCH = 1000  # texts
_LONG_ANSWER = 100  # tokens: `ask` writes no more by default


class Rows(NamedTuple):
    """Hold tokens and labels, each (rows, context + 1). A label is its token, or IGNORE_INDEX for a token not learnt.

    The first token of a row is never predicted. A row of documents begins with the last token of the row before.
    """

    tokens: NDArray[np.int32]
    labels: NDArray[np.int32]


class Counts(NamedTuple):
    """Count tokens, the longest text, texts longer than a row, texts left out, words, and badly split words."""

    tokens: int
    longest: int
    cut: int
    left_out: int
    words: int
    split_words: int


class Packed(NamedTuple):
    """Hold rows and the counts of the texts they were made from."""

    rows: Rows
    counts: Counts


def pack(
    texts: Sequence[Text],
    tokenizer: Tokenizer,
    end: int,
    context: int,
    prompt_for: Callable[[Text], str | None],
) -> Packed:
    """Turn texts into rows. Every token of a document is learnt; of a question only the answer, not the prompt.

    With both kinds of rows, the smaller set is repeated until both are equally large.
    """
    documents = [text for text in texts if text.question is None]
    lengths: list[int] = []
    stream = array("i", [end])
    for start in range(0, len(documents), _BATCH):
        for encoding in tokenizer.encode_batch_fast([text.text for text in documents[start : start + _BATCH]]):
            lengths.append(len(encoding.ids))
            stream.extend([*encoding.ids, end])
    examples = [_example(text, tokenizer, end, prompt_for) for text in texts if text.question is not None]
    usable = [example for example in examples if example]
    lengths += [len(example[0]) for example in usable]
    rows = _balanced(_stream_rows(stream, context, end), _example_rows(usable, context, end))
    cut = sum(length > context for length in lengths)
    many, badly = _words(documents, tokenizer)
    counts = Counts(sum(lengths), max(lengths, default=0), cut, len(examples) - len(usable), many, badly)
    return Packed(rows, counts)


Example = tuple[list[int], int]  # token ids, and the length of the prompt among them


def _example(text: Text, tokenizer: Tokenizer, end: int, prompt_for: Callable[[Text], str | None]) -> Example | None:
    prompt = prompt_for(text)
    answer = [*tokenizer.encode(QUESTION.reply(text.text)).ids, end]
    if prompt is None or len(answer) > _LONG_ANSWER:
        return None
    given = tokenizer.encode(prompt).ids
    return [*given, *answer], len(given)


def _stream_rows(stream: "array[int]", context: int, end: int) -> Rows:
    count = -(-(len(stream) - 1) // context)
    tokens = np.full(count * context + 1, end, dtype=np.int32)
    tokens[: len(stream)] = np.frombuffer(stream, dtype=np.int32)
    labels = tokens.copy()
    labels[len(stream) :] = IGNORE_INDEX
    return Rows(_overlapping(tokens, count, context), _overlapping(labels, count, context))


def _overlapping(line: NDArray[np.int32], rows: int, context: int) -> NDArray[np.int32]:
    starts = np.arange(rows)[:, np.newaxis] * context
    return np.asarray(line[starts + np.arange(context + 1)], dtype=np.int32)


def _example_rows(examples: Iterable[Example], context: int, end: int) -> Rows:
    """Fill each row with as many whole examples as fit."""
    tokens: list[list[int]] = []
    labels: list[list[int]] = []
    for ids, given in examples:
        if not tokens or len(tokens[-1]) + len(ids) > context + 1:
            tokens.append([])
            labels.append([])
        tokens[-1] += ids
        labels[-1] += [IGNORE_INDEX] * given + ids[given:]
    return Rows(_padded(tokens, context, end), _padded(labels, context, IGNORE_INDEX))


def _padded(rows: list[list[int]], context: int, filler: int) -> NDArray[np.int32]:
    table = np.full((len(rows), context + 1), filler, dtype=np.int32)
    for row, ids in zip(table, rows, strict=True):
        row[: len(ids)] = ids
    return table


def _balanced(one: Rows, other: Rows) -> Rows:
    sizes = len(one.tokens), len(other.tokens)
    most = max(sizes) if all(sizes) else 0
    chosen = [np.arange(max(size, most)) % max(size, 1) for size in sizes]
    tokens = np.concatenate([one.tokens[chosen[0]], other.tokens[chosen[1]]])
    return Rows(tokens, np.concatenate([one.labels[chosen[0]], other.labels[chosen[1]]]))


def _words(texts: Iterable[Text], tokenizer: Tokenizer) -> tuple[int, int]:
    """Count the words, and those split badly: into pieces of two characters or fewer on average."""
    counted: Counter[str] = Counter()
    for text in texts:
        counted.update(words(text.text))
    unique = list(counted)
    encodings = tokenizer.encode_batch_fast([f" {word}" if word.isascii() else word for word in unique])
    split = [
        word
        for word, encoding in zip(unique, encodings, strict=True)
        if len(encoding.ids) > 1 and 2 * len(encoding.ids) >= len(word)
    ]
    return counted.total(), sum(counted[word] for word in split)


def token_bytes(tokenizer: Tokenizer, end: int, places: int) -> NDArray[np.int64]:
    """Return the number of bytes each token stands for; in a byte-level vocabulary a character is one byte."""
    sizes = np.zeros(places, dtype=np.int64)
    for token, number in tokenizer.get_vocab().items():
        sizes[number] = len(token)
    sizes[end] = 0
    return sizes
