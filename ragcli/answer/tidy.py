"""Tidy what a model wrote: nothing said twice, and no sentence that breaks off."""

import re
from collections.abc import Callable, Sequence

from ragcli.analysis.sentences import sentence_spans
from ragcli.answer.attribution import without_marks

_CODE = re.compile(r"(```.*?(?:```|\Z))", re.DOTALL)
_WORD = re.compile(r"\w+")
_LOOP = range(3, 31)  # words that follow themselves at once
_NUMBER = re.compile(r"^\s*\d+[.)]\s|\[\d+\]")  # of a list, or of a source
_APART = re.compile(r"\W+")
_FEWEST = 3  # words of a sentence that is not said again
_MANY = 10  # words of a sentence that is not said again with fewer words
_AGAIN = 5  # words of one that repeats a part of an earlier sentence
_PRONOUNS = ("it", "this", "they", "these", "he", "she")
_EMPTY_ITEM = re.compile(r"(?:\A|\n)[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]*(?:\[\d+\]\s*)*\Z")
_ENDED = re.compile(r"(?:[.!?…。！？][`)\]\"'”’*]*|```|\||\])\s*$")


def tidied(text: str, *, is_cut: bool, asked: Sequence[str] = ()) -> str:
    """Return a text without repeated sentences and loops; if it `is_cut`, without its last, unfinished sentence.

    What was `asked` is not repeated either. Code between fences stays as it is. A text of one unfinished sentence
    stays, too.
    """
    said = {_words(one) for one in asked}
    parts = _CODE.split(text)
    if is_cut and len(parts) > 1 and not parts[-1] and not parts[-2].endswith("```", 3):
        parts[-2:] = []  # code without an end
    kept = "".join(part if place % 2 else _once(part, said) for place, part in enumerate(parts))
    whole = _whole(kept) if is_cut else kept
    return _EMPTY_ITEM.sub("", whole.rstrip()).strip() or text.strip()


def _once(text: str, said: set[tuple[str, ...]]) -> str:
    text = _without_loops(text)
    kept, at = "", 0
    for start, end in sentence_spans(text):
        words = _words(text[start:end])
        if not _is_said(words, said):
            kept += text[at:end]
        said.add(words)
        at = end
    return kept + text[at:]


def _words(sentence: str) -> tuple[str, ...]:
    return tuple(_APART.split(_NUMBER.sub(" ", sentence).lower().strip()))


def _is_said(words: tuple[str, ...], said: set[tuple[str, ...]]) -> bool:
    """Return whether a sentence was said, or a long one with all of its words, or what this one says of "it"."""
    if len(words) < _FEWEST:
        return False
    if words in said:
        return True
    if len(words) >= _MANY and any(set(words) <= set(other) for other in said):
        return True
    rest = f" {' '.join(words[1:])} "
    leans = words[0] in _PRONOUNS and len(words) > _AGAIN
    return leans and any(rest in f" {' '.join(other)} " for other in said)


def _without_loops(text: str) -> str:
    """Remove words that repeat those right before them."""
    found = list(_WORD.finditer(text))
    words = [word[0].lower() for word in found]
    at = 0
    kept = ""
    copied = 0  # characters of the text that are in `kept`, or removed
    while at < len(words):
        size = next((n for n in _LOOP if words[at] in words[at + n : at + n + 1] and _is_loop(words, at, n)), 0)
        if not size:
            at += 1
            continue
        while _is_loop(words, at, size):
            kept += text[copied : found[at + size - 1].end()]
            copied = found[at + 2 * size - 1].end()
            at += size
    return kept + text[copied:]


def _whole(text: str) -> str:
    spans = list(sentence_spans(text))
    if len(spans) < 2 or _ENDED.search(text):
        return text
    return text[: spans[-2][1]]


def _is_loop(words: Sequence[str], at: int, size: int) -> bool:
    return words[at : at + size] == words[at + size : at + 2 * size]


class TidyStream:
    """Pass on what a model writes, tidied and without marks of sources: each sentence when the next one begins."""

    def __init__(self, emit: Callable[[str], None], sources: int) -> None:
        self._emit, self._sources = emit, sources
        self._written = self._sent = ""

    def __call__(self, piece: str) -> None:
        """Take a piece of the text."""
        self._written += piece
        if piece.strip() and len(list(sentence_spans(self._written))) > 1:
            self._send(tidied(without_marks(self._written, self._sources).text, is_cut=True))

    def finish(self, text: str) -> None:
        """Send the rest of the final text."""
        self._send(text)

    def _send(self, text: str) -> None:
        if len(text) > len(self._sent) and text.startswith(self._sent):
            self._emit(text[len(self._sent) :])
            self._sent = text
