"""A first pass over the input that counts its ids, because the last document of an id counts."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from ragcli.documents import Document
from ragcli.readers import FieldNames, Input, read_documents


class Survey(NamedTuple):
    """Hold the ids of the input by their hashes, and the number of lines of each repeated one.

    `unknown` counts the rejects whose id could not be read: any document of the index may be one of them. `unread` are
    the files that could not be read at all.
    """

    ids: "array[int]"
    repeated: Counter[int]
    unknown: int = 0
    unread: frozenset[str] = frozenset()

    def holds(self, doc_id: str) -> bool:
        """Return whether the input has a line with this id, or an unreadable file that may contain it."""
        if self.unread and (doc_id in self.unread or doc_id.rpartition("#")[0] in self.unread):
            return True
        key = hash(doc_id)
        at = bisect_left(self.ids, key)
        return at < len(self.ids) and self.ids[at] == key


def survey_inputs(inputs: list[Input], fields: FieldNames) -> Survey:
    """Read the input once, and return its ids."""
    keys: list[int] = []
    rejected: list[int] = []
    unknown = 0
    unread: set[str] = set()
    for item in read_documents(inputs, fields):
        if isinstance(item, Document):
            keys.append(hash(item.id))
        elif item.id:
            rejected.append(hash(item.id))
        elif not item.line:
            unread.add(item.file)
        else:
            unknown += 1
    keys.sort()  # once: the two sorts that follow find it done
    return Survey(array("q", sorted(keys + rejected)), repeated_keys(keys), unknown, frozenset(unread))


def repeated_keys(keys: Iterable[int]) -> Counter[int]:
    """Count the keys that occur more than once."""
    more = Counter(a for a, b in pairwise(sorted(keys)) if a == b)
    return Counter({key: n + 1 for key, n in more.items()})


def is_last(document: Document, waiting: Counter[int]) -> bool:
    """Return whether no later line has this document's id; `waiting` is counted down."""
    if not waiting:
        return True
    key = hash(document.id)
    if waiting[key] > 1:
        waiting[key] -= 1
        return False
    return True
