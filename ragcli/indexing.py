"""Bring an index up to date with its input files: add new documents, update changed ones, delete removed ones.

A new index is filled in one pass; ids that turn out to occur twice are corrected afterwards. For an index that contains
documents, the input is surveyed first, because the last line of an id decides whether the document changed. Both need
8 bytes of memory a document.
"""

import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from ragcli.analysis.languages import detect_language
from ragcli.callbacks import Callbacks
from ragcli.chunking import split_passages
from ragcli.counts import counted
from ragcli.documents import Document, Reject, Skipped, Unread, content_hash
from ragcli.encoding import DEFAULT_ENCODERS, matching_encoder, open_encoder, same_encoder, with_vectors
from ragcli.errors import IndexMismatchError, MissingIndexError, RagcliError
from ragcli.filters import NO_ALIASES
from ragcli.readers import FieldNames, Input, Selection, find_files, read_documents
from ragcli.readers.inputs import printable_name
from ragcli.readers.spool import rereadable
from ragcli.readers.walk import FoundFiles
from ragcli.sources import Sources
from ragcli.store import LOCAL, DocumentUpdate, IndexConfig, IndexLocation, Store, Stored, drop_index, open_store
from ragcli.survey import Survey, is_last, repeated_keys, survey_inputs

if TYPE_CHECKING:
    from ragcli.encoder import Encoder

PASSAGE_SIZE = 1_200
AUTO_ENCODER = "auto"
_BATCH = 500  # documents: for a lookup in the store, and between two reports of progress
_LANGUAGE_SAMPLE = 100
_ENCODED_BY_DEFAULT = 2 * 2**20  # bytes of input: half a minute on two cores
_ENCODED_A_MINUTE = 4 * 2**20  # bytes, roughly


class IndexOptions(NamedTuple):
    """Hold the options of an index run. None means: as the index was built, or detected for a new one.

    `encoder` may be AUTO_ENCODER: a new index of few texts gets its language's default encoder, if there is one.
    """

    fields: FieldNames = FieldNames()
    language: str | None = None
    passage_size: int | None = None
    encoder: str | None = None
    prune: bool = False
    dry_run: bool = False
    rebuild: bool = False
    written: tuple[Path, ...] = ()  # files that the run itself writes, which are not input
    selection: Selection = Selection()  # of the files in folders


@dataclass
class Summary:
    """Count the changes of an index run; read = added + updated + unchanged + rejected."""

    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    rejected: int = 0
    documents: int = 0
    passages: int = 0
    seconds: float = 0.0


def index_files(
    paths: Iterable[Path | str],
    location: IndexLocation,
    options: IndexOptions,
    callbacks: Callbacks[int] = Callbacks(),
) -> Summary:
    """Bring an index up to date with files, folders and URLs; `-` is standard input.

    Raises RagcliError for files that cannot be read, IndexMismatchError for an index built with other settings.
    """
    started = time.perf_counter()
    found = _found(paths, location, options, callbacks)
    with rereadable(found.inputs) as inputs:
        sample = [item.text for item in islice(_documents(inputs, options.fields), _LANGUAGE_SAMPLE)]
        if options.prune and not sample:
            raise RagcliError("the input contains no document, and --prune would empty the index", "Check the input.")
        if options.rebuild and not sample:
            callbacks.note("the input contains no document; an index that exists is kept as it is")
        language = options.language or detect_language(sample)
        automatic = options.encoder == AUTO_ENCODER
        encoder = open_encoder(options.encoder, callbacks.note) if options.encoder and not automatic else None

        def wanted() -> IndexConfig:
            """Return the configuration of a new index, and choose its encoder."""
            nonlocal encoder
            if automatic and sample and not options.dry_run:
                name = _default_encoder(language, inputs, callbacks.note)
                encoder = open_encoder(name, callbacks.note) if name else None
            return IndexConfig(language, options.passage_size or PASSAGE_SIZE, encoder.config if encoder else None)

        sources = Sources(location, options.fields)
        with _opened(location, wanted, options, making=bool(sample)) as store:
            config = _checked_config(store, options, encoder)
            run = _Run(
                store,
                config,
                sources.changed(inputs, store),
                [one for one in found.skipped if isinstance(one, Unread)],
                options=options,
                callbacks=callbacks,
                encoder=encoder,
                sources=sources,
            )
            run.update() if store.counts().passages else run.fill()
            run.summary.documents, run.summary.passages = store.counts()
            if not options.dry_run and sample:
                sources.save(inputs, store, pruned=options.prune or options.rebuild)
    run.summary.seconds = round(time.perf_counter() - started, 3)
    return run.summary


def _found(
    paths: Iterable[Path | str], location: IndexLocation, options: IndexOptions, callbacks: Callbacks[int]
) -> FoundFiles:
    paths = list(paths)
    found = find_files(paths, options.selection, (*options.written, location.home))
    for one in found.skipped:
        callbacks.skip(one)
    if not found.inputs:
        hint = "Name the files themselves, or other patterns, such as --include '*.txt'."
        raise RagcliError(
            f"there is nothing to read in {', '.join(printable_name(Path(path)) for path in paths)}", hint
        )
    return found


def _default_encoder(language: str, inputs: Sequence[Input], note: Callable[[str], None]) -> str | None:
    """Return the default encoder of a new index, if its language has one and the texts are few."""
    encoder = DEFAULT_ENCODERS.get(language)
    if not encoder:
        return None
    size = sum(source.path.stat().st_size for source in inputs)
    if size <= _ENCODED_BY_DEFAULT:
        return encoder
    minutes = max(1, round(size / _ENCODED_A_MINUTE))
    hint = f"to search by meaning too, add --encoder {encoder} --rebuild (about {minutes} min)"
    note(f"the input is large and was indexed by words only; {hint}")
    return None


def _documents(inputs: list[Input], fields: FieldNames) -> Iterator[Document]:
    return (item for item in read_documents(inputs, fields) if isinstance(item, Document))


@contextmanager
def _opened(
    location: IndexLocation, wanted: Callable[[], IndexConfig], options: IndexOptions, making: bool
) -> Iterator[Store]:
    """Open the index, created if needed; a dry run or an input without documents uses a temporary one instead."""
    if making and not options.dry_run:
        config = wanted() if options.rebuild else wanted  # before the old index is dropped
        if options.rebuild:
            drop_index(location)
        with open_store(location, config) as store:
            yield store
        return
    with tempfile.TemporaryDirectory(prefix="ragcli-", ignore_cleanup_errors=True) as folder:
        old = None if making and options.rebuild else _existing(location)
        with old or open_store(IndexLocation(LOCAL, location.name, Path(folder)), wanted) as store:
            yield store


def _existing(location: IndexLocation) -> Store | None:
    try:
        return open_store(location)
    except MissingIndexError:
        return None


def _checked_config(store: Store, options: IndexOptions, encoder: "Encoder | None") -> IndexConfig:
    config = store.config
    if config is None:
        raise IndexMismatchError(
            "this index was not made by ragcli, which only reads it", "Choose another name: --index NAME"
        )
    asked = (options.language or config.language, options.passage_size or config.passage_size)
    if asked != (config.language, config.passage_size) or (
        encoder and not same_encoder(encoder.config, config.encoder)
    ):
        by = f" --encoder {config.encoder.name}" if config.encoder else ", without --encoder"
        raise IndexMismatchError(
            f"the index was built with --language {config.language} --passage-size {config.passage_size}{by}",
            "Leave these options out, or add --rebuild to build it again.",
        )
    return config


class _Run:
    """Turn the documents of one run into updates, and count them."""

    def __init__(
        self,
        store: Store,
        config: IndexConfig,
        inputs: list[Input],
        unread: list[Unread],
        *,
        options: IndexOptions,
        callbacks: Callbacks[int],
        encoder: "Encoder | None",
        sources: Sources,
    ) -> None:
        kept = sum(len(source.ids) for source in sources.kept.values())
        self.summary = Summary(read=kept, unchanged=kept)
        self._sources = sources
        self._store = store
        self._config = config
        self._given = encoder
        self._inputs = inputs
        self._unread = unread
        self._options = options
        self._callbacks = callbacks

    def fill(self) -> None:
        """Fill an empty index in one pass, then correct the documents whose id occurred more than once."""
        keys = array("q")
        self._write(self._all(keys))
        if repeated := repeated_keys(keys):
            again = repeated.total() - len(repeated)
            self.summary.added -= again
            self.summary.unchanged += again
            self._warn(repeated)
            self._write(self._last_versions(repeated))

    def update(self) -> None:
        """Write changed documents; delete those gone from changed files, with --prune all that are not in the input."""
        survey = survey_inputs(self._inputs, self._options.fields, self._unread)
        self._warn(survey.repeated)
        self._write(chain(self._differing(survey), self._gone(survey) if self._options.prune else self._vanished()))

    def _write(self, updates: Iterator[DocumentUpdate]) -> None:
        if self._options.dry_run:
            for _ in updates:
                pass
        elif self._config.encoder:
            self._store.write(with_vectors(updates, self._store, lambda: self._encoder), self._refuse)
        else:
            self._store.write(updates, self._refuse)

    def _refuse(self, update: DocumentUpdate, reason: str) -> None:
        """Count a document that the store refused as a reject."""
        if update.old and self.summary.updated:
            self.summary.updated -= 1
        else:
            self.summary.added -= 1
        self.summary.rejected += 1
        self._callbacks.reject(Reject("store", 0, update.doc_id, reason, self._line(update)))

    def _line(self, update: DocumentUpdate) -> str:
        """Return a document as the JSON line that it may have been read from."""
        if not update.document:
            return ""
        doc_id, title, text, metadata = update.document[:4]
        fields = self._options.fields
        return orjson.dumps({fields.id: doc_id, fields.title: title, fields.text: text, **metadata}).decode()

    @cached_property
    def _encoder(self) -> "Encoder":
        """The named encoder, else the index's own, opened only when something has to be encoded."""
        assert self._config.encoder  # noqa: S101 (nothing is encoded without)
        return self._given or matching_encoder(self._config.encoder, self._callbacks.note)

    def _warn(self, repeated: Counter[int]) -> None:
        if len(repeated) == 1:
            self._callbacks.note("1 id occurs more than once; its last document counts")
        elif repeated:
            self._callbacks.note(
                f"{counted(len(repeated), 'id occurs', 'ids occur')} more than once; the last document of each counts"
            )

    def _read(self) -> Iterator[Document]:
        """Yield the documents; count lines, and report rejects and progress."""
        summary = self.summary
        for source in self._inputs:
            self._sources.begin(source)
            for item in read_documents([source], self._options.fields):
                if isinstance(item, Skipped):
                    self._callbacks.skip(item)
                    continue
                summary.read += 1
                if summary.read % _BATCH == 0:
                    self._callbacks.progress(summary.read)
                if isinstance(item, Document):
                    self._sources.add(source, item.id)
                    yield item
                else:
                    summary.rejected += 1
                    self._sources.spoil(source)
                    self._callbacks.reject(item)

    def _all(self, keys: "array[int]") -> Iterator[DocumentUpdate]:
        for document in self._read():
            keys.append(hash(document.id))
            self.summary.added += 1
            yield self._change(document, None)

    def _last_versions(self, repeated: Counter[int]) -> Iterator[DocumentUpdate]:
        waiting = repeated.copy()
        for document in _documents(self._inputs, self._options.fields):
            if hash(document.id) in repeated and is_last(document, waiting):
                for old in self._known([document]).values():
                    yield self._change(document, old)

    def _differing(self, survey: Survey) -> Iterator[DocumentUpdate]:
        waiting = survey.repeated.copy()
        documents = self._read()
        while batch := list(islice(documents, _BATCH)):
            last = [document for document in batch if is_last(document, waiting)]
            self.summary.unchanged += len(batch) - len(last)
            known = self._known(last)
            for document in last:
                update = self._change(document, known.get(document.id))
                if update.old and update.old.hash == update.hash:
                    self.summary.unchanged += 1
                    continue
                if update.old:
                    self.summary.updated += 1
                else:
                    self.summary.added += 1
                yield update

    def _known(self, documents: Sequence[Document]) -> dict[str, Stored]:
        """Look up documents in the store; one that is there twice, after a killed run, counts as half written."""
        known: dict[str, Stored] = {}
        for old in self._store.stored([document.id for document in documents]):
            known[old.doc_id] = old._replace(hash="") if old.doc_id in known else old
        return known

    def _change(self, document: Document, old: Stored | None) -> DocumentUpdate:
        digest = content_hash(document.title, document.text, document.metadata)
        passages = split_passages(document.text, self._config.passage_size, document.whole)
        return DocumentUpdate(document.id, old, document, digest, passages, aliases=self._aliases(document))

    def _aliases(self, document: Document) -> Mapping[str, str]:
        """Return the title and the id under the names of their fields, where those are others."""
        fields = self._options.fields
        if fields.title == "title" and fields.id == "id":
            return NO_ALIASES
        names = ((fields.title, "title", document.title), (fields.id, "id", document.id))
        return {name: value for name, usual, value in names if name != usual and value}

    def _gone(self, survey: Survey) -> Iterator[DocumentUpdate]:
        """Yield the removal of documents that are not in the input; of none if parts of the input are unknown."""
        if survey.unknown:
            parts = counted(survey.unknown, "part", "parts")
            self._callbacks.note(
                f"--prune deleted nothing: {parts} of the input could not be read and may be any document; "
                "correct the input, then prune again"
            )
            return
        kept = {doc_id for source in self._sources.kept.values() for doc_id in source.ids}
        for old in self._store.stored():
            if not survey.holds(old.doc_id) and old.doc_id not in kept:
                self.summary.deleted += 1
                self._callbacks.deletion(old.doc_id)
                yield DocumentUpdate(old.doc_id, old)

    def _vanished(self) -> Iterator[DocumentUpdate]:
        """Yield the removal of sections that changed files no longer have."""
        gone = self._sources.vanished()
        for old in self._store.stored(gone) if gone else ():
            self.summary.deleted += 1
            self._callbacks.deletion(old.doc_id)
            yield DocumentUpdate(old.doc_id, old)
