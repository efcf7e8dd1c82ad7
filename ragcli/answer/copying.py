"""Restrict a model to pieces of the sources: the tokens that may follow, and the sources of what was copied."""

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ragcli.analysis.words import cjk_bigrams
from ragcli.answer.schema import CitedSentence
from ragcli.store import Hit

SHORTEST = 4  # words of a piece, at least
_WORD = re.compile(r"\S+")


class _Word(NamedTuple):
    """Hold a word of a source, with its tokens and its offsets in the hit's text."""

    hit: int
    start: int
    end: int
    tokens: tuple[int, ...]


class _Place(NamedTuple):
    """Hold the state of a piece being copied: its first word, its last word, and the last token of that."""

    first: int
    word: int
    token: int


class Copying:
    """Hold the sources of one answer, and what has been copied from them.

    A piece consists of whole words, at least `shortest` of them, and no word is copied twice. A token that could both
    continue a piece and begin another continues it.
    """

    def __init__(
        self,
        hits: Sequence[Hit],
        encode: Callable[[str], Sequence[int]],
        end_ids: Iterable[int],
        shortest: int = SHORTEST,
    ) -> None:
        self._hits = hits
        self._end_ids = sorted(end_ids)
        ends = frozenset(self._end_ids)
        self._words: list[_Word] = []
        self._runs: list[int] = []  # the stretch that each word belongs to; end tokens separate stretches
        stretches = itertools.count()
        for n, hit in enumerate(hits):
            run = next(stretches)
            for word in _cut(n, hit.text, encode):
                if ends.isdisjoint(word.tokens):
                    self._words.append(word)
                    self._runs.append(run)
                else:
                    run = next(stretches)
        needed = {i: self._needed(i, shortest) for i in range(len(self._words))}
        self._starts = {i: words for i, words in needed.items() if words}
        self._shortest = shortest
        self._begin_again()

    def allowed(self, tokens: Sequence[int]) -> list[int]:
        """Return the sorted ids that may follow the tokens written so far; only end ids if everything is copied."""
        self._follow(tokens)
        ids = {self._token(place) for place in self._next()}
        if self._may_leave():
            ids |= {self._token(place) for place in self._fresh()}
            ids.update(self._end_ids if self._tokens else ())  # an answer has at least one piece
        return sorted(ids or self._end_ids)

    def copied(self) -> tuple[CitedSentence, ...]:
        """Return what was copied by the tokens of the last call of `allowed`."""
        return self.pieces(self._tokens)

    def pieces(self, tokens: Sequence[int]) -> tuple[CitedSentence, ...]:
        """Return the copied pieces in order with their sources; a word that was cut off is left out."""
        self._follow(tokens)
        last = self._finished()
        return tuple(self._cited(*piece) for piece in [*self._done, *([last] if last else [])])

    def _needed(self, i: int, shortest: int) -> range:
        """Return the words of the shortest piece that begins at a word; none if the source ends too early."""
        run = self._runs[i]
        inside = [j for j in range(i, min(i + shortest, len(self._words))) if self._runs[j] == run]
        first = i == 0 or self._runs[i - 1] != run
        return range(i, inside[-1] + 1) if len(inside) == shortest or first else range(0)

    def _begin_again(self) -> None:
        self._tokens: list[int] = []
        self._places: list[_Place] = []  # possible positions of the current piece
        self._done: list[tuple[int, int]] = []  # first and last words of the finished pieces
        self._used: set[int] = set()

    def _follow(self, tokens: Sequence[int]) -> None:
        if list(tokens[: len(self._tokens)]) != self._tokens:
            self._begin_again()
        for token in tokens[len(self._tokens) :]:
            self._add(token)

    def _add(self, token: int) -> None:
        self._tokens.append(token)
        going_on = [place for place in self._next() if self._token(place) == token]
        if not going_on:
            if finished := self._finished():
                self._done.append(finished)
                self._used.update(range(finished[0], finished[1] + 1))
            going_on = [place for place in self._fresh() if self._token(place) == token]
        self._places = going_on

    def _next(self) -> list[_Place]:
        """Return the states one token further."""
        found = []
        for first, word, token in self._places:
            if token + 1 < len(self._words[word].tokens):
                found.append(_Place(first, word, token + 1))
            elif (
                word + 1 < len(self._words) and self._runs[word + 1] == self._runs[word] and word + 1 not in self._used
            ):
                found.append(_Place(first, word + 1, 0))
        return found

    def _fresh(self) -> list[_Place]:
        """Return the states in which a new piece may begin."""
        last = self._finished()
        used = self._used.union(range(last[0], last[1] + 1)) if last else self._used
        return [_Place(i, i, 0) for i, words in self._starts.items() if used.isdisjoint(words)]

    def _may_leave(self) -> bool:
        """Return whether the piece may end here: at a word's end, if it is long enough or nothing follows."""
        if not self._places:
            return not self._done or not self._tokens
        ended = [place for place in self._places if self._at_word_end(place)]
        return any(place.word - place.first + 1 >= self._shortest for place in ended) or (
            bool(ended) and not self._next()
        )

    def _finished(self) -> tuple[int, int] | None:
        """Return the first and last whole word of the piece being written, in the first source that matches."""
        ended = [(place.first, place.word) for place in self._places if self._at_word_end(place)]
        cut_off = [(place.first, place.word - 1) for place in self._places]
        return next(((first, last) for first, last in ended + cut_off if last >= first), None)

    def _at_word_end(self, place: _Place) -> bool:
        return place.token + 1 == len(self._words[place.word].tokens)

    def _token(self, place: _Place) -> int:
        return self._words[place.word].tokens[place.token]

    def _cited(self, first: int, last: int) -> CitedSentence:
        hit, start, end = self._words[first].hit, self._words[first].start, self._words[last].end
        source = self._hits[hit]
        return CitedSentence(source.text[start:end], hit + 1, source.start + start, source.start + end, 1.0)


def _cut(n: int, text: str, encode: Callable[[str], Sequence[int]]) -> Iterable[_Word]:
    """Split a source into words (CJK: characters), and each into tokens as they follow a blank, or none."""
    lead = len(encode(""))  # tokens that the model needs before a text
    for match in _WORD.finditer(text):
        cjk = cjk_bigrams(match[0]) != match[0]
        size = 1 if cjk else len(match[0])
        for start in range(match.start(), match.end(), size):
            blank = " " if start == match.start() and not cjk else ""
            tokens = tuple(encode(blank + text[start : start + size])[lead:])
            if tokens:
                yield _Word(n, start, start + size, tokens)
