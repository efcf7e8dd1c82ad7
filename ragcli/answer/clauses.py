"""Decide without a parser whether an English sentence is complete, with a finite verb in its main clause."""

import json
import re
from functools import cache
from pathlib import Path

_WORDS = Path(__file__).with_name("verbs.json")
_WORD = re.compile(r"[\w’'-]+")
_SHORTENED = ("n't", "'re", "'ve", "'ll", "'d", "'m")
_PERSONS = frozenset(("i", "we", "they", "he", "she"))
_RELATIVE = frozenset(("who", "which", "that"))
_AFTER_IMPERATIVES = frozenset(("it", "him", "them", "out", "past", "for"))
# What begins a phrase such as "A film that …", whose only verb is the clause's.
_COUNTING = frozenset(("A", "An", "One", "Two", "Three", "Four", "Five", "Six", "No", "Not", "Another"))


def is_whole(sentence: str) -> bool:
    """Return whether a sentence has a finite verb outside its subordinate clauses; each of these takes one verb."""
    words = _WORD.findall(sentence.replace("’", "'"))
    counting = bool(words) and words[0] in _COUNTING
    clauses, before = 0, ""
    for place, word in enumerate(words):
        if before in _RELATIVE and _may_be_a_verb(word):
            clauses -= 1  # "who inherit": whatever the verb is
        elif word.lower() in _listed("clause_openers") and (place or word not in ("That", "What")):
            if counting:
                return False
            clauses += 1
        elif is_finite(words, place, counting) and not (place and is_verb(before)):
            if not clauses:
                return True
            clauses -= 1
        before = word.lower()
    return False


def _may_be_a_verb(word: str) -> bool:
    return word.islower() and not any(word in _listed(name) for name in ("determiners", "before_nouns", "subjects"))


def is_finite(words: list[str], place: int, counting: bool) -> bool:
    """Return whether a word is a finite verb in its place, not a noun or participle."""
    word, before = words[place].lower(), words[place - 1] if place else ""
    after = words[place + 1].lower() if place + 1 < len(words) else ""
    if before.lower() in _PERSONS:
        return not counting
    if not is_verb(word) or before.lower() in _listed("before_nouns"):
        return False
    subject = before[:1].isupper() or before.lower() in _listed("subjects")
    if word.endswith("ed") and after in _listed("after_participles"):
        return subject and after != "by"
    imperative = not place and after in _AFTER_IMPERATIVES
    return word not in _nouns() or subject or imperative or after in _listed("determiners")


def is_verb(word: str) -> bool:
    """Return whether a word in lower case is a form of a verb."""
    return word in _verbs() or word.endswith(_SHORTENED)


@cache
def _listed(name: str) -> frozenset[str]:
    return frozenset(json.loads(_WORDS.read_text(encoding="utf-8"))[name])


@cache
def _verbs() -> frozenset[str]:
    forms = set(_listed("auxiliaries") | _listed("past"))
    for verb in _listed("verbs"):
        stem = verb.removesuffix("e")
        third = verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
        if verb.endswith("y") and verb[-2] not in "aeou":
            third, stem = verb[:-1] + "ies", verb[:-1] + "i"
        forms |= {verb, third, stem + "ed", verb + verb[-1] + "ed"}
    return frozenset(forms)


@cache
def _nouns() -> frozenset[str]:
    return frozenset(form for noun in _listed("also_nouns") for form in (noun, noun + "s", noun + "es"))
