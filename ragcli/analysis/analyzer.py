"""One text analysis for everything that compares texts: stores, search, answers and rendering."""

import re
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from itertools import chain, islice
from threading import Lock
from typing import NamedTuple, TypeVar

from ragcli.analysis.functions import function_words
from ragcli.analysis.languages import STEMMED
from ragcli.analysis.normal import lowered, normalized, spelled_out, without_accents
from ragcli.analysis.scripts import bigrams, has_runs, is_cjk, is_single, runs, with_bigrams
from ragcli.analysis.sentences import sentence_spans
from ragcli.analysis.tokens import TOKEN, Token, read_token
from ragcli.analysis.words import word_spans

_KEPT = 1 << 17  # words, with adjacent marks, whose terms are cached
_SHORTEST_SPELLED, _LONGEST_SPELLED = 4, 40  # letters of a word that is known by its spelling
_SPELLED = re.compile(rf"[^\W\d_]{{{_SHORTEST_SPELLED},{_LONGEST_SPELLED}}}")
_LONGEST = 100  # letters of a word that count
_COMPOUND = 0.5  # weight of a compound in a query, and of each of its parts
_PLAIN_NAME = 0.2  # weight of "it" for the query "IT"
_PIECE = re.compile(r"\w(?:\S*[\w+#])?")  # of text between blanks
_OPENING, _CLOSING = "\"'([{<*`-/", ".,;:!?)]}>\"'*`-/"  # marks that belong to no word beside them
_FRENCH_PLURAL = re.compile(r"\w{3,}[^m\W]ent")
_UMLAUTS = frozenset("äöü")

_Value = TypeVar("_Value")
_Weights = tuple[tuple[str, float], ...]


class Indexed(NamedTuple):
    """Hold the index terms of a passage, each field as words between blanks.

    `terms` are the terms of its words, `singles` the single characters of Chinese, Japanese and Korean text,
    `spellings` the unstemmed words that this index run has not seen before.
    """

    terms: str
    singles: str = ""
    spellings: str = ""


class _Memory(dict[str, _Value]):
    """Cache what is read from words."""

    def __init__(self, read: Callable[[str], _Value]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, written: str) -> _Value:
        if len(self) >= _KEPT:
            self.clear()
        found = self[written] = self._read(written)
        return found


class Analyzer:
    """Split texts of one language into sentences, words and terms, by which texts are found and compared.

    The terms of a word are its stem without accents, and in languages with accents also the stem with them. A function
    word in capitals (IT, OR, A) is a term by itself; a compound has a term for the whole and those of its parts.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._functions = function_words(language)
        self._stems = STEMMED.get(language, "")
        self._memory = _Memory(self._line_of)
        self._matches = _Memory(self._line_of_match)
        self._words = _Memory(self._line_of_word)
        self._weights = _Memory(self._weights_of)
        self._new: list[str] = []
        self._lock = Lock()  # a store may write from several threads

    def sentence_spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of each sentence in order, without the white space around it."""
        return sentence_spans(text)

    def indexed(self, text: str) -> Indexed:
        """Return the index terms of a passage."""
        plain = normalized(text)
        singles = spellings = ""
        with self._lock:
            if has_runs(plain):
                terms, singles = self._mixed(plain)
            else:
                terms = " ".join(map(self._memory.__getitem__, plain.split()))
            if self._new:
                spellings = " ".join(dict.fromkeys(self._new))
                self._new.clear()
        return Indexed(terms, singles, spellings)

    def _mixed(self, text: str) -> tuple[str, str]:
        """Return the terms and the single characters of a text that may have runs without blanks."""
        terms: list[str] = []
        singles: list[str] = []
        for before, run in runs(text):
            if before:
                terms += map(self._memory.__getitem__, before.split())
            if run and is_cjk(run):
                singles += run
                terms += bigrams(run) if run.isalnum() else map(self._memory.__getitem__, bigrams(run))
            elif run:
                terms += map(self._memory.__getitem__, bigrams(run))
        return " ".join(terms), " ".join(singles)

    def query(self, text: str, most: int) -> dict[str, float]:
        """Return the search terms of a text's first `most` words, with their weights."""
        found: dict[str, float] = {}
        matches = TOKEN.findall(with_bigrams(normalized(text)))
        for weights in islice(chain.from_iterable(map(self._weights.__getitem__, matches)), most):
            for term, weight in weights:
                found[term] = found.get(term, 0.0) + weight
        return found

    def _weights_of(self, match: str) -> list[_Weights]:
        """Return the weighted search terms of each token in a match of TOKEN."""
        return [
            tuple(
                (term, share * _COMPOUND if token.parts else share)
                for word in (token.whole, *token.parts)
                for term, share in self._shares(word)
            )
            for token in read_token(match)
        ]

    def _shares(self, word: str) -> list[tuple[str, float]]:
        variants = self._terms(word)
        if word.lower() in self._functions and _is_name(word):
            return [(term, 1.0 if term == word else _PLAIN_NAME) for term in variants]
        return [(term, 1 / len(variants)) for term in variants]

    def variants(self, text: str) -> list[tuple[str, ...]]:
        """Return the alternative terms of each word; a passage with the word has at least one of them."""
        words = (token.whole for token in self.tokens(text))
        return [(word,) if word.lower() in self._functions and _is_name(word) else self._terms(word) for word in words]

    def tokens(self, text: str) -> list[Token]:
        """Return the words of a text as written, compounds with their parts, CJK text as bigrams."""
        written = TOKEN.findall(with_bigrams(normalized(text)))
        return [token for word in written for token in read_token(word)]

    def words(self, text: str) -> Iterator[str]:
        """Yield the words of a text in lower case, CJK text as bigrams, without function words."""
        return (word for token in self.tokens(text) if (word := token.whole.lower()) not in self._functions)

    def stems(self, text: str) -> frozenset[str]:
        """Return the terms of a text for comparisons, without function words."""
        return frozenset(term for _, term in self.terms(text) if term)

    def terms(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield each word of a text in order with its term, empty for a function word; parts follow their compound."""
        for token in self.tokens(text):
            for word in (token.whole, *token.parts):
                yield word, self._term(word)

    def asked(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield the same as `terms` for a question, without the numeric parts of 3.11, which 11.3 has as well."""
        for token in self.tokens(text):
            for word in (token.whole, *(part for part in token.parts if not part.isdigit())):
                yield word, self._term(word)

    def match_spans(self, query: str, text: str) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of the words in a text that match a query's words, by stem or CJK bigram."""
        wanted = self.stems(query)
        for piece in _PIECE.finditer(text) if wanted else ():
            tokens = self.tokens(piece[0])
            if len(tokens) == 1 and self._term(tokens[0].whole) in wanted:
                yield piece.span()
                continue
            for start, end in word_spans(piece[0]):
                if any(self._term(token.whole) in wanted for token in self.tokens(piece[0][start:end])):
                    yield piece.start() + start, piece.start() + end

    def _term(self, word: str) -> str:
        """Return the main term of a word; "" for a function word, unless it is written as a name."""
        if word.lower() in self._functions:
            return word if _is_name(word) else ""
        return self._terms(word)[0]

    def _line_of(self, written: str) -> str:
        """Return the index terms of a word between blanks."""
        bare = written.lstrip(_OPENING).rstrip(_CLOSING)
        if bare.isalnum() and bare.isascii():
            return self._matches[bare]
        return " ".join(map(self._matches.__getitem__, TOKEN.findall(written)))

    def _line_of_match(self, match: str) -> str:
        """Return the index terms of a match of TOKEN."""
        if match.isascii() and match.isalpha() and (match.islower() or match[1:].islower()):
            return self._line_of_word(match)  # most are so, and need none of what is below
        line: list[str] = []
        for whole, parts in read_token(match):
            if parts:
                line += self._terms(whole)
            line += map(self._words.__getitem__, parts or (whole,))
        return " ".join(line)

    def _line_of_word(self, word: str) -> str:
        """Return the terms of a word, and remember how it is spelled."""
        low = lowered(word, self.language)
        if low.isascii() and low.isalpha() and not word.isupper():
            if _SHORTEST_SPELLED <= len(low) <= _LONGEST_SPELLED:
                self._new.append(low)
            return self._stem(low[:_LONGEST])
        if _SPELLED.fullmatch(word) and not is_single(word[:1]):
            self._new.append(low)
        return " ".join(self._terms(word))

    def _terms(self, word: str) -> tuple[str, ...]:
        low = lowered(word[:_LONGEST], self.language)
        named = low in self._functions and _is_name(word)
        if low.isascii():
            return (self._stem(low), word) if named else (self._stem(low),)
        plain = without_accents(low)
        found = [self._stem(plain)]
        if low != plain and self._stems:
            if self.language != "en":
                stem = self._stem(low)
                found += stem, without_accents(stem)  # créée is found by cree
            elif not _UMLAUTS.isdisjoint(low):
                found.append(self._stem(without_accents(spelled_out(low))))
        if named:
            found.append(word)
        return tuple(dict.fromkeys(found))

    @cached_property
    def _stem(self) -> Callable[[str], str]:
        if not self._stems:
            return str
        import Stemmer as Snowball  # --help does not wait for this

        stem: Callable[[str], str] = Snowball.Stemmer(self._stems, 0).stemWord
        if self.language == "fr":  # whose stemmer leaves préparent as it is
            return lambda word: stem(word[:-2] if _FRENCH_PLURAL.fullmatch(word) else word)
        return stem


def _is_name(word: str) -> bool:
    """Return whether a function word is written as a name: in capitals, except I."""
    return word.isupper() and word != "I"


@cache
def analyzer(language: str) -> Analyzer:
    """Return the analyzer of a language."""
    return Analyzer(language)
