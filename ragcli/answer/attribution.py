"""Find the source that supports each sentence of a free answer, and whether it is the one cited."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ragcli.analysis.sentences import sentence_spans
from ragcli.answer.candidates import all_sentences, cite
from ragcli.answer.judge import Reader
from ragcli.answer.names import capitalised
from ragcli.answer.schema import CitedSentence, Verdict
from ragcli.answer.statistics import Statistics
from ragcli.answer.terms import Weights, terms, weigh, words_by_term
from ragcli.store import Hit

SUPPORTED = 0.5  # share of a sentence's weight that a source sentence must contain to support it

# [1] or [1, 2] as citations; not an index such as names[1], unless a sentence continues or ends there.
_MARK = re.compile(
    r"(?:\s+|(?<![\w\])`\s])|(?<=\w)(?=\[[\d, ]+\](?:[.,;:!?。]|\s[A-Za-z]|$)))\[(\d{1,2}(?:, ?\d{1,2})*)\]"
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SAYS = re.compile(r"\w")  # what is no mere bullet
_ITEM = re.compile(r"[ \t]*((?:[-*+•]|\d{1,3}[.)])[ \t]+)?(?:\[[\d, ]+\][ \t]*)*")  # a line before a mark that leads it
_FOLLOWED, _FIRST = re.compile(r"[ \t]*\w"), re.compile(r"\s*\[[\d, ]+\]")


class Unmarked(NamedTuple):
    """Hold a text without its citation marks, and the marks."""

    text: str
    marks: tuple[tuple[int, int], ...]  # offset and number


class Judge(NamedTuple):
    """Hold the question and the reader with which sentences are checked."""

    question: str
    reader: Reader


def without_marks(text: str, sources: int) -> Unmarked:
    """Remove citation marks from a text; other numbers in brackets stay."""
    plain, marks, at = "", list[tuple[int, int]](), 0
    for found in _MARK.finditer(text):
        numbers = [int(number) for number in found[1].split(",")]
        if all(1 <= number <= sources for number in numbers):
            leads = _leads(text, found)
            plain += text[at : found.start(1) - 1 if leads else found.start()]
            at = found.end()
            while leads and text[at : at + 1].isspace():
                at += 1
            marks += [(len(plain) + leads, number) for number in numbers]
    return Unmarked(plain + text[at:], tuple(marks))


def _leads(text: str, mark: re.Match[str]) -> bool:
    """Return whether a mark stands before its sentence, as the number of a passage does in the prompt."""
    before = text[text.rfind("\n", 0, mark.start(1)) + 1 : mark.start(1) - 1]
    item = _ITEM.fullmatch(before)
    return item is not None and bool(item[1] or _FOLLOWED.match(text, mark.end()) or _FIRST.match(text))


def attribute(
    written: Unmarked, hits: Sequence[Hit], store: Statistics, judge: Judge | None = None, supported: float = SUPPORTED
) -> tuple[CitedSentence, ...]:
    """Return the sentences of a text in order, each with the source sentence that supports it best.

    Support is the share of a sentence's terms, weighted by idf, that the source sentence contains. There is no source
    below `supported`, and if the source lacks a name or number of the sentence or its words that answer the question. A
    cited source takes precedence; several cited ones may support a sentence together.
    """
    spans = [span for span in sentence_spans(written.text) if _SAYS.search(written.text, *span)]
    cited: list[list[int]] = [[] for _ in spans]
    for offset, number in written.marks:
        before = [place for place, (start, _) in enumerate(spans) if start < offset]
        if before and number not in cited[before[-1]]:
            cited[before[-1]].append(number)
    check = _Check(hits, store, supported)
    texts = [written.text[start:end] for start, end in spans]
    deciding = _deciding(texts, judge)
    return tuple(check.sentence(*one) for one in zip(texts, cited, deciding, strict=True))


def _deciding(texts: Sequence[str], judge: Judge | None) -> list[str]:
    """Return the words of each sentence that answer the question, if there is a reader."""
    if judge is None or not texts:
        return [""] * len(texts)
    readings = judge.reader.read(judge.question, [("", text) for text in texts])
    return [text[reading.start : reading.end] for text, reading in zip(texts, readings, strict=True)]


class _Check:
    """Compare sentences with those of the sources."""

    def __init__(self, hits: Sequence[Hit], store: Statistics, supported: float) -> None:
        self._language = store.config.language if store.config else "en"
        self._store, self._hits, self._supported = store, hits, supported
        self._passages = store.counts().passages
        self._found = all_sentences(hits)
        self._terms = [frozenset(terms(candidate.text, self._language)) for candidate in self._found]

    def sentence(self, text: str, cited: Sequence[int], deciding: str) -> CitedSentence:
        weights = self._weights(text)
        shares = [weights.share(source) for source in self._terms]
        able = [place for place, share in enumerate(shares) if share >= self._supported]
        able = [place for place in able if self._holds([self._found[place].hit + 1], text, deciding)]
        named = [place for place in able if self._found[place].hit + 1 in cited]
        supporting = tuple(sorted({self._found[one].hit + 1 for one in able}))
        if not named and (together := self._together(text, cited, deciding)):
            named = [place for place, one in enumerate(self._found) if one.hit + 1 in together]
            supporting = tuple(sorted({*supporting, *together}))
        if not supporting:
            best = max(shares, default=0.0)
            return CitedSentence(text, None, 0, 0, best, cited=tuple(cited), verdict="unsupported")
        place = max(named or able, key=shares.__getitem__)
        verdict: Verdict = "supported" if named or not cited else "miscited"
        found = cite(self._found[place], shares[place])
        return found._replace(text=text, cited=tuple(cited), verdict=verdict, supporting=supporting)

    def _together(self, text: str, cited: Sequence[int], deciding: str) -> list[int]:
        """Return the cited sources that support a sentence only together, each of which is needed."""
        weights = self._weights(text)

        def support(sources: Sequence[int]) -> bool:
            best = (self._best(source, weights) for source in sources)
            share = weights.share(frozenset().union(*best))
            return share >= self._supported and self._holds(sources, text, deciding)

        if len(cited) < 2 or not support(cited):
            return []
        return [source for source in cited if not support([other for other in cited if other != source])]

    def _best(self, source: int, weights: Weights) -> frozenset[str]:
        """Return the terms of the sentence of a source that has most of a sentence's weight."""
        found = (terms for terms, one in zip(self._terms, self._found, strict=True) if one.hit + 1 == source)
        return max(found, key=weights.share, default=frozenset())

    def _holds(self, sources: Sequence[int], text: str, deciding: str) -> bool:
        """Return whether sources have all names and numbers of a sentence, and most of the words that decide."""
        hits = [self._hits[source - 1] for source in sources]
        whole = " ".join(f"{hit.title} {hit.text}" for hit in hits)
        numbers = set(_NUMBER.findall(whole))
        if not all(number in numbers for number in _NUMBER.findall(text)):
            return False
        known, weights = frozenset(terms(whole, self._language)), self._weights(deciding)
        if not all(known.issuperset(terms(name, self._language)) for name in capitalised(text, self._language)):
            return False
        return not weights.terms or weights.share(known) >= self._supported

    def _weights(self, text: str) -> Weights:
        words = words_by_term(text, self._language)
        return weigh(words, self._store.frequencies(list(words.values())), self._passages)
