"""The supported languages, and detection of a text's language by its script or function words."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal, get_args

Language = Literal[
    "en", "zh", "ja", "ko",
    "ar", "da", "de", "el", "es", "fi", "fr", "hu", "it", "nl", "no", "pt", "ro", "ru", "sv", "tr",
]  # fmt: skip
LANGUAGES: tuple[Language, ...] = get_args(Language)

# Names in Snowball, tantivy and Elasticsearch of the languages with stemmers; the others are split into bigrams.
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
BIGRAMMED = {"zh": HAN, "ja": KANA, "ko": HANGUL}
_ALPHABETS = {"el": "\u0370-\u03ff\u1f00-\u1fff", "ru": "\u0400-\u052f", "ar": "\u0600-\u06ff\u0750-\u077f"}
_SCRIPTS = {name: re.compile(f"[{letters}]") for name, letters in (BIGRAMMED | _ALPHABETS).items()}
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]{2,}")

# The most frequent words of languages in Latin script, except English words and names in programs.
FUNCTION_WORDS = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the and to that it with are this by from if can have you not which will their they when",
        "da": "og er det af til den ikke på med der som et har jeg også efter mellem hvad være blev fra når eller kan",
        "de": "der die das und ist nicht ein eine zu mit den von auf für im dem des sich auch wird werden oder",
        "es": "el la los las de que en un una del se con por para es como más pero su al lo son",
        "fi": "ja ei se että oli ovat joka mutta kun tai niin myös sen hän ole voi tämä kuin sekä jos ne joita",
        "fr": "le la les de des et du un une est en que qui dans pour pas sur au par ne avec sont il ce ou",
        "hu": "az és hogy nem egy ez van volt mint meg csak vagy ha el még már azt nagy kell amely ezt lehet",
        "it": "il la lo gli le di che un una con per del della non sono nel più anche ma dei si da al",
        "nl": "de het een en van dat niet met voor zijn op te er ook aan worden wordt door maar bij uit naar als",
        "no": "og er det av til den ikke på med som et har jeg også etter mellom hva være ble fra når eller kan",
        "pt": "os da de dos das um uma com por para que como mais mas seu não em ao na se são ou",
        "ro": "și este în la cu nu de pe care un din ca mai să sunt pentru au prin sau al ale se",
        "sv": "och att är en det av som på den med inte till ett har jag också efter mellan vad från när eller kan",
        "tr": "ve bir bu için ile da de çok daha olarak gibi olan ne kadar sonra değil ama veya her ise",
    }.items()
}
_LEAST_WORDS = 6  # distinct ones, so that a frequent name or variable does not count as a language


def detect_language(texts: Iterable[str]) -> str:
    """Return the language of texts by script, for Latin script by function words, and "en" in doubt.

    Kana mark Japanese even among many Han characters. CJK needs a fifth of the letters; Greek, Russian and Arabic need
    half of them.
    """
    sample = "".join(f"{text[:1000]}\n" for text in texts)
    letters = len(_LETTER.findall(sample))
    counts = {language: len(pattern.findall(sample)) for language, pattern in _SCRIPTS.items()}
    cjk = sum(counts[language] for language in BIGRAMMED)
    if cjk and cjk * 5 >= letters:
        if counts["ja"] * 10 > cjk:
            return "ja"
        return "ko" if counts["ko"] > counts["zh"] else "zh"
    other = next((language for language in _ALPHABETS if counts[language] * 2 > letters), None)
    return other or _by_function_words(sample.lower())


def _by_function_words(text: str) -> str:
    """Return the language with function words for a twelfth of all words, at least twice as many as English ones."""
    words = Counter(_WORD.findall(text))
    found = {language: sum(words[word] for word in known) for language, known in FUNCTION_WORDS.items()}
    best = max(found, key=lambda language: found[language])
    different = sum(word in words for word in FUNCTION_WORDS[best])
    sure = different >= _LEAST_WORDS and found[best] * 12 >= words.total() and found[best] >= 2 * found["en"]
    return best if sure else "en"
