"""Weight the words of a query: content words count more than function words."""

import re
import unicodedata
from collections.abc import Callable
from itertools import islice, pairwise

from ragcli.analysis.analyzer import analyzer
from ragcli.analysis.languages import STEMMED
from ragcli.analysis.normal import normalized
from ragcli.analysis.question_words import CHINESE_QUESTION_WORDS
from ragcli.analysis.scripts import is_single, with_bigrams
from ragcli.analysis.tokens import joined_pairs
from ragcli.analysis.words import split_words
from ragcli.callbacks import ignore
from ragcli.store import MAX_QUERY_WORDS, QueryClause

_WORD = re.compile(r"\S+")
LIGHT = 0.3  # weight of a function word; better than 0 and 1 on development sets
JOINED = 0.5  # weight of two words joined into one
_MOST_JOINED = 30  # words of a query
_PARTICLES = frozenset(("up", "in", "on", "out", "off", "down", "back", "over"))  # of verbs: back up, log in

# Function words of Chinese, in both scripts, and question words that are more than one word.
_CHINESE = (
    *CHINESE_QUESTION_WORDS,
    *"""
    什么时候 什麼時候 是什么 是什麼 什么样 什麼樣 哪一个 哪一個 哪一 哪些 哪个 哪個 哪里 哪裡 哪儿 哪位
    哪 何时 何時 何地 何处 何處 何人 何种 何種 因何 何 几 幾 多大 多久 能否 可否 的 了 是 在 和 与 與 及
    或 把 被 对 對 于 於 以 为 為 而 之 其 这 這 那 也 都 就 将 將 等 此 该 該 中 从 從 到 由 有 会 會
    能 可以
    """.split(),
)
_LIGHT_CHINESE = re.compile("|".join(sorted(_CHINESE, key=len, reverse=True)))
_EXACT = re.compile(r"\d|[+#]$|^\.")
_PLAIN = re.compile(r"[^\W_]+(?:[-.'’&+][^\W_]+)*[+#]*")

# Other ways to write small numbers; V, X, and short ones in small letters are mostly something else.
_ROMAN = {n: roman for n, roman in enumerate("I II III IV V VI VII VIII IX X XI XII XIII XIV".split(), 1) if n % 5}
_CARDINALS = {
    **{str(n): roman for n, roman in _ROMAN.items()},
    **{roman: str(n) for n, roman in _ROMAN.items() if n > 1},
    **{roman.lower(): str(n) for n, roman in _ROMAN.items() if len(roman) > 2 or n == 2},
}
_WORDS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
_FIGURES = "1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th".split()
_ORDINALS = dict(zip(_WORDS + _FIGURES, _FIGURES + _WORDS, strict=True))
_NUMERAL = re.compile(
    rf"(?:(?<=[^\W\d_] )(?:{'|'.join(_CARDINALS)})|(?<![\w'./:-])(?:{'|'.join(_ORDINALS)}))(?![\w'./:-])"
)
_OTHER_NUMERALS = _CARDINALS | _ORDINALS
_WITH_AND = re.compile(r"(?<!\w)([A-Z]{1,2}|[a-z]) and ([A-Z]{1,2}|[a-z])(?!\w)|(?<!\w)(\d+) x (\d+)(?!\w)")


def first_words(query: str, note: Callable[[str], None] = ignore) -> str:
    """Truncate a query to MAX_QUERY_WORDS words and ten times as many characters, with a note; compose its accents."""
    first = query[: 10 * MAX_QUERY_WORDS]
    if last := next(islice(_WORD.finditer(first), MAX_QUERY_WORDS - 1, None), None):
        first = first[: last.end()]
    if len(first) < len(query):
        note(f"the query is long: only its first {len(first):,} characters are read")
    return unicodedata.normalize("NFC", first)  # after the cut, because a million accents on a letter take minutes


def weighted_words(query: str, language: str) -> list[QueryClause]:
    """Return the weighted words of a query; the whole query if its language is unknown ("").

    Function words alone do not match, if there are others. In a Chinese query, bigrams that touch a function word count
    less, but may match: the same character may be part of another word, as in 对象.
    """
    if not language:
        return [QueryClause(query)]
    query = normalized(query)
    if language == "zh":
        return _chinese(query)
    about, light = split_words(query, language) if language in STEMMED else (query, "")
    return [QueryClause(about), *_joined(query, about), *_numerals(query), *_light(light)]


def exact_share(query: str, language: str) -> float:
    """Return the share of words that are names with digits or marks, whose meaning vectors do not capture."""
    query = normalized(query)
    about = split_words(query, language)[0] if language in STEMMED else query
    tokens = [token for token in analyzer(language).tokens(about) if not is_single(token.whole)]
    names = [bool(_EXACT.search(token.whole)) for token in tokens]
    exact = sum(name or follower for name, follower in zip(names, [*names[1:], False], strict=False))  # rfq 0054
    return exact / len(tokens) if tokens else 0.0


def _light(words: str) -> list[QueryClause]:
    return [QueryClause(words, LIGHT, required=False)] if words else []


def _joined(query: str, about: str) -> list[QueryClause]:
    """Return adjacent words joined into one: wi fi, e mail, back up, R and D, 4 x 4."""
    meant = _PARTICLES.union(_PLAIN.findall(about))
    words = [word if word in meant else "-" for word in _PLAIN.findall(query)[:_MOST_JOINED]]
    pairs = joined_pairs(words) + [f"{a}&{b}" if a else f"{c}x{d}" for a, b, c, d in _WITH_AND.findall(query)]
    nouns = [one + other for one, other in pairwise(words) if other in _PARTICLES and one.isalnum()]
    weighed = ((nouns, 1.0), ([pair for pair in pairs if pair not in nouns], JOINED))
    return [QueryClause(" ".join(joined), weight) for joined, weight in weighed if joined]


def with_other_numerals(query: str) -> str:
    """Return a query with its numerals written the other way: Rocky III for Rocky 3."""
    return _NUMERAL.sub(lambda numeral: _OTHER_NUMERALS[numeral[0]], query)


def _numerals(query: str) -> list[QueryClause]:
    """Return the other way to write each small number after a word: II for 2, 2 for II; each ordinal: 3rd for third."""
    others = " ".join(_OTHER_NUMERALS[match[0]] for match in _NUMERAL.finditer(query))
    return [QueryClause(others, JOINED, required=False)] if others else []


def _chinese(query: str) -> list[QueryClause]:
    about = with_bigrams(_LIGHT_CHINESE.sub(" ", query)).split()
    whole = [word for word in about if not is_single(word)]
    kept = dict.fromkeys(whole or about)
    light = [word for word in with_bigrams(query).split() if word not in kept and not (whole and is_single(word))]
    singles = [word for word in about if is_single(word)] if whole else []
    weighed = ((kept, 1.0), ([*light, *singles], LIGHT))
    latin = " ".join(word if word.isascii() else "-" for word in query.split())
    return [*(QueryClause(" ".join(words), weight) for words, weight in weighed if words), *_joined(latin, latin)]
