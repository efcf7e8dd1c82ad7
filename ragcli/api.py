"""The Python interface: an index as an object, and `ask` for one question.

Models and the index stay open; each call sees what other processes have written. An Index may be used by several
threads.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ragcli import settings
from ragcli.answer import pipeline
from ragcli.answer.answerer import AskOptions, Emit
from ragcli.answer.chat import Conversation, Turn
from ragcli.answer.schema import Answer, Length, Style
from ragcli.callbacks import Callbacks, ignore
from ragcli.contents import Entry, Selected, Status, delete_documents, list_documents, read_document, read_status
from ragcli.decoder.sampling import Sampling
from ragcli.documents import Document, Reject
from ragcli.errors import RagcliError
from ragcli.filters import Filter, parse_filter
from ragcli.generate import Options, open_model
from ragcli.indexing import AUTO_ENCODER, IndexOptions, Summary, index_files
from ragcli.search import Mode, Ranking, Searcher
from ragcli.store import LOCAL, Access, Hit, IndexLocation, Store, open_store
from ragcli.warm import keep_models, opened_index

__all__ = ["Answer", "Conversation", "Document", "Entry", "Hit", "Index", "RagcliError", "Status", "Summary", "ask"]

_MAX_NEW_TOKENS = 100


class Index:
    """An index by its name. Every method raises RagcliError, with a hint, for errors that a user can act on."""

    def __init__(
        self,
        name: str = "knowledge_base",
        *,
        store: str = LOCAL,
        home: str | Path | None = None,
        ca_certs: Path | None = None,
        mode: Mode | None = None,
        model: str | None = None,
        note: Callable[[str], None] = ignore,
    ) -> None:
        """Name an index of the embedded engine (under `home`) or of an Elasticsearch URL (`store`).

        `mode` is the mode of searches, `model` the language model for the style "free"; `note` receives notes for the
        user. Nothing is opened yet.
        """
        keep_models()
        access = Access(settings.api_key(), ca_certs)
        self.location = IndexLocation(store, name, Path(home) if home else settings.data_home(), access)
        self.ranking = Ranking(mode=mode, lenient=True)
        self.model = model
        self._note = note

    def add(
        self,
        *paths: str | Path,
        language: str | None = None,
        prune: bool = False,
        reject: Callable[[Reject], None] = ignore,
    ) -> Summary:
        """Index files and folders; unchanged documents are not written again. `reject` receives what is no document."""
        options = IndexOptions(language=language, encoder=AUTO_ENCODER, prune=prune)
        return index_files(map(Path, paths), self.location, options, Callbacks(note=self._note, reject=reject))

    def search(self, query: str, k: int = 10, where: Iterable[str] = (), ranking: Ranking | None = None) -> list[Hit]:
        """Return the k passages that match a query best; `where` are filters such as "year>=1990"."""
        with self.searcher(ranking) as searcher:
            return searcher.search(query, k, _filters(where))

    def like(self, doc_id: str, k: int = 10, where: Iterable[str] = ()) -> list[Hit]:
        """Return passages of the k documents most similar to this one."""
        with self.searcher() as searcher:
            return searcher.like(doc_id, k, _filters(where))

    def ask(
        self,
        question: str,
        k: int = 5,
        where: Iterable[str] = (),
        *,
        style: Style = "grounded",
        length: Length = "normal",
        min_confidence: float | None = None,
        ranking: Ranking | None = None,
        emit: Emit | None = None,
    ) -> Answer:
        """Answer a question with text of the sources, or in the words of the model (style "free").

        The answer is `abstained` if the texts do not answer. `emit` receives what a model writes as it is written.
        """
        options = _options(k, where, style, length, min_confidence)
        with self.searcher(ranking) as searcher:
            return pipeline.ask(searcher, partial(open_model, self.model, note=self._note), question, options, emit)

    def review(
        self,
        title: str,
        k: int = 50,
        where: Iterable[str] = (),
        *,
        style: Style = "grounded",
        emit: Emit | None = None,
    ) -> Answer:
        """Compose a review of a film from its reviews in the index."""
        options = _options(k, where, style)
        with self.searcher() as searcher:
            return pipeline.review(searcher, partial(open_model, self.model, note=self._note), title, options, emit)

    @contextmanager
    def conversation(
        self, k: int = 5, where: Iterable[str] = (), style: Style = "grounded", before: str = ""
    ) -> Iterator[Conversation]:
        """Begin a conversation, in which a question may depend on those before, the first one on `before`."""
        with self.searcher() as searcher:
            opened = partial(open_model, self.model, note=self._note)
            conversation = Conversation(searcher, opened, _options(k, where, style))
            if before:
                conversation.turns.append(Turn(before, before, Answer(before)))
            yield conversation

    def documents(self, where: Iterable[str] = (), limit: int | None = None) -> list[Entry]:
        """List the documents of the index, sorted by id."""
        with self._opened() as store:
            return list(list_documents(store, Selected(filters=_filters(where)), limit))

    def document(self, doc_id: str) -> tuple[Document, list[Hit]]:
        """Return a document and its passages."""
        with self._opened() as store:
            return read_document(store, doc_id)

    def delete(self, *doc_ids: str) -> list[str]:
        """Delete documents; return the ids of those that existed."""
        with open_store(self.location) as store:
            return delete_documents(store, Selected(doc_ids)) if doc_ids else []

    def status(self) -> Status:
        """Return the status of the index."""
        with self._opened() as store:
            return read_status(store)

    @contextmanager
    def searcher(self, ranking: Ranking | None = None) -> Iterator[Searcher]:
        """Open the index once for several searches."""
        with self._opened() as store:
            yield Searcher(store, ranking or self.ranking, self._note)

    def _opened(self) -> Store:
        return opened_index(self.location)


def ask(question: str, *paths: str | Path, index: str = "knowledge_base") -> Answer:
    """Answer a question from an index, after indexing files and folders."""
    asked = Index(index)
    if paths:
        asked.add(*paths)
    return asked.ask(question)


def _options(
    k: int, where: Iterable[str], style: Style, length: Length = "normal", min_confidence: float | None = None
) -> AskOptions:
    sampling = Sampling(temperature=0.0)
    writing = Options(_MAX_NEW_TOKENS, sampling, seed=0)
    return AskOptions(writing, k, _filters(where), style=style, min_confidence=min_confidence, length=length)


def _filters(where: Iterable[str]) -> list[Filter]:
    return [parse_filter(expression) for expression in where]
