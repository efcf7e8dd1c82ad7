"""Match a question with the titles of documents, as in a FAQ or glossary."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ragcli.analysis.functions import STOP_WORDS
from ragcli.answer.terms import words_by_term

_SEPARATOR = re.compile(r"\s*[:：›»|]\s*|\s+[-–—>]+\s+|(?<=[?？])\s*")
_ASIDE = re.compile(r"\s*[(（]([^()（）]*)[)）]")
_DEFINES = re.compile(
    r"^\s*(?:(?:what|who)(?:['’]s|\s+(?:is|are|was|were|do|does))|define|(?:the\s+)?(?:definition|meaning)\s+of|"
    r"explain|describe)\s+(?:the\s+(?:meaning|term)\s+(?:of\s+)?)?(.+?)(?:\s+(?:mean|stand\s+for))?\s*[?？.]*\s*$",
    re.IGNORECASE,
)
_DEFINES_CJK = re.compile(
    r"^(?:请问|請問)?(?:什么是|什麼是|何为|何謂|何谓)\s*(.+?)[?？]?$|^(.+?)(?:是|指)(?:什么|什麼)(?:意思|东西|東西)?[?？]?$"
)
_ASKS = re.compile(r"\b(what|why|how|when|who|whose|whom|where|which|can|could|is|are|does|do|should)\b", re.IGNORECASE)
_CJK_WHY = re.compile("为什么|為什麼|为何|為何")
_CJK_HOW = re.compile("怎么|怎麼|怎样|怎樣|如何")
_LEVEL = "›"  # between headings of a path
_ABOVE = 0.6  # factor for a heading above the passage's own
_FEW = 4  # words, at most, of a term to be defined, which is not a question
_OTHER_KIND = 0.3  # factor for a title that asks another question about the same, such as why instead of how


class Asked(NamedTuple):
    """Hold the words of a question by their terms, whether it asks for a definition, and else its question word.

    Of "what does X mean", the words are those of X.
    """

    words: Mapping[str, str]
    defines: bool
    kind: str

    @property
    def terms(self) -> frozenset[str]:
        """Return the terms."""
        return frozenset(self.words)


def read_question(text: str, language: str) -> Asked:
    """Read a question, or a title that may be one."""
    found = _DEFINES.match(text) or _DEFINES_CJK.match(text.strip())
    subject = next((group for group in found.groups() if group), "") if found else ""
    if subject and not _ASKS.search(subject):
        return Asked(words_by_term(subject, language), True, "")
    kind = "why" if _CJK_WHY.search(text) else "how" if _CJK_HOW.search(text) else ""
    if asks := _ASKS.search(text):
        kind = asks[1].lower()
    short = not kind and not text.rstrip().endswith(("?", "？", ".", "。")) and len(text.split()) <= _FEW
    return Asked(words_by_term(text, language), short, kind)


def title_match(asked: Asked, title: str, language: str) -> float:
    """Return how well a title, or a part of it, matches a question: from 1 for the same question to 0.

    A part that is not a question counts as a term, which "what is" asks for. Text in brackets is another name. What
    stands below a heading that matches is about something else within its subject.
    """
    own = title.rpartition(_LEVEL)[2]
    parts = [part for part in _SEPARATOR.split(title) if part and part.strip()]
    last = len(parts) - sum(bool(part and part.strip()) for part in _SEPARATOR.split(own))
    best = 0.0
    for place, part in enumerate(parts):
        around = frozenset(
            term for other in parts[:place] for term in words_by_term(other, language) if not other.endswith("?")
        )
        factor = 1.0 if place >= last else _ABOVE
        for form in _forms(part):
            best = max(best, factor * _likeness(asked, read_question(form, language), around))
    return best


def _forms(part: str) -> Iterator[str]:
    yield part
    if aside := _ASIDE.search(part):
        yield _ASIDE.sub("", part)
    defines = _DEFINES.match(part) or _DEFINES_CJK.match(part)
    if defines:
        names = [aside[1]] if aside else []
        yield from names
        for name in (*names, next(filter(None, defines.groups()), "")):
            yield _initials(name)


def _initials(name: str) -> str:
    """Return what a name of several words is shortened to: GIL for the global interpreter lock; of others nothing."""
    words = [word for word in _ASIDE.sub("", name).split() if word not in STOP_WORDS]
    return "".join(word[0] for word in words) if len(words) > 2 and all(map(str.isalpha, words)) else ""


def _likeness(asked: Asked, titled: Asked, around: frozenset[str]) -> float:
    offered = titled.terms - (around - asked.terms)
    wanted = asked.terms - (around - titled.terms)
    if not offered or not wanted:
        return 0.0
    shared = len(offered & wanted)
    likeness = shared * shared / (len(offered) * len(wanted))
    same = asked.defines == titled.defines and asked.kind == titled.kind
    return likeness if same else likeness * _OTHER_KIND
