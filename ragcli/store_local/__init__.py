"""The embedded store: a tantivy index in a folder, with its configuration beside it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import cached_property
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Self

import orjson
import tantivy
from tantivy import Occur, Query

from ragcli.analysis.analyzer import Analyzer, analyzer
from ragcli.analysis.scripts import is_single
from ragcli.documents import Document
from ragcli.errors import IndexMismatchError
from ragcli.files import replace_file
from ragcli.filters import Filter, field_prefixes, fold, is_known
from ragcli.store import (
    FORMAT_VERSION,
    MAX_QUERY_WORDS,
    Counts,
    DocumentUpdate,
    Hit,
    IndexConfig,
    QueryClause,
    Refused,
    Stored,
    check_vectors,
    ignore_refusal,
    no_vectors,
    ranked,
    unknown_field,
    vector_key,
)
from ragcli.store_local.conditions import NOTHING, condition
from ragcli.store_local.damage import (
    check_permission,
    check_sums,
    damaged,
    damaged_files,
    missing,
    translated,
    unwritable,
)
from ragcli.store_local.folder import make_whole, readable, sweep, sweep_deletions, take_away
from ragcli.store_local.layout import add_entries, count, make_files, read_names, read_record
from ragcli.store_local.neighbours import near_words

if TYPE_CHECKING:
    from ragcli.store import Vector
    from ragcli.store_local.vectors import VectorFile

_HEAP_BYTES = 128_000_000
_LEAST_HEAP_BYTES = 15_000_000
_COMMIT_EVERY = 100_000  # documents that a killed run may have to repeat
_CHECKED_AT_ONCE = 8 * 2**20  # bytes, when an index is opened: 10 ms
_PAGE = 10_000
_MAX_TIES = 1_000
_USUAL_TIES = 20  # asking for a few more costs less than asking again
_SELECTIVE = 4  # a filter that keeps less than one passage in four is applied before ranking
_SPARE_ROWS = 4_096  # unused rows of vectors that a small index may have


def _give_up(writer: tantivy.IndexWriter) -> None:
    """Discard uncommitted changes, and release the lock."""
    with suppress(ValueError, OSError):  # the original failure is reported
        writer.rollback()
        writer.wait_merging_threads()


def _field(term: str) -> str:
    return "characters" if is_single(term) else "content"


class LocalStore:
    """An index in a folder: its configuration `facts.json`, the tantivy index `text/`, and its vectors."""

    def __init__(self, folder: Path, config: IndexConfig) -> None:
        self._folder = folder
        self._config = config
        self._analyzer = analyzer(config.language)
        with self._translated():
            self._saved_fields = (folder / "fields.json").read_bytes()
            self._fields = read_names(self._saved_fields)
            with readable(folder / "text") as text:
                self._index = tantivy.Index.open(str(text))
                check_sums(text, _CHECKED_AT_ONCE)
                self._schema = self._index.schema
                self._searcher = self._index.searcher()
            self._later = Query.term_query(self._schema, "later", 1)

    @classmethod
    def open(cls, folder: Path, create: IndexConfig | Callable[[], IndexConfig] | None) -> Self:
        """Open the index in a folder; with `create`, a missing one is made first."""
        path = folder / "facts.json"
        if not folder.exists():
            if create is None:
                raise missing(folder)
            config = create() if callable(create) else create
            make_whole(folder, lambda work: make_files(work, config))
        try:
            config = IndexConfig.from_json(orjson.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as e:
            raise damaged(folder, e) from e
        if config.version != FORMAT_VERSION:
            raise IndexMismatchError(
                f"index {folder.name} has format {config.version}, this ragcli reads {FORMAT_VERSION}",
                f"Build it again: ragcli index FILE --index {folder.name} --rebuild",
            )
        return cls(folder, config)

    @staticmethod
    def drop(folder: Path) -> None:
        """Remove the index in a folder, if there is one. Raises RagcliError while another process writes it."""
        if folder.exists():
            with suppress(IndexMismatchError), translated(folder):  # nobody writes a damaged one
                _lock = tantivy.Index.open(str(folder / "text")).writer(_LEAST_HEAP_BYTES, 1)
            take_away(folder)

    @property
    def config(self) -> IndexConfig | None:
        """Return how the index was built."""
        return self._config

    def stored(self, doc_ids: Sequence[str] | None = None) -> Iterator[Stored]:
        """Yield these stored documents, or all."""
        wanted = Query.all_query()
        if doc_ids is not None:
            wanted = Query.term_set_query(self._schema, "doc_id", list(doc_ids))
        query = Query.boolean_query([(Occur.Must, wanted), (Occur.MustNot, self._later)])
        offset = 0
        while True:
            with self._translated():
                found = self._searcher.search(query, _PAGE, count=False, offset=offset).hits
                documents = [self._stored(address) for _, address in found]
            yield from documents
            offset += _PAGE
            if len(found) < _PAGE:
                return

    def _stored(self, address: tantivy.DocAddress) -> Stored:
        doc_id, record = read_record(self._searcher.doc(address))
        return Stored(doc_id, record.hash, record.passages)

    def write(self, updates: Iterable[DocumentUpdate], refused: Refused = ignore_refusal) -> None:
        """Apply updates from an iterable, each document atomically; all are durable on return."""
        updates = iter(updates)
        if (first := next(updates, None)) is None:
            return
        check_permission(self._folder / "text")
        with self._translated():
            writer = self._index.writer(_HEAP_BYTES)  # holds the lock, so no file is removed now
            check_sums(self._folder / "text")
            sweep_deletions(self._folder / "text")
            file = self._file if self._config.encoder else None
        sweep(self._folder)
        try:
            with ExitStack() as undo:
                undo.callback(_give_up, writer)
                if file is not None:
                    undo.callback(file.end)
                    file.begin()
                self._apply(writer, file, chain([first], updates))
                if file is not None:
                    self._tidy(file)
                    file.end()
                undo.pop_all()
                writer.wait_merging_threads()
        except (ValueError, OSError) as e:
            raise unwritable(self._folder, e) from e
        self._reload()

    def _reload(self) -> None:
        with self._translated():
            self._index.reload()
            self._searcher = self._index.searcher()

    def _apply(self, writer: tantivy.IndexWriter, file: "VectorFile | None", updates: Iterable[DocumentUpdate]) -> None:
        pending = 0
        words = Analyzer(self._config.language)  # a new one, whose unseen words are new to this run
        for update in updates:
            if pending == _COMMIT_EVERY:
                self._commit(writer, file)
                pending = 0
            keys = self._add_vectors(file, update, update.document) if file is not None and update.document else []
            if update.old:
                writer.delete_documents_by_term("doc_id", update.doc_id)
            if update.document:
                add_entries(writer, words, update, update.document, keys)
                self._fields.update(update.document.metadata, update.aliases)
            pending += 1
        self._commit(writer, file)

    def _add_vectors(self, file: "VectorFile", update: DocumentUpdate, document: Document) -> list[int]:
        keys = [vector_key(document.title, text) for _, text in update.passages]
        file.add(keys, check_vectors(update.vectors, (len(keys), self._dimension), f"document {update.doc_id!r}"))
        return keys

    def _commit(self, writer: tantivy.IndexWriter, file: "VectorFile | None") -> None:
        # Vectors and names before documents: a run killed in between leaves extra ones, but none is missing.
        if file is not None:
            file.commit()
        names = orjson.dumps(self.fields())
        if names != self._saved_fields:
            replace_file(self._folder / "fields.json", names)
            self._saved_fields = names
        writer.commit()

    def _tidy(self, file: "VectorFile") -> None:
        """Rewrite the vectors if most belong to removed passages (one vector may serve several), and write codes."""
        self._reload()
        if file.count > 2 * self._searcher.num_docs + _SPARE_ROWS:
            file.compact(self._keys(Query.all_query()))
        file.encode()

    def search(self, words: Sequence[QueryClause], k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
        """Return the k best passages, best first, ties by id and start; without words, all that match the filters."""
        with self._translated():
            conditions = self._conditions(filters)
            if NOTHING in conditions:
                return []
            required = [self._weighted(group) for group in words if group.required]
            wanted = Query.boolean_query([(Occur.Should, query) for query in required]) if words else Query.all_query()
            parts = [(Occur.Must, wanted)]
            parts += [(Occur.Should, self._weighted(group)) for group in words if not group.required]
            parts += conditions
            return ranked(self._best(Query.boolean_query(parts), k))[:k]

    def _weighted(self, words: QueryClause) -> Query:
        weights = self._analyzer.query(words.text, MAX_QUERY_WORDS)
        return Query.boolean_query(
            [(Occur.Should, self._term(term, weight * words.weight)) for term, weight in weights.items()]
        )

    def _term(self, term: str, weight: float) -> Query:
        return Query.boost_query(Query.term_query(self._schema, _field(term), term, "freq"), weight)

    def nearest(
        self, vector: "Vector", k: int, filters: Sequence[Filter] = (), candidates: int | None = None
    ) -> list[Hit]:
        """Return the k passages nearest to a vector, best first, ties by id and start; approximate among many."""
        if not self._config.encoder:
            raise no_vectors(self._folder.name)
        check_vectors(vector, (self._dimension,), "the query")
        found: list[tuple[float, tantivy.DocAddress]] = []
        with self._translated():
            passing = Query.boolean_query([(Occur.Must, Query.all_query()), *self._conditions(filters)])
            # Gathering the keys of most passages would take longer than skipping the few that do not match.
            selective = _SELECTIVE * count(self._searcher, passing) < self._searcher.num_docs
            among = self._keys(passing) if filters and selective else None
            for batch in self._file.ranking(vector, 2 * k, among, candidates):
                found += self._of_keys(batch.cosines, passing)
                if sum(score >= batch.least for score, _ in found) >= k:
                    break
            found.sort(key=itemgetter(0), reverse=True)
            last = found[k - 1][0] if len(found) > k else -2.0
            best = [pair for pair in found if pair[0] >= last][: k + _MAX_TIES]
            return ranked(self._hit(score, address) for score, address in best)[:k]

    def _keys(self, query: Query) -> list[int]:
        """Return the keys of all passages that match a query."""
        most = count(self._searcher, query)
        if not most:
            return []
        found = self._searcher.search(query, most, count=False, order_by_field="vector").hits
        return [key for key, _ in found]

    def _of_keys(self, cosines: dict[int, float], passing: Query) -> list[tuple[float, tantivy.DocAddress]]:
        """Return the matching passages with these keys, and their cosines."""
        used = {key: n for key in cosines if (n := self._searcher.doc_freq("vector", key))}
        if not used:
            return []
        wanted = Query.term_set_query(self._schema, "vector", list(used))
        query = Query.boolean_query([(Occur.Must, wanted), (Occur.Must, passing)])
        places = [location for _, location in self._searcher.search(query, sum(used.values()), count=False).hits]
        keys = self._searcher.fast_field_values("vector", places)
        return [(cosines[int(key or 0)], location) for key, location in zip(keys, places, strict=True)]

    def vectors(self, keys: Sequence[int]) -> "dict[int, Vector]":
        """Return the stored vectors with these keys (vector_key), including those of a killed run."""
        if not self._config.encoder:
            return {}
        with self._translated():
            return self._file.find(keys)

    def sample(self, n: int) -> "Vector":
        """Return a fixed sample of vectors (at most n, dimension) from all over the index."""
        if not self._config.encoder:
            raise no_vectors(self._folder.name)
        with self._translated():
            return self._file.sample(n)

    @cached_property
    def _file(self) -> "VectorFile":
        from ragcli.store_local.vectors import VectorFile  # and NumPy, which keyword search does not need

        return VectorFile(self._folder / "vectors.bin", self._dimension)

    @property
    def _dimension(self) -> int:
        return self._config.encoder.dimension if self._config.encoder else 0

    def passages(self, doc_id: str) -> list[Hit]:
        """Return a document's passages in order, with score 0; none for an unknown document."""
        with self._translated():
            most = self._searcher.doc_freq("doc_id", doc_id)
            query = Query.term_query(self._schema, "doc_id", doc_id, "basic")
            found = self._searcher.search(query, max(1, most), count=False).hits
            return ranked(self._hit(0.0, address) for _, address in found)[:most]

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return the number of passages with each word; if the analyzer splits it, of its rarest part."""
        with self._translated():
            return [
                min((max(map(self._frequency, variants)) for variants in self._analyzer.variants(word)), default=0)
                for word in words
            ]

    def _frequency(self, term: str) -> int:
        return self._searcher.doc_freq(_field(term), term)

    def near_words(self, words: Sequence[str]) -> list[list[str]]:
        """Return, for each word that no passage has, the words in passages with similar spelling."""
        with self._translated():
            return [near_words(self._searcher, self._schema, self._config.language, word) for word in words]

    def _conditions(self, filters: Sequence[Filter]) -> list[tuple[Occur, Query]]:
        for wanted in filters:
            if not is_known(wanted.field, self._fields):
                raise unknown_field(wanted.field, self._folder.name, self.fields())
        return [condition(self._searcher, self._schema, wanted) for wanted in filters]

    def _best(self, query: Query, k: int) -> list[Hit]:
        limit = k + _USUAL_TIES
        while True:  # as long as the last score is tied, so that ties are cut by id
            found = self._searcher.search(query, limit + 1, count=False).hits
            least = found[k - 1][0] if len(found) > k else 0.0
            if len(found) <= limit or least > found[-1][0] or limit > k + _MAX_TIES:
                return [self._hit(score, address) for score, address in found if score >= least]
            limit *= 4

    def _hit(self, score: float, address: tantivy.DocAddress) -> Hit:
        doc_id, (title, text, start, _, _, metadata) = read_record(self._searcher.doc(address))
        return Hit(0, doc_id, title, text, score, start, start + len(text), metadata)

    def values(self, field: str, prefix: str, limit: int) -> list[str]:
        """Return at most `limit` distinct text values of a field with a prefix, case folded, sorted."""
        values: list[str] = []
        with self._translated():
            for start in field_prefixes(field):
                found = self._searcher.terms_with_prefix("terms", start + fold(prefix), Query.all_query())
                values += (term.removeprefix(start) for term, documents in found if documents)
        return sorted(values)[:limit]

    def fields(self) -> list[str]:
        """Return the sorted names of all metadata fields so far; of objects, only the top level."""
        return sorted(self._fields)

    def damage(self) -> list[str]:
        """Check all files, and return a line for each damage."""
        with self._translated():
            found = [f"{name} is damaged" for name in damaged_files(self._folder / "text")]
            if self._config.encoder and not found:
                found += self._file.damage(self._keys(Query.all_query()))
        return found

    def counts(self) -> Counts:
        """Count documents and passages."""
        with self._translated():
            later = count(self._searcher, self._later)
            return Counts(self._searcher.num_docs - later, self._searcher.num_docs)

    def close(self) -> None:
        """Do nothing: tantivy closes its files with the object."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _translated(self) -> AbstractContextManager[None]:
        return translated(self._folder)
