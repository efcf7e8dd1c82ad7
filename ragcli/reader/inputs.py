"""Build the inputs of a reader: [CLS] question [SEP] heading [SEP] text [SEP]."""

from collections.abc import Sequence
from typing import NamedTuple

from tokenizers import Tokenizer

from ragcli.errors import RagcliError

# Maximal tokens. A question keeps its beginning, a heading its end, which is nearest to the text.
LONGEST_QUESTION = 40
LONGEST_HEADING = 32
LONGEST_TEXT = 190

Block = tuple[str, str]  # heading path and text


class Input(NamedTuple):
    """Hold the token ids of a question and a block, and their types.

    `offsets` are the spans of the text's tokens in the text; `begin` is the position of the first of them.
    """

    ids: list[int]
    types: list[int]
    begin: int
    offsets: list[tuple[int, int]]


def build_inputs(tokenizer: Tokenizer, question: str, blocks: Sequence[Block]) -> list[Input]:
    """Return one input for each block. Without a heading, its separator is left out too."""
    first, separator = (_id(tokenizer, token) for token in ("[CLS]", "[SEP]"))
    asked = [first, *tokenizer.encode(question, add_special_tokens=False).ids[:LONGEST_QUESTION], separator]
    headings = tokenizer.encode_batch([heading for heading, _ in blocks], add_special_tokens=False)
    texts = tokenizer.encode_batch([text for _, text in blocks], add_special_tokens=False)
    inputs = []
    for heading, text in zip(headings, texts, strict=True):
        above = [*heading.ids[-LONGEST_HEADING:], separator] if heading.ids else []
        ids = [*asked, *above, *text.ids[:LONGEST_TEXT], separator]
        types = [0] * len(asked) + [1] * (len(ids) - len(asked))
        inputs.append(Input(ids, types, len(asked) + len(above), text.offsets[:LONGEST_TEXT]))
    return inputs


def _id(tokenizer: Tokenizer, token: str) -> int:
    number = tokenizer.token_to_id(token)
    if number is None:
        raise RagcliError(f"the tokenizer has no token {token}", "Use the tokenizer that belongs to the reader.")
    return int(number)
