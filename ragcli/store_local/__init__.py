"""The embedded store: a tantivy index in a folder, with the facts of its making beside it."""

import glob
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from itertools import chain
from pathlib import Path
from typing import Self

import orjson
import tantivy
from tantivy import Filter as TokenFilter
from tantivy import Occur, Query

from ragcli.documents import Document
from ragcli.errors import IndexMismatchError, MissingIndexError, RagcliError, first_line
from ragcli.filters import Filter, TermRange, field_prefix, fold, is_known, metadata_terms, ranges
from ragcli.store import FORMAT_VERSION, LIGHT, MAX_QUERY_WORDS, Change, Counts, Hit, IndexFacts, Stored, unknown_field
from ragcli.store_local.damage import check_sums, damaged, translated
from ragcli.text import cjk_bigrams

_HEAP_BYTES = 128_000_000
_LEAST_HEAP_BYTES = 15_000_000
_COMMIT_EVERY = 100_000  # documents: what a killed run may have to do again
_PAGE = 10_000
_MAX_TIES = 1_000


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("doc_id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("terms", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("content", tokenizer_name="ragcli", index_option="freq")
    builder.add_unsigned_field("later", indexed=True)  # of passages after a document's first
    builder.add_bytes_field("record", stored=True)
    return builder.build()


def _analyzer(language: str) -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(TokenFilter.lowercase())
    if language == "en":
        builder = builder.filter(TokenFilter.stopword("english")).filter(TokenFilter.stemmer("english"))
    return builder.build()


def _create(folder: Path, facts: IndexFacts) -> None:
    """Make an empty index under another name, then give it its own: it is there whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = _side_folder(folder)
    (work / "text").mkdir()
    tantivy.Index(_schema(), path=str(work / "text"))
    (work / "fields.json").write_bytes(b"[]")
    (work / "facts.json").write_bytes(orjson.dumps(facts._asdict()))
    try:
        work.rename(folder)
    except OSError:  # another process was first
        shutil.rmtree(work, ignore_errors=True)


def _side_folder(folder: Path) -> Path:
    """Make a folder beside an index for what is on its way in or out; no index name has a comma."""
    return Path(tempfile.mkdtemp(prefix=f".{folder.name},", dir=folder.parent))


def _sweep(folder: Path) -> None:
    """Remove what killed processes left beside an index. To be called by its only writer: no one else makes it now."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)},*"):
        shutil.rmtree(left, ignore_errors=True)


def _unwritable(folder: Path, error: Exception) -> RagcliError:
    return RagcliError(
        f"cannot write index {folder.name}: {first_line(error)}",
        f"Make room in {folder.parent}, then run this again: it goes on where it stopped.",
    )


def _give_up(writer: tantivy.IndexWriter) -> None:
    """Drop what is not committed, and the lock."""
    with suppress(ValueError, OSError):  # the failure that led here is told
        writer.rollback()
        writer.wait_merging_threads()


def _replace_file(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _add(writer: tantivy.IndexWriter, change: Change, document: Document) -> None:
    title, metadata = document.title, document.metadata
    terms = metadata_terms(title, metadata)
    heading = cjk_bigrams(title)
    for part, (start, passage) in enumerate(change.passages):
        entry = tantivy.Document()
        entry.add_text("doc_id", change.doc_id)
        if part:
            entry.add_unsigned("later", 1)
        for term in terms:
            entry.add_text("terms", term)
        entry.add_text("content", f"{heading}\n{cjk_bigrams(passage)}")
        record = [title, passage, start, len(change.passages), change.hash, metadata]
        entry.add_bytes("record", orjson.dumps(record))
        writer.add_document(entry)


def _names(content: bytes) -> set[str]:
    names = orjson.loads(content)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("fields.json is no list of names")
    return set(names)


class LocalStore:
    """Keep an index in a folder: `facts.json` and the tantivy index `text/`."""

    def __init__(self, folder: Path, facts: IndexFacts) -> None:
        self._folder = folder
        self._facts = facts
        self._analyzer = _analyzer(facts.language)
        with self._translated():
            self._saved_fields = (folder / "fields.json").read_bytes()
            self._fields = _names(self._saved_fields)
            self._index = tantivy.Index.open(str(folder / "text"))
            self._index.register_tokenizer("ragcli", self._analyzer)
            self._schema = self._index.schema
            self._searcher = self._index.searcher()
            self._later = Query.term_query(self._schema, "later", 1)

    @classmethod
    def open(cls, folder: Path, create: IndexFacts | None) -> Self:
        """Open the index in a folder, made first where `create` is given and there is none."""
        path = folder / "facts.json"
        if not folder.exists():
            if create is None:
                raise MissingIndexError(
                    f"no index named {folder.name}", f"Make it: ragcli index FILE --index {folder.name}"
                )
            _create(folder, create)
        try:
            facts = IndexFacts(**orjson.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as e:
            raise damaged(folder, e) from e
        if facts.version != FORMAT_VERSION:
            raise IndexMismatchError(
                f"index {folder.name} has format {facts.version}, this ragcli reads {FORMAT_VERSION}",
                f"Build it again: ragcli index FILE --index {folder.name} --rebuild",
            )
        return cls(folder, facts)

    @staticmethod
    def drop(folder: Path) -> None:
        """Remove the index in a folder, if there is one. Raises RagcliError while another process writes it."""
        if folder.exists():
            with suppress(IndexMismatchError), translated(folder):  # a damaged one is nobody's
                _lock = tantivy.Index.open(str(folder / "text")).writer(_LEAST_HEAP_BYTES, 1)
            # Renamed first: a process killed on the way leaves no half index under the name.
            gone = _side_folder(folder) / "gone"
            folder.rename(gone)
            shutil.rmtree(gone.parent)

    @property
    def facts(self) -> IndexFacts | None:
        """Say how the index was built."""
        return self._facts

    def stored(self, doc_ids: Sequence[str] | None = None) -> Iterator[Stored]:
        """Yield what the store holds of these documents, or of all."""
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
        document = self._searcher.doc(address)
        _, _, _, passages, digest, _ = orjson.loads(document["record"][0])
        return Stored(document["doc_id"][0], digest, passages)

    def write(self, changes: Iterable[Change]) -> None:
        """Apply the changes as they come, each document's whole or not at all; all are durable on return."""
        changes = iter(changes)
        if (first := next(changes, None)) is None:
            return
        with self._translated():
            writer = self._index.writer(_HEAP_BYTES)  # holds the lock, so that no file goes away now
            check_sums(self._folder / "text")
        _sweep(self._folder)
        try:
            with ExitStack() as undo:
                undo.callback(_give_up, writer)
                self._apply(writer, chain([first], changes))
                undo.pop_all()
                writer.wait_merging_threads()
        except (ValueError, OSError) as e:
            raise _unwritable(self._folder, e) from e
        with self._translated():
            self._index.reload()
            self._searcher = self._index.searcher()

    def _apply(self, writer: tantivy.IndexWriter, changes: Iterable[Change]) -> None:
        pending = 0
        for change in changes:
            if pending == _COMMIT_EVERY:
                self._commit(writer)
                pending = 0
            if change.old:
                writer.delete_documents_by_term("doc_id", change.doc_id)
            if change.document:
                _add(writer, change, change.document)
                self._fields.update(change.document.metadata)
            pending += 1
        self._commit(writer)

    def _commit(self, writer: tantivy.IndexWriter) -> None:
        # Names before documents: a run killed between the two leaves a name too many, never one too few.
        names = orjson.dumps(self.fields())
        if names != self._saved_fields:
            _replace_file(self._folder / "fields.json", names)
            self._saved_fields = names
        writer.commit()

    def search(self, query: str, k: int, filters: Sequence[Filter] = (), light: str = "") -> list[Hit]:
        """Return the k best passages, best first, ties by id and start; all that pass the filters if no query."""
        with self._translated():
            parts = [(Occur.Must, self._words(query) if query else Query.all_query())]
            if light:
                parts.append((Occur.Should, Query.boost_query(self._words(light), LIGHT)))
            parts += [self._condition(condition) for condition in filters]
            hits = self._best(Query.boolean_query(parts), k)
        hits.sort(key=lambda hit: (-hit.score, hit.id, hit.start))
        return [hit._replace(rank=rank) for rank, hit in enumerate(hits[:k], 1)]

    def _words(self, query: str) -> Query:
        words = Counter(self._analyzer.analyze(cjk_bigrams(query))[:MAX_QUERY_WORDS])
        terms = [Query.term_query(self._schema, "content", word, "freq") for word in words]
        weighted = [
            Query.boost_query(term, n) if n > 1 else term for term, n in zip(terms, words.values(), strict=True)
        ]
        return Query.boolean_query([(Occur.Should, term) for term in weighted])

    def _condition(self, condition: Filter) -> tuple[Occur, Query]:
        occur = Occur.MustNot if condition.operator == "!=" else Occur.Must
        if condition.field == "id" and condition.operator in ("=", "!="):
            query = Query.term_query(self._schema, "doc_id", condition.value)
            return occur, Query.const_score_query(query, 0.0)
        if not is_known(condition.field, self._fields):
            raise unknown_field(condition.field, self._folder.name, self.fields())
        terms = [term for wanted in ranges(condition) for term in self._terms_in(wanted)]
        return occur, Query.const_score_query(Query.term_set_query(self._schema, "terms", terms), 0.0)

    def _best(self, query: Query, k: int) -> list[Hit]:
        limit = k
        while True:  # as far as the last score goes on, so that ties are cut by id
            found = self._searcher.search(query, limit + 1, count=False).hits
            if len(found) <= limit or found[k - 1][0] > found[-1][0] or limit > k + _MAX_TIES:
                return [self._hit(score, address) for score, address in found]
            limit *= 2

    def _hit(self, score: float, address: tantivy.DocAddress) -> Hit:
        document = self._searcher.doc(address)
        title, text, start, _, _, metadata = orjson.loads(document["record"][0])
        return Hit(0, document["doc_id"][0], title, text, score, start, start + len(text), metadata)

    def values(self, field: str, prefix: str, limit: int) -> list[str]:
        """List at most `limit` distinct text values of a field that begin with the prefix, case folded, sorted."""
        start = field_prefix(field)
        with self._translated():
            found = self._searcher.terms_with_prefix("terms", start + fold(prefix), Query.all_query())
        return sorted(term.removeprefix(start) for term, documents in found if documents)[:limit]

    def fields(self) -> list[str]:
        """List the names of the metadata fields that documents have had, sorted; of objects the outermost only."""
        return sorted(self._fields)

    def _terms_in(self, wanted: TermRange) -> list[str]:
        if wanted.low == wanted.high:
            return [wanted.low]
        found = self._searcher.terms_with_prefix("terms", wanted.prefix)
        return [term for term, _ in found if wanted.holds(term)]

    def counts(self) -> Counts:
        """Count documents and passages."""
        with self._translated():
            later = self._searcher.search(self._later, 1).count  # type: ignore[attr-defined]
            return Counts(self._searcher.num_docs - later, self._searcher.num_docs)

    def close(self) -> None:
        """Let go of nothing: tantivy closes its files with the object."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _translated(self) -> AbstractContextManager[None]:
        return translated(self._folder)
