"""The languages that an index can have, and which one a text is in: by its script, else by its function words."""

import re
from collections.abc import Iterable
from typing import Literal, get_args

Language = Literal[
    "en", "zh", "ja", "ko",
    "ar", "da", "de", "el", "es", "fi", "fr", "hu", "it", "nl", "no", "pt", "ro", "ru", "sv", "tr",
]  # fmt: skip
LANGUAGES: tuple[Language, ...] = get_args(Language)

# What Snowball, tantivy and Elasticsearch call the languages whose words have stems; the others are cut into bigrams.
STEMMED = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af々〇"
KANA = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
HANGUL = "\uac00-\ud7af\u1100-\u11ff\u3130-\u318f"
_SCRIPTS = {language: re.compile(f"[{letters}]") for language, letters in {"zh": HAN, "ja": KANA, "ko": HANGUL}.items()}
_LETTER = re.compile(r"[^\W\d_]")


def detect_language(texts: Iterable[str]) -> str:
    """Return the language that the script of the texts shows: "ja", "ko", "zh", or "en" for all else.

    Kana mark Japanese even where Han characters prevail; a text counts as CJK from a fifth of its letters on.
    """
    sample = "".join(text[:1000] for text in texts)
    letters = len(_LETTER.findall(sample))
    counts = {language: len(pattern.findall(sample)) for language, pattern in _SCRIPTS.items()}
    cjk = sum(counts.values())
    if cjk * 5 < letters or not cjk:
        return "en"
    if counts["ja"] * 10 > cjk:
        return "ja"
    return "ko" if counts["ko"] > counts["zh"] else "zh"
