"""The words of a query, weighted: what it is about counts more than the words that only make it a question."""

import re

from ragcli.analysis.question_words import CHINESE_QUESTION_WORDS
from ragcli.analysis.words import cjk_bigrams, split_words
from ragcli.store import QueryClause

LIGHT = 0.3  # what a function word weighs; on development sets better than none and than all

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


def weighted_words(query: str, language: str) -> list[QueryClause]:
    """Return the words of a query with their weights.

    Of an English query, function words match nothing by themselves. Of a Chinese one, the bigrams that touch a function
    word count less, but may match: a character that is such a word may be part of another, as in 对象.
    """
    if language == "en":
        about, light = split_words(query)
        return [QueryClause(about), *([QueryClause(light, LIGHT, required=False)] if light else [])]
    if language == "zh":
        about = _LIGHT_CHINESE.sub(" ", query)
        kept = set(cjk_bigrams(about).split())
        light = " ".join(word for word in cjk_bigrams(query).split() if word not in kept)
        return [QueryClause(text, weight) for text, weight in ((about, 1.0), (light, LIGHT)) if text.strip()]
    return [QueryClause(query)]
