"""The documents of an index: list, show, export and delete them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import PurePath
from typing import Any, NamedTuple

from ragcli.documents import PASSAGES, Document, Span
from ragcli.errors import IndexMismatchError, NothingFoundError, RagcliError
from ragcli.filters import Filter
from ragcli.store import DocumentUpdate, Hit, IndexConfig, Store

_PLACES = ("line", "page", "row")  # in the metadata of a section
_TOGETHER = 10_000  # passages that match a filter, looked up at once


class Entry(NamedTuple):
    """Describe a document of an index."""

    id: str
    title: str
    passages: int
    metadata: dict[str, Any]


class Status(NamedTuple):
    """Describe an index: how it was built, its size, the metadata fields of its documents."""

    config: IndexConfig | None
    documents: int
    passages: int
    fields: list[str]

    def as_json(self, index: str) -> dict[str, Any]:
        """Return the status as `ragcli status` prints it."""
        return {"index": index, **self._asdict(), "config": self.config.as_json() if self.config else None}


class Selected(NamedTuple):
    """Select documents: those that match all given conditions (ids, sources, filters); all if none is given."""

    ids: Sequence[str] = ()
    sources: Sequence[str] = ()
    filters: Sequence[Filter] = ()

    def __bool__(self) -> bool:
        return bool(self.ids or self.sources or self.filters)


def read_status(store: Store) -> Status:
    """Return the status of an index."""
    documents, passages = store.counts()
    return Status(store.config, documents, passages, store.fields())


def verify(store: Store) -> Iterator[str]:
    """Yield what is wrong with an index, a line each; nothing for a sound one. Looks at all files and documents."""
    damage = store.damage()
    yield from damage
    if not damage:
        halves = (old.doc_id for old in store.stored() if not old.hash)
        yield from (f"document {doc_id!r} is half written: run the same index again" for doc_id in halves)


def list_documents(store: Store, selected: Selected, limit: int | None = None) -> Iterator[Entry]:
    """Yield the documents of an index, at most `limit`."""
    for doc_id in islice(_ids(store, selected), limit):
        hits = store.passages(doc_id)
        if hits:
            yield Entry(doc_id, hits[0].title, len(hits), hits[0].metadata)


def read_document(store: Store, doc_id: str) -> tuple[Document, list[Hit]]:
    """Return a document and its passages. Raises NothingFoundError for an unknown id."""
    hits = store.passages(doc_id)
    if not hits:
        raise NothingFoundError(f"no document {doc_id!r}", "List the ids: ragcli list, with the same --index.")
    return Document(doc_id, hits[0].title, joined(hits), hits[0].metadata), hits


def document_json(document: Document, hits: Sequence[Hit]) -> dict[str, Any]:
    """Return a document and its passages as `ragcli show` prints them."""
    kept = {name: getattr(document, name) for name in ("id", "title", "text", "metadata")}
    return {**kept, "passages": [{"start": hit.start, "end": hit.end} for hit in hits]}


def read_passages(store: Store, doc_id: str, place: Span | None, around: int) -> list[Hit]:
    """Return the passages of a document at a place in its text, or all, with `around` passages before and after.

    The neighbours of a section are those of its file. Raises NothingFoundError for a place beyond the text.
    """
    document, own = read_document(store, doc_id)
    start, end = place or (0, len(document.text))
    chosen = [hit for hit in own if hit.start < max(end, start + 1) and start < hit.end]
    if not chosen:
        message = f"document {doc_id!r} ends at {len(document.text):,}, before {start:,}"
        raise NothingFoundError(message, "Give a place as shown for sources: START-END.")
    in_order = _passages_of_file(store, document) or own
    first, last = (_index(in_order, hit) for hit in (chosen[0], chosen[-1]))
    return in_order[max(0, first - around) : last + around + 1]


def _index(hits: Sequence[Hit], wanted: Hit) -> int:
    return next(i for i, hit in enumerate(hits) if (hit.id, hit.start) == (wanted.id, wanted.start))


def _passages_of_file(store: Store, document: Document) -> list[Hit]:
    """Return the passages of a section's file in order; none if it is unknown."""
    source = document.metadata.get("source")
    place = next((name for name in _PLACES if isinstance(document.metadata.get(name), int)), None)
    if not isinstance(source, str) or place is None:
        return []
    hits = store.search([], _TOGETHER, [Filter("source", "=", source)])
    return sorted(hits, key=lambda hit: (int(hit.metadata.get(place, 0)), hit.id, hit.start))


def joined(hits: Iterable[Hit]) -> str:
    """Join the passages of a document; white space between two becomes a blank, or line ends if it is longer."""
    text = ""
    for hit in hits:
        gap = hit.start - len(text)
        text += (" " if gap == 1 else "\n" * gap) + hit.text
    return text


def export_documents(store: Store, selected: Selected) -> Iterator[dict[str, Any]]:
    """Yield documents as the JSON objects that `index` reads."""
    for doc_id in _ids(store, selected):
        document, hits = read_document(store, doc_id)
        cut = {PASSAGES: [(hit.start, hit.end) for hit in hits]} if len(hits) > 1 else {}
        yield {**document.metadata, "id": document.id, "title": document.title, "text": document.text, **cut}


def delete_documents(
    store: Store, selected: Selected, *, dry_run: bool = False, note: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Delete documents; return their ids, sorted; note the ids that match none.

    Raises IndexMismatchError for an index that ragcli did not make, NothingFoundError if nothing matches.
    """
    if store.config is None:
        raise IndexMismatchError(
            "this index was not made by ragcli, which only reads it",
            "Delete the documents with the tools that made it.",
        )
    found = list(store.stored(list(_ids(store, selected))))
    if not found:
        raise NothingFoundError("no document matches", "List the ids: ragcli list, with the same --index.")
    if not dry_run:
        store.write(DocumentUpdate(old.doc_id, old) for old in found)
    deleted = sorted(old.doc_id for old in found)
    if missing := sorted(set(selected.ids).difference(deleted)):
        note(f"no document matches {', '.join(missing)}")
    return deleted


def _ids(store: Store, selected: Selected) -> Iterator[str]:
    """Yield the ids of the documents that match all conditions."""
    if selected.filters:
        found = _filtered(store, selected.filters)
    else:
        found = sorted({old.doc_id for old in store.stored(list(selected.ids) or None)})
    for doc_id in found:
        named = not selected.ids or doc_id in selected.ids
        if named and (not selected.sources or _is_from(doc_id, selected.sources)):
            yield doc_id


def _filtered(store: Store, filters: Sequence[Filter]) -> list[str]:
    hits = store.search([], _TOGETHER, filters)
    if len(hits) == _TOGETHER:
        raise RagcliError(f"more than {_TOGETHER:,} passages match the filter", "Add another --where.")
    return sorted({hit.id for hit in hits})


def _is_from(doc_id: str, sources: Sequence[str]) -> bool:
    """Return whether an id is that of a section of one of these files, or of a file in one of these folders."""
    names = [str(PurePath(source)) for source in sources]
    return any(doc_id == name or doc_id.startswith((f"{name}#", f"{name}/")) for name in names)
