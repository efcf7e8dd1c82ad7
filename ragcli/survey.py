"""A first pass over the input that counts its ids, because the last document of an id counts."""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from itertools import chain, pairwise
from pathlib import PurePath
from typing import NamedTuple

from ragcli.documents import Document, Reject, Skipped, Unread
from ragcli.readers import FieldNames, Input, read_documents
from ragcli.readers.formats import FORMATS
from ragcli.readers.texts import kind_of


class Survey(NamedTuple):
    """Hold the ids of the input by their hashes, and the number of lines of each repeated one.

    `unknown` counts the rejects whose id could not be read: any document of the index may be one of them. `unread` are
    files that could not be read, whose documents have ids that begin with the file's name.
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


def survey_inputs(inputs: list[Input], fields: FieldNames, beside: Iterable[Unread] = ()) -> Survey:
    """Read the input once, and return its ids; `beside` is what could not be read of the folders."""
    keys: list[int] = []
    rejected: list[int] = []
    unknown = 0
    unread: set[str] = set()
    for item in chain(read_documents(inputs, fields), beside):
        if isinstance(item, Document):
            keys.append(hash(item.id))
        elif item.id:
            rejected.append(hash(item.id))
        elif _is_known_by_name(item):
            unread.add(item.file)
        else:
            unknown += 1
    keys.sort()  # once: the two sorts that follow find it done
    return Survey(array("q", sorted(keys + rejected)), repeated_keys(keys), unknown, frozenset(unread))


def _is_known_by_name(item: Reject) -> bool:
    """Return whether it is a whole file, whose documents have its name in their ids."""
    if item.line:
        return False
    found = FORMATS.get(kind_of(PurePath(item.file)))
    by_name = found is not None and found.takes in ("text", "bytes", "mailbox")
    return by_name or (isinstance(item, Skipped) and not isinstance(item, Unread))


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
