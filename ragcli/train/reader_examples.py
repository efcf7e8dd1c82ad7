"""Training examples of a reader: a question, the block that answers it, and wrong blocks found by the search."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from ragcli.analysis.analyzer import analyzer
from ragcli.analysis.blocks import block_size, find_blocks, headed_blocks
from ragcli.analysis.functions import STOP_WORDS
from ragcli.errors import UsageError
from ragcli.evaluate.questions import Question, read_questions
from ragcli.readers import find_inputs
from ragcli.search import Searcher
from ragcli.store import Hit
from ragcli.train.data import holds_questions

_HITS = 5  # as `ask` takes
_MOST = 11  # blocks beside the right one
_FEWEST = 2
_WORD = re.compile(r"[\w.'/_-]+")


class Example(NamedTuple):
    """Hold a question and blocks (heading, text). With a span, the first block answers it, at that span of its text."""

    doc_id: str
    question: str
    blocks: tuple[tuple[str, str], ...]
    span: tuple[int, int] | None


class Examples(NamedTuple):
    """Hold the examples for training and validation, and the number of questions left out."""

    training: list[Example]
    validation: list[Example]
    left_out: int


def collect_examples(files: Iterable[Path], searcher: Searcher, share: float, seed: int) -> Examples:
    """Make examples from the questions in files; a share of their documents is held out for validation.

    Questions are left out if their document does not contain the answer or there are too few blocks to choose from.
    Raises UsageError for a file without questions, and if none is left to train on.
    """
    found = Examples([], [], 0)
    for question in _questions(files):
        example = make_example(question, searcher)
        if example is None:
            found = found._replace(left_out=found.left_out + 1)
        else:
            (found.validation if _is_validation(example, share, seed) else found.training).append(example)
    if not found.training:
        hint = "Give questions with answers that stand word for word in the documents beside them."
        raise UsageError("no question is left to train on", hint)
    return found


def _questions(files: Iterable[Path]) -> Iterator[Question]:
    for source in find_inputs(files):
        if not holds_questions(source.path):
            hint = 'A question is a line of JSON: {"id": "…", "question": "…", "answers": ["…"], "doc_id": "…"}.'
            raise UsageError(f"{source.name} holds no questions, and a reader can only learn from questions", hint)
        yield from read_questions(source.path).items


def _is_validation(example: Example, share: float, seed: int) -> bool:
    digest = blake2b(f"{seed} {example.doc_id}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") < share * 2**32


def make_example(question: Question, searcher: Searcher) -> Example | None:
    """Return the example of a question: the block with the answer, then the most similar ones; None without these.

    Blocks of other documents that also contain an answer are neither right nor wrong; they are left out.
    """
    hits = searcher.search(question.text, _HITS)
    own = [*(hit for hit in hits if hit.id == question.doc_id), *_passages(question, searcher)]
    answers = [answer for answer in question.answers if answer.strip()]
    language = searcher.language
    stems = analyzer(language).stems(question.text)

    def likeness(block: tuple[str, str]) -> int:
        return len(stems & analyzer(language).stems(" ".join(block)))

    right = max(_with_answer(own, answers, language), key=lambda found: likeness(found[0]), default=None)
    if answers and right is None:
        return None
    every = dict.fromkeys(block for hit in [*own[:1], *hits] for block in headed_blocks(hit.title, hit.text, language))
    wrong = [block for block in every if not any(answer in block[1] for answer in answers)]
    wrong = sorted(wrong, key=likeness, reverse=True)[:_MOST]
    if len(wrong) < _FEWEST:
        return None
    first, span = right or (None, None)
    return Example(question.doc_id or question.id, question.text, (*([first] if first else []), *wrong), span)


def _passages(question: Question, searcher: Searcher) -> list[Hit]:
    return searcher.store.passages(question.doc_id) if question.doc_id else []


def _with_answer(
    hits: Sequence[Hit], answers: Sequence[str], language: str
) -> Iterator[tuple[tuple[str, str], tuple[int, int]]]:
    """Yield the blocks that contain an answer or its beginning, each with the answer's span."""
    for hit in hits:
        for answer in answers:
            at = hit.text.find(answer)
            if at >= 0:
                for block in find_blocks(hit.text, block_size(language)):
                    if block.start <= at < block.end:
                        span = at - block.start, min(at + len(answer), block.end) - block.start
                        yield block.headed(hit.title, hit.text), span


def vary(question: str, rng: random.Random) -> str:
    """Vary a question as people type it: unchanged, in lower case, as keywords, or misspelt."""
    choice = rng.random()
    if choice < 0.5:
        return question
    plain = question.rstrip(" ?？").lower()
    if choice < 0.75:
        return plain
    words = _WORD.findall(plain)
    if choice < 0.87:
        kept = [word for word in words if word not in STOP_WORDS]
        return " ".join(kept) if len(kept) > 1 else plain
    long = [place for place, word in enumerate(words) if len(word) > 4]
    if long:
        place = rng.choice(long)
        cut = rng.randrange(1, len(words[place]) - 1)
        word = words[place]
        words[place] = word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
    return " ".join(words) if long else plain
