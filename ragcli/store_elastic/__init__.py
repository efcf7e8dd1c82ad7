"""The Elasticsearch store, for an index that ragcli made or any index with a `text` field."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby, islice
from operator import itemgetter
from time import sleep
from typing import TYPE_CHECKING, Any, Self

from elasticsearch import BadRequestError, Elasticsearch

from ragcli.analysis.analyzer import Analyzer
from ragcli.filters import Filter, fold, is_known
from ragcli.store import (
    Access,
    Counts,
    DocumentUpdate,
    Hit,
    IndexConfig,
    QueryClause,
    Refused,
    Shards,
    Stored,
    TextFields,
    check_vectors,
    ignore_refusal,
    no_vectors,
    ranked,
    unknown_field,
)
from ragcli.store_elastic import catalog
from ragcli.store_elastic.bulk import write_all
from ragcli.store_elastic.external import ExternalIndex
from ragcli.store_elastic.layout import Json, ManagedIndex, near_words, pattern, ranking, spelled_nearly
from ragcli.store_elastic.server import address, connect, foreign, missing, replaced, translating
from ragcli.store_elastic.session import Session
from ragcli.store_elastic.vectors import nearest_query, read_vectors, written_key

if TYPE_CHECKING:
    from ragcli.store import Vector

_PAGE = 5_000  # of at most 10,000 hits a request
_IDS = 1_000  # of at most 65,536 terms a query
_VECTORS = 1_000  # a request: a few megabytes
_COLUMNS = ("vector", "vector_key")
_MAX_FIELDS = 10_000


class ElasticStore:
    """An index on a server, with one entry for each passage, whose _id is `document#part`."""

    def __init__(self, session: Session, found: catalog.IndexInfo, fields: TextFields = TextFields()) -> None:
        self._session = session
        self._url, self._index = session.url, session.index
        self._found = found
        self._config = catalog.read_config(found.mapping, self._url, self._index)
        self._layout: ManagedIndex | ExternalIndex
        if not self._config:
            self._layout = ExternalIndex(found.mapping, self._index, fields.text or "text", fields.title or "title")
        else:
            self._layout = ManagedIndex(self._config.language)

    @classmethod
    def open(
        cls,
        url: str,
        index: str,
        access: Access,
        create: IndexConfig | Callable[[], IndexConfig] | None,
        fields: TextFields = TextFields(),
        shards: Shards = Shards(),
        wait: Callable[[float], None] = sleep,
    ) -> Self:
        """Open the index on a server; with `create`, a missing one is made first.

        `wait` pauses before a request is repeated.
        """
        url, login = address(url)
        with ExitStack() as undo, translating(url, index):
            session = Session(undo.enter_context(connect(url, login, access)), url, index, wait)
            found = catalog.find(session)
            if found is None and create:
                catalog.create(session, create() if callable(create) else create, shards)
                found = catalog.find(session)
            elif create:
                session.refresh()  # what a killed run wrote last
            if found is None:
                raise missing(url, index)
            store = cls(session, found, fields)
            undo.pop_all()
            return store

    @staticmethod
    def drop(url: str, index: str, access: Access) -> None:
        """Delete the index, if there is one. Raises IndexMismatchError if ragcli did not make it."""
        url, login = address(url)
        with translating(url, index), connect(url, login, access) as client:
            catalog.drop(Session(client, url, index))

    @property
    def config(self) -> IndexConfig | None:
        """Return how the index was built; None for an index that ragcli did not build."""
        return self._config

    def stored(self, doc_ids: Sequence[str] | None = None) -> Iterator[Stored]:
        """Yield these stored documents, or all, page by page."""
        if not self._config:
            raise foreign(self._index)
        queries: list[Json] = [{"match_all": {}}]
        if doc_ids is not None:
            queries = [{"terms": {"doc_id": list(doc_ids[i : i + _IDS])}} for i in range(0, len(doc_ids), _IDS)]
        columns = ["doc_id", "part", "parts", "hash"]
        with translating(self._url, self._index):
            for query in queries:
                # The sort key is unique and never changes, so pages are consistent without a point in time.
                rows = self._session.scan(
                    _PAGE, query=query, sort=["doc_id", "part"], docvalue_fields=columns, source=False
                )
                entries = ([row["fields"][column][0] for column in columns] for row in rows)
                for doc_id, parts in groupby(entries, key=itemgetter(0)):
                    yield _summed(doc_id, list(parts))

    def write(self, updates: Iterable[DocumentUpdate], refused: Refused = ignore_refusal) -> None:
        """Apply updates from an iterable. All are durable and searchable on return."""
        if not self._config:
            raise foreign(self._index)
        with translating(self._url, self._index):
            for refusal in write_all(self._session, updates, Analyzer(self._config.language), self._dimension):
                refused(*refusal)
            self._session.refresh()
            # If the index was deleted meanwhile, the server has created another one from the remaining passages.
            found = catalog.find(self._session)
            if not found or found.uuid != self._found.uuid:
                raise replaced(self._index, self._url)

    @property
    def _client(self) -> Elasticsearch:
        return self._session.client

    def search(self, words: Sequence[QueryClause], k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
        """Return the k best passages, best first, ties by id and start; without words, all that match the filters."""
        layout = self._layout
        with translating(self._url, self._index):
            wanted = {"bool": {"must": ranking(layout, words), **self._conditions(filters)}}
            rows = islice(self._session.scan(min(k, _PAGE), query=wanted, sort=layout.sort, source=layout.columns), k)
            return ranked(map(layout.hit, rows))

    def _conditions(self, filters: Sequence[Filter]) -> dict[str, list[Json]]:
        clauses: dict[str, list[Json]] = {"filter": [*self._layout.always], "must_not": []}
        for condition in filters:
            self._check_field(condition.field)
            clauses["must_not" if condition.operator == "!=" else "filter"].append(self._layout.condition(condition))
        return clauses

    def nearest(
        self, vector: "Vector", k: int, filters: Sequence[Filter] = (), candidates: int | None = None
    ) -> list[Hit]:
        """Return the k passages nearest to a vector, best first, ties by id and start; at most 10,000."""
        if not self._dimension:
            raise no_vectors(self._index)
        check_vectors(vector, (self._dimension,), "the query")
        with translating(self._url, self._index):
            passing = {"bool": self._conditions(filters)}
            try:
                return self._nearest(vector, k, passing, candidates, rescored=True)
            except BadRequestError as e:
                if "rescore_vector" not in str(e.body):  # unknown to servers before 8.18
                    raise
                return self._nearest(vector, k, passing, candidates, rescored=False)

    def _nearest(self, vector: "Vector", k: int, passing: Json, candidates: int | None, rescored: bool) -> list[Hit]:
        query = nearest_query(vector, k, passing, candidates, rescored)
        rows = self._session.page(sort=self._layout.sort, source=self._layout.columns, **query)
        # The server maps cosines to scores from 0 to 1.
        cosines = (
            [2 * row["_score"] - 1 for row in rows]
            if rescored
            else (read_vectors(rows, self._dimension) @ vector).tolist()
        )
        hits = [self._layout.hit(row)._replace(score=cosine) for row, cosine in zip(rows, cosines, strict=True)]
        return ranked(hits)[:k]

    def vectors(self, keys: Sequence[int]) -> "dict[int, Vector]":
        """Return the stored vectors with these keys (vector_key), including those of a killed run."""
        found: dict[int, Vector] = {}
        if self._dimension:
            wanted = [written_key(key) for key in dict.fromkeys(keys)]
            with translating(self._url, self._index):
                for i in range(0, len(wanted), _VECTORS):
                    some = {"terms": {"vector_key": wanted[i : i + _VECTORS]}}
                    rows = self._session.page(
                        query=some, size=_VECTORS, collapse={"field": "vector_key"}, fields=_COLUMNS, source=False
                    )
                    read = [int(row["fields"]["vector_key"][0], 16) for row in rows]
                    found |= zip(read, read_vectors(rows, self._dimension), strict=True)
        return found

    def sample(self, n: int) -> "Vector":
        """Return a fixed sample of vectors (at most n, dimension) from all over the index."""
        if not self._dimension:
            raise no_vectors(self._index)
        order = ["vector_key", "doc_id", "part"]  # a hash first
        with translating(self._url, self._index):
            rows = self._session.scan(
                min(n, _VECTORS), query={"match_all": {}}, sort=order, fields=_COLUMNS, source=False
            )
            return read_vectors(list(islice(rows, n)), self._dimension)

    @property
    def _dimension(self) -> int:
        return self._config.encoder.dimension if self._config and self._config.encoder else 0

    def passages(self, doc_id: str) -> list[Hit]:
        """Return a document's passages in order, with score 0; none for an unknown document."""
        layout = self._layout
        wanted = {"bool": {"filter": [layout.whole(doc_id), *layout.always]}}
        with translating(self._url, self._index):
            rows = self._session.scan(_PAGE, query=wanted, sort=layout.sort, source=layout.columns)
            return ranked(map(layout.hit, rows))  # filters alone give score 0

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return the number of passages with each word; if the analyzer splits it, of its rarest part."""
        found = [self._layout.variants(word) for word in words]
        counts = self._having(sorted({term for parts in found for variants in parts for term in variants}))
        return [min((max(counts[term] for term in variants) for variants in parts), default=0) for parts in found]

    def near_words(self, words: Sequence[str]) -> list[list[str]]:
        """Return, for each word that no passage has, the words in passages with similar spelling."""
        if not words:
            return []
        asked = spelled_nearly(self._layout.texts, words)
        with translating(self._url, self._index):
            found = self._session.search(size=0, suggest=asked)["suggest"]
        return near_words(found, len(words))

    def _having(self, terms: Sequence[str]) -> dict[str, int]:
        """Count the passages with each term, many in one request; the server reads only their postings."""
        counts: dict[str, int] = {}
        always = {"bool": {"filter": [*self._layout.always]}}
        with translating(self._url, self._index):
            for i in range(0, len(terms), _IDS):
                some = terms[i : i + _IDS]
                wanted = {"filters": {"filters": [self._layout.holding(term) for term in some]}}
                answer = self._session.search(size=0, query=always, aggregations={"found": wanted})
                found = answer["aggregations"]["found"]["buckets"]
                counts |= {term: int(bucket["doc_count"]) for term, bucket in zip(some, found, strict=True)}
        return counts

    def _check_field(self, field: str) -> None:
        if isinstance(self._layout, ExternalIndex):
            known = field == "id" or field in self._layout.fields
        else:
            named = {"terms": {"fields": [field, field.partition(".")[0]]}}
            known = is_known(field, ()) or self._session.count(named, terminate_after=1) > 0
        if not known:
            raise unknown_field(field, self._index, self.fields())

    def values(self, field: str, prefix: str, limit: int) -> list[str]:
        """Return at most `limit` distinct text values of a field with a prefix, case folded, sorted."""
        target, starts = self._layout.values(field)
        if not target:
            return []
        found: set[str] = set()
        for start in starts:
            terms = self._terms(target, limit, include=pattern(start, fold(prefix)))
            found |= {term.removeprefix(start) if start else fold(term) for term in terms}
        return sorted(value for value in found if value.startswith(fold(prefix)))[:limit]

    def fields(self) -> list[str]:
        """Return the sorted names of the documents' metadata fields; of objects, only the top level."""
        if isinstance(self._layout, ExternalIndex):
            return sorted(
                {field.partition(".")[0] for field in self._layout.fields}
                - {self._layout.title_field, self._layout.text_field}
            )
        return self._terms("fields", _MAX_FIELDS)

    def _terms(self, field: str, limit: int, **options: Any) -> list[str]:
        terms = {"field": field, "size": limit, "order": {"_key": "asc"}, **options}
        with translating(self._url, self._index):
            answer = self._session.search(size=0, aggregations={"found": {"terms": terms}})
        return [bucket["key"] for bucket in answer["aggregations"]["found"]["buckets"]]

    def damage(self) -> list[str]:
        """Return no damage, because the server checks its files itself."""
        return []

    def counts(self) -> Counts:
        """Count documents and passages."""
        with translating(self._url, self._index):
            if self._config:
                return Counts(self._session.count({"term": {"part": 0}}), self._session.count({"match_all": {}}))
            texts = self._session.count({"bool": {"filter": [*self._layout.always]}})
            return Counts(texts, texts)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _summed(doc_id: str, entries: list[list[Any]]) -> Stored:
    _, numbers, sizes, hashes = zip(*entries, strict=True)
    passages = max(numbers) + 1
    whole = {passages, len(entries)} == set(sizes) and len(set(hashes)) == 1
    return Stored(doc_id, hashes[0] if whole else "", passages)
