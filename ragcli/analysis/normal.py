"""Normalize text, so that what looks the same is the same, and fold accents."""

import re
import unicodedata
from functools import cache

# Optional marks (vowels of Arabic and Hebrew, stretched Arabic letters) and invisible characters.
_UNSEEN = "\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff"
_DROPPED = re.compile(
    f"[{_UNSEEN}\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed]"
)
_HIDDEN = re.compile(f"[{_UNSEEN}]")
_SOFT_BREAK = re.compile("\u00ad\\s*\n\\s*")
_LINE_END_HYPHEN = re.compile(r"(?<=[^\W\d_])-\r?\n[ \t]*(?=[^\W\d_])")
_SPACED_DIGITS = re.compile(r"(?<!\d)(?<!\d[.,])\d{1,3}(?: \d{3})+(?![\w])")
_ASCII = bytes(range(128))
_DIGITS = bytes(ord("0") if chr(code).isdecimal() else code for code in range(128)) + bytes(range(128, 256))
_MARKS = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2043\u2212", "-"),
    **dict.fromkeys("\u2018\u2019\u02bb\u02bc\u02b9\u2032\u05f3\u00b4", "'"),
    "\u2044": "/",
}
_MARK_TABLE = str.maketrans(_MARKS)
MARKS = "\u0300-\u036f"  # combining accents without a composed letter
# Letters without a decomposition in Unicode.
_LETTERS = {
    **{"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ð": "d", "đ": "d", "þ": "th", "ł": "l", "ħ": "h", "ŧ": "t"},
    **{"ı": "i", "ĸ": "k", "ŋ": "n", "ё": "е", "ς": "σ", "ſ": "s", "ə": "e"},
}
_RANGES = ((0xC0, 0x250), (0x370, 0x400), (0x1E00, 0x2000))  # Latin and Greek; Cyrillic й is not folded


def normalized(text: str) -> str:
    """Normalize a text: NFKC, plain hyphens and apostrophes, no hyphenation at line ends.

    Soft hyphens, zero-width characters and optional Arabic and Hebrew marks are removed. Case and accents stay.
    """
    if not text.isascii():
        text = _plain(text)
    if "-\n" in text or "-\r" in text:
        text = _LINE_END_HYPHEN.sub("", text)
    if b"0 000" in text.encode(errors="replace").translate(_DIGITS):  # sooner known than a pattern looks for it
        text = _SPACED_DIGITS.sub(lambda number: number[0].replace(" ", ""), text)  # 1 043 500
    return text


def _plain(text: str) -> str:
    """Return a text by NFKC and without the marks that have plain ones; most texts hold few characters that change."""
    used = set(text.encode(errors="replace").translate(None, _ASCII).decode())
    forms = {character: _form(character) for character in used}
    alone = None not in forms.values()
    for character, form in forms.items():
        if form and form != character and (alone or character in _MARKS):
            text = text.replace(character, form)
    if alone:
        return text
    if "\u00ad" in used:
        text = _SOFT_BREAK.sub("", text)
    return _DROPPED.sub("", unicodedata.normalize("NFKC", text).translate(_MARK_TABLE))


def legible(text: str) -> str:
    """Return a text as a reader sees it: ligatures as letters, without what is not seen."""
    if text.isascii() or (unicodedata.is_normalized("NFKC", text) and not _HIDDEN.search(text)):
        return text
    return _HIDDEN.sub("", unicodedata.normalize("NFKC", _SOFT_BREAK.sub("", text)))


@cache
def _form(character: str) -> str | None:
    """Return the normal form of a character, or None if that depends on its context."""
    if character in _MARKS:
        return _MARKS[character]
    form = unicodedata.normalize("NFKC", character).translate(_MARK_TABLE)
    return None if any(map(_is_joining, character + form)) else form


def _is_joining(character: str) -> bool:
    joins = unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf") or "\u1160" <= character <= "\u11ff"
    return joins or character == "\u0640"


def lowered(word: str, language: str) -> str:
    """Return a word in lower case by the rules of the language; in Turkish, I becomes ı."""
    if language == "tr":
        word = word.replace("I", "ı").replace("İ", "i")
    return word.lower()


def without_accents(word: str) -> str:
    """Return a lower-case word without Latin and Greek accents and special letters."""
    return word if word.isascii() else word.translate(_accents())


@cache
def _accents() -> dict[int, str]:
    table: dict[int, str] = {}
    for code in (code for low, high in _RANGES for code in range(low, high)):
        plain = "".join(c for c in unicodedata.normalize("NFD", chr(code)) if not unicodedata.combining(c))
        if plain != chr(code):
            table[code] = plain
    table |= {ord(letter): plain for letter, plain in _LETTERS.items()}
    return table | dict.fromkeys(range(0x300, 0x370), "")


def spelled_out(word: str) -> str:
    """Return a word with German umlauts spelled out: zuerich for zürich."""
    return word.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
