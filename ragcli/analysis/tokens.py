"""Tokenize text into what people regard as words: names with marks, numbers, compounds with their parts."""

import re
from itertools import pairwise
from operator import add
from typing import NamedTuple

from ragcli.analysis.normal import MARKS

# Indian and South-East Asian scripts write vowels as marks, which Python does not count as letters.
_LETTER = rf"[\w{MARKS}\u0900-\u0963\u0966-\u0dff\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u109f\u1780-\u17d3]"
# A compound's parts are joined by one mark, or by ::; digits also by a comma before three digits.
_JOINED = rf"(?:(?:[-./\\'@&+]|::?|(?<=\d),(?=\d\d\d(?!\w))){_LETTER}+)*"
# Operators stand alone, or in quotes; not the prompt of an example.
_OPERATOR = r"""(?<![^\s`"'(])(?!--|>>>|<!)[-+*/%=<>!&|^~:@?]{2,3}(?![^\s`"').,;?])"""
TOKEN = re.compile(rf"[.\w]{_LETTER}*{_JOINED}(?:\+\+|[+#](?!\w))?|{_OPERATOR}")
_OPERATOR_MARKS = frozenset("-+*/%=<>!&|^~:@?")
_MARK = re.compile(r"[-./\\'@&+:, _#]")
_SEPARATED = re.compile(r"[^-./\\'@&+:, _#]+|[-./\\'@&+:, _#]+")
_THOUSANDS = re.compile(r"\d{1,3}(?:[,']\d{3})+(\.\d+)?|\d{1,3}(?:\.\d{3}){2,}")
_ACRONYM = re.compile(r"(?:[^\W\d_]|[A-Z][a-z])(?:\.(?:[^\W\d_]|[A-Z][a-z]))+")
_HUMPS = re.compile(r"[^\W\d_a-z]+(?![a-z])|[^\W\d_a-z]?[a-z]+|[^\W\d_]+|\d+")
_MIXED = re.compile(r"(?=.*\d)(?=.*[^\W\d_])")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)", re.IGNORECASE)
_VERSION = re.compile(r"v(\d+(?:\.\d+)+)", re.IGNORECASE)
_MEASURE = re.compile(r"(\d+\.\d+)([^\W\d_]{2,5})")  # 3.5GHz
_WORD_LENGTH = 3  # letters from which on a word is likely an independent word
_MOST_PAIRS = 12  # parts of a compound; in longer ones, such as file paths, pairs mean little


class Token(NamedTuple):
    """Hold a word: a compound joined without its marks, and its parts. A simple word has no parts."""

    whole: str
    parts: tuple[str, ...] = ()


def read_token(written: str) -> tuple[Token, ...]:
    """Return the tokens of a match of TOKEN, case unchanged: usually one, several if words only touch."""
    bare = written.lstrip(".")
    if not bare.strip("_"):
        return ()
    if bare[0] in _OPERATOR_MARKS:
        return (Token(bare),)
    words = bare.split("-")
    if len(words) == 2 and all(word.isalpha() and word[1:].islower() for word in words):
        return (_with_point(written, Token("".join(words), tuple(words))),)  # most compounds are so
    if not _MARK.search(bare):
        return (_with_point(written, _simple(bare)),)
    if _THOUSANDS.fullmatch(bare):
        return (Token(_digits(bare)),)
    if "," in bare:
        return tuple(token for piece in bare.split(",") for token in read_token(piece))
    if measure := _MEASURE.fullmatch(bare):
        return (Token(bare, measure.groups()),)
    if bare[-1] in "+#":
        return _marked(bare)
    if _ACRONYM.fullmatch(bare):
        return (Token(bare.replace(".", "")),)
    if "'" in bare:
        return _with_apostrophe(bare)
    return (_with_point(written, _compound(bare)),)


def _simple(word: str) -> Token:
    """Split a word at capitals (maxRetryCount) and between letters and digits (GPT3), if the parts are words."""
    if word.isalpha() and (word.islower() or word[1:].islower()):
        return Token(word)
    flat = word.islower() or word.isdigit() or word[1:].islower() or (word.isupper() and word.isalpha())
    if (flat and (word.isalpha() or not _MIXED.match(word))) or _ORDINAL.fullmatch(word):
        return Token(word)
    parts = _HUMPS.findall(word)
    letters = [part for part in parts if not part.isdigit()]
    if len(parts) < 2 or any(len(part) < 2 for part in letters):
        kept = tuple(part for part in parts if part.isdigit() and len(part) > 2)  # 1990s
        return Token(word, kept if len(parts) > 1 else ())
    return Token(word, tuple(parts))


def _with_point(written: str, token: Token) -> Token:
    """Keep the leading point of names such as .NET and .bashrc."""
    if written[0] != "." or written[1:2].isdigit():
        return token
    return Token(f".{token.whole}", token.parts or (token.whole,))


def _digits(written: str) -> str:
    """Return a number without its thousands separators."""
    whole, point, rest = written.partition(".")
    if point and "." in rest:
        return written.replace(".", "")
    return "".join(c for c in whole if c.isdigit()) + point + rest


def _marked(bare: str) -> tuple[Token, ...]:
    """Read names such as C++, C#, A+; a single letter is not a term without its marks."""
    name = bare.rstrip("+#")
    marks = bare[len(name) :]
    tokens = read_token(name)
    if len(tokens) != 1:
        return tokens
    if len(name) == 1:
        return (Token(name + marks),)
    return (Token(tokens[0].whole + marks, (tokens[0].whole, *tokens[0].parts)),)


def _with_apostrophe(bare: str) -> tuple[Token, ...]:
    """Read baker's as baker, O'Brien as one name with parts, don't as one word, l'école as two words."""
    stem, _, ending = bare.rpartition("'")
    if ending.lower() == "s":
        return read_token(stem)
    parts = [part for part in bare.split("'") if part]
    if any(_MARK.search(part) for part in parts):
        return tuple(token for part in parts for token in read_token(part))
    if ending.lower() in ("t", "re", "ve", "ll", "d", "m"):
        return (Token("".join(parts)),)
    if len(parts[0]) == 1 and parts[0].isupper() and parts[-1][:1].isupper():
        return (Token("".join(parts), tuple(parts)),)
    return tuple(_simple(part) for part in parts)


def _compound(bare: str) -> Token:
    """Join a compound; a mark between digits stays, so that 3.11 is neither 311 nor 11.3."""
    pieces = _SEPARATED.findall(bare.strip("_"))
    if _MARK.match(pieces[0]):
        del pieces[0]
    words = pieces[::2]
    if len(words) < 2:
        return _simple(words[0]) if words else Token("")
    gaps = [
        mark if one[-1].isdigit() and other[0].isdigit() else ""
        for one, mark, other in zip(words, pieces[1::2], words[1:], strict=False)
    ]
    whole = words[0] + "".join(map(add, gaps, words[1:]))
    if "&" in bare and any(len(word) < 3 for word in words):
        return Token(whole)
    parts: list[str] = []
    for word in words:
        token = _simple(word)
        parts += [token.whole, *token.parts]
    if 2 < len(words) <= _MOST_PAIRS:
        parts += [one + gap + other for one, gap, other in zip(words, gaps, words[1:], strict=False)]
    if "-" in whole:
        parts.append(whole.replace("-", ""))  # of INV-2017-003, INV2017003
    if version := _VERSION.fullmatch(bare):
        parts.append(version[1])
    return Token(whole, tuple(parts))


def joined_pairs(words: list[str]) -> list[str]:
    """Return adjacent words joined, if one is short or a number: wi fi may be wifi."""
    return [
        one + other
        for one, other in pairwise(words)
        if one.isalnum()
        and other.isalnum()
        and not (one[-1].isdigit() and other[0].isdigit())
        and (min(len(one), len(other)) < _WORD_LENGTH or one.isdigit() != other.isdigit())
    ]
