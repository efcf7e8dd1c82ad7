"""Copy an index with its vectors to another store; when run again, copy only differences."""

from collections.abc import Iterator
from itertools import islice

import orjson

from ragcli.callbacks import Callbacks
from ragcli.contents import read_document
from ragcli.documents import Passage, Reject
from ragcli.encoding import matching_encoder, with_vectors
from ragcli.errors import IndexMismatchError, UsageError
from ragcli.indexing import Summary
from ragcli.store import DocumentUpdate, IndexConfig, IndexLocation, Store, Stored, open_store

_BATCH = 500  # documents, for a lookup of what the copy holds


def copy_index(source: IndexLocation, target: IndexLocation, callbacks: Callbacks[int] = Callbacks()) -> Summary:
    """Update a copy of an index; documents that only the copy has stay.

    Raises IndexMismatchError for an index that ragcli did not make, and for a copy that was built in another way.
    """
    if (source.url, source.name) == (target.url, target.name):
        raise UsageError("an index cannot be copied onto itself", "Name another target: --to URL, or --to-index NAME.")
    summary = Summary()
    with open_store(source) as old:
        if old.config is None:
            raise IndexMismatchError(
                f"index {source.name} was not made by ragcli", "Print its documents by its own tools, and index those."
            )
        with open_store(target, old.config) as new:
            if new.config != old.config:
                raise IndexMismatchError(
                    f"index {target.name} is there already, and was built in another way", "Name another: --to-index."
                )
            _copy(old, new, old.config, summary, callbacks)
            if lost := sorted(set(old.fields()) - set(new.fields())):
                callbacks.note(f"no document of the copy has {', '.join(lost)}: filters by that find nothing there")
            summary.documents, summary.passages = new.counts()
    return summary


def _copy(old: Store, new: Store, config: IndexConfig, summary: Summary, callbacks: Callbacks[int]) -> None:
    def refuse(update: DocumentUpdate, reason: str) -> None:
        if update.old:
            summary.updated -= 1
        else:
            summary.added -= 1
        summary.rejected += 1
        callbacks.reject(Reject("store", 0, update.doc_id, reason, _line(update)))

    updates = _updates(old, new, summary, callbacks)
    if encoder := config.encoder:
        updates = with_vectors(updates, old, lambda: matching_encoder(encoder, callbacks.note))
    new.write(updates, refuse)


def _updates(old: Store, new: Store, summary: Summary, callbacks: Callbacks[int]) -> Iterator[DocumentUpdate]:
    stored = old.stored()
    while batch := list(islice(stored, _BATCH)):
        known: dict[str, Stored] = {}
        for one in new.stored([one.doc_id for one in batch]):
            known[one.doc_id] = one._replace(hash="") if one.doc_id in known else one
        for one in batch:
            summary.read += 1
            there = known.get(one.doc_id)
            if not one.hash:
                summary.rejected += 1
                callbacks.reject(Reject("store", 0, one.doc_id, "half written: index it again", ""))
            elif there and there.hash == one.hash:
                summary.unchanged += 1
            else:
                summary.updated += there is not None
                summary.added += there is None
                yield _update(old, one, there)
        callbacks.progress(summary.read)


def _update(old: Store, one: Stored, there: Stored | None) -> DocumentUpdate:
    document, hits = read_document(old, one.doc_id)
    return DocumentUpdate(one.doc_id, there, document, one.hash, [Passage(hit.start, hit.text) for hit in hits])


def _line(update: DocumentUpdate) -> str:
    """Return a document as a line that `index` reads."""
    if not update.document:
        return ""
    doc_id, title, text, metadata = update.document[:4]
    return orjson.dumps({**metadata, "id": doc_id, "title": title, "text": text}).decode()
