"""Compose a film's review from sentences of real ones: as much praise as blame as the reviews hold, none invented."""

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from ragcli.answer.candidates import Candidate, cite, whole_sentences
from ragcli.answer.schema import CitedSentence
from ragcli.answer.summary import central, diverse, tf_idf
from ragcli.answer.terms import bag_of
from ragcli.store import Hit

# Written for ragcli. Of words that are inflected, what all forms begin with, and a star.
_LEXICON = Path(__file__).with_name("opinion.json")
_NOT = re.compile(
    r"\b(?:not|no|never|n[o']t|without|hardly|neither|nor|lacks?|isn.t|doesn.t|don.t|wasn.t|can.t|aren.t|won.t)\b|[不没沒无無]",
    re.I,
)
_REACH = 18  # characters before a word in which a negation turns it round
_TURNED = 0.7  # what a word that is turned round counts
_CENTRAL = 0.5  # what being typical is worth, against the clearest opinion's 1
_REPEATED = 0.7
_SHORTEST = 20  # characters of a sentence that can stand alone; CJK half as many


@cache
def _signs() -> tuple[tuple[re.Pattern[str], float], ...]:
    words = json.loads(_LEXICON.read_text(encoding="utf-8"))
    return (_pattern(words["praise"]), 1.0), (_pattern(words["blame"]), -1.0)


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    latin = (re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in words if word[0] <= "z")
    cjk = (word for word in words if word[0] > "z")
    return re.compile(rf"\b(?:{'|'.join(latin)})\b|{'|'.join(cjk)}", re.IGNORECASE)


def polarity(text: str) -> float:
    """Return how much a text praises (to 1) or blames (to -1); 0 where no word tells."""
    total = count = 0.0
    for pattern, sign in _signs():
        for match in pattern.finditer(text):
            negated = _NOT.search(text, max(0, match.start() - _REACH), match.start())
            total += -_TURNED * sign if negated else sign
            count += 1
    return total / (count + 1)


def compose_review(hits: Sequence[Hit], sentences: int, language: str) -> tuple[CitedSentence, ...]:
    """Return at most so many sentences of reviews, praise first, shared between praise and blame as the reviews are.

    Where both are there, both are heard. Sentences that say neither fill up what is left.
    """
    shortest = _SHORTEST if language == "en" else _SHORTEST // 2
    whole = whole_sentences(hits, sentences)
    found = [candidate for candidate in whole if len(candidate.text) >= shortest] or whole
    if not found:
        return ()
    signs = np.array([polarity(candidate.text) for candidate in found])
    vectors = tf_idf([bag_of(candidate.text, language) for candidate in found])
    values, alike = np.abs(signs) + _CENTRAL * central(vectors), vectors @ vectors.T
    praise, blame, rest = (np.flatnonzero(kind) for kind in (signs > 0, signs < 0, signs == 0))
    wanted = _shares(len(praise), len(blame), sentences)
    chosen: list[Candidate] = []
    for places, most in ((praise, wanted[0]), (blame, wanted[1]), (rest, sentences - sum(wanted))):
        picked = diverse(values[places], alike[np.ix_(places, places)], most, _REPEATED)
        chosen += [found[places[i]] for i in sorted(picked)]
    return tuple(cite(candidate) for candidate in chosen)


def _shares(praise: int, blame: int, sentences: int) -> tuple[int, int]:
    """Share sentences between praise and blame in proportion, one of each at least where there is one and room."""
    if not praise or not blame or sentences < 2:
        return min(praise, sentences), min(blame, sentences if not praise else 0)
    wanted = min(max(round(sentences * praise / (praise + blame)), 1), sentences - 1)
    ours = min(praise, max(wanted, sentences - blame))
    return ours, min(blame, sentences - ours)
