"""Answer in a model's own words: choose its evidence by its size, let it write, and check the result."""

import re
from collections.abc import Callable, Sequence
from functools import cache

from ragcli.answer.answerer import AskOptions, Emit, Evidence, Retrieved
from ragcli.answer.extractive import ExtractiveAnswerer
from ragcli.answer.free import FreeAnswerer
from ragcli.answer.generation import is_small
from ragcli.answer.schema import Answer
from ragcli.errors import RagcliError
from ragcli.generate import Generator
from ragcli.prompt import CITING, QUESTION, PromptForm
from ragcli.search import Searcher

_SAYS_NOTHING = re.compile(r"(?:\[\d+\]\s*)*|[^\n]*[:：]")  # "The answer to the question is:"


class WrittenAnswerer:
    """Let a model write an answer; a small one gets only the blocks of the grounded answer.

    Without a grounded answer it abstains too, unless the template needs no passages. An answer that says nothing, and a
    `strict` one without any supported sentence, becomes the grounded one.
    """

    def __init__(self, searcher: Searcher, open_generator: Callable[[], Generator], options: AskOptions) -> None:
        self._searcher, self._options = searcher, options
        self._open: Callable[[], Generator] = cache(open_generator)
        self._grounded = ExtractiveAnswerer(searcher, options)

    def answer_all(self, found: Sequence[Retrieved], emit: Emit | None = None) -> list[Answer | RagcliError]:
        """Answer questions together; a question that is too long gets an error in its place."""
        read = self.read_all(found)
        store, reader = self._searcher.store, self._grounded.reader
        writer = FreeAnswerer(self._open, self._options, store, self.template, reader)
        evidence = [one for one in read if isinstance(one, Retrieved)]
        written = iter(writer.answer_all(evidence, None if self._options.strict else emit) if evidence else [])
        answers = [next(written) if isinstance(one, Retrieved) else one for one in read]
        return [self._checked(*pair) for pair in zip(answers, found, strict=True)]

    def read_all(self, found: Sequence[Retrieved]) -> list[Retrieved | Answer]:
        """Return the evidence for each question, or the empty answer if there is none."""
        if self.evidence == "passages":
            return list(found)
        return [self._read(one) for one in found]

    @property
    def evidence(self) -> Evidence:
        """Return the kind of evidence for the model."""
        return self._options.evidence or ("blocks" if self._is_small else "passages")

    @property
    def _is_small(self) -> bool:
        return is_small(self._open())

    @property
    def template(self) -> PromptForm:
        """Return the form of the prompt: a model that takes instructions is asked to cite, but not a small one.

        SmolLM2-135M hardly cites when asked, and its answers hold what was asked for half as often.
        """
        asked = self._open().instructed and not self._is_small
        return self._options.template or (CITING if asked else QUESTION)

    def _read(self, one: Retrieved) -> Retrieved | Answer:
        answer = self._grounded.answer(one)
        if answer.abstained:
            without = one._replace(hits=()) if not self._options.needs_passages else None
            return without or answer._replace(style="free", model=self._open().name)
        blocks = [
            one.hits[block.source - 1]._replace(text=block.text, start=block.start, end=block.end)
            for block in answer.sentences
            if block.source
        ]
        return Retrieved(one.question, blocks, answer.seconds.total)

    def _checked(self, answer: Answer | RagcliError, found: Retrieved) -> Answer | RagcliError:
        """Return the grounded answer in place of one that says nothing; a `strict` one has supported sentences only."""
        if isinstance(answer, RagcliError) or answer.abstained or self._options.options.schema:
            return answer
        kept = answer.supported()
        if not kept.sentences if self._options.strict else _SAYS_NOTHING.fullmatch(answer.answer):
            return self._grounded.answer(found)
        return kept if self._options.strict else answer
