"""Sentiment of a text, by a lexicon."""

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_LEXICON = Path(__file__).with_name("sentiment.json")
_NOT = re.compile(
    r"\b(?:not|no|never|n[o']t|without|hardly|neither|nor|lacks?|less|\w+n['’]t|rather than|far from|instead of"
    r"|supposed to|should have|could have|would have)\b|[不没沒无無非]|谈不上|称不上",
    re.IGNORECASE,
)
_REACH = 18  # characters before a word within which a negation inverts it
_INVERTED = 0.7  # weight of an inverted word


def polarity(text: str) -> float:
    """Return how much a text praises (up to 1) or blames (down to -1); 0 if no word tells."""
    total = count = 0.0
    for pattern, sign in _signs():
        for match in pattern.finditer(text):
            reach = _REACH if match[0].isascii() else 3
            negated = _NOT.search(text, max(0, match.start() - reach), match.start())
            total += -_INVERTED * sign if negated else sign
            count += 1
    return total / (count + 1)


@cache
def _signs() -> tuple[tuple[re.Pattern[str], float], ...]:
    words = json.loads(_LEXICON.read_text(encoding="utf-8"))
    return (pattern_of(words["praise"]), 1.0), (pattern_of(words["blame"]), -1.0)


def pattern_of(words: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern for any of the words, longer ones first; a star stands for any ending."""
    ordered = sorted(words, key=lambda word: (-len(word), word))
    latin = (re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in ordered if word[0] <= "z")
    cjk = (re.escape(word) for word in ordered if word[0] > "z")
    return re.compile(rf"\b(?:{'|'.join(latin)})\b|{'|'.join(cjk)}", re.IGNORECASE)
