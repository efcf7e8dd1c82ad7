"""Search Chinese texts in the script that they are written in: traditional for simplified, or the other way round."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from ragcli.analysis.normal import normalized
from ragcli.analysis.scripts import is_cjk, with_bigrams
from ragcli.store import Hit, Store

if TYPE_CHECKING:
    from opencc import OpenCC

_FOUND = 0.5  # share of a query's bigrams from which on it is in the script of the texts


def in_other_script(store: Store, query: str, language: str, hits: Sequence[Hit]) -> str:
    """Return a Chinese query in the other script if few of its bigrams are in the index; "" otherwise.

    The index is asked only if few of them are in the hits, because a server needs some time for that.
    """
    if language != "zh":
        return ""
    words = [word for word in with_bigrams(normalized(query)).split() if is_cjk(word)]
    seen = "\n".join(f"{hit.title}\n{hit.text}" for hit in hits)
    if sum(word in seen for word in words) >= _FOUND * len(words):
        return ""
    if sum(count > 0 for count in store.frequencies(words)) >= _FOUND * len(words):
        return ""
    return next((other for name in ("t2s", "s2t") if (other := _converter(name).convert(query)) != query), "")


@cache
def _converter(name: str) -> "OpenCC":
    from opencc import OpenCC  # which reads dictionaries that few searches need

    return OpenCC(name)
