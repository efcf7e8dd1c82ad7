"""The one border to both stores: what they hold, what they answer, and how to open one."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from ragcli.documents import Document, Passage
from ragcli.errors import IndexMismatchError, RagcliError, UsageError
from ragcli.filters import Filter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

FORMAT_VERSION = 2
LOCAL = "local"
MAX_QUERY_WORDS = 1_000


class EncoderConfig(NamedTuple):
    """Say what made the vectors of an index: which model, which weights, and how a text becomes a vector."""

    name: str
    revision: str  # a hash of the weights and of what else decides about the vectors
    dimension: int
    pooling: str
    query_prefix: str = ""
    passage_prefix: str = ""


class IndexConfig(NamedTuple):
    """Say how an index was built. It travels with the index and is checked when documents are added."""

    language: str
    passage_size: int
    encoder: EncoderConfig | None = None  # None: no vectors
    version: int = FORMAT_VERSION

    def as_json(self) -> dict[str, Any]:
        """Return what from_json reads."""
        config = self._asdict()
        return config | {"encoder": self.encoder._asdict()} if self.encoder else config

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> Self:
        """Read the configuration of an index. Raises TypeError for anything else."""
        if not isinstance(config, Mapping):
            raise TypeError("the configuration of an index is not an object")
        encoder = config.get("encoder")
        return cls(**{**config, "encoder": EncoderConfig(**encoder) if encoder else None})


class QueryClause(NamedTuple):
    """Hold plain text, never a query language, by whose words passages are ranked.

    A passage matches by the words of one that is `required`; those of the others only add to its score.
    """

    text: str
    weight: float = 1.0
    required: bool = True


class Part(NamedTuple):
    """Hold the rank and score of a hit in one ranked list, None if it is not there, and what that adds to its score."""

    rank: int | None
    score: float | None
    contribution: float

    def as_json(self) -> dict[str, float | None]:
        """Return the part as `search --explain` writes it."""
        return {"rank": self.rank, "score": self.score, "share": self.contribution}


class Hit(NamedTuple):
    """Hold a passage that matches a query; start and end are character offsets in its document's text."""

    rank: int
    id: str
    title: str
    text: str
    score: float
    start: int
    end: int
    metadata: dict[str, Any]
    parts: Mapping[str, Part] = MappingProxyType({})  # by the list's name, where several made the order
    copies: int = 1  # how many documents have this passage

    def as_json(self, explain: bool = False) -> dict[str, Any]:
        """Return the hit as `search --format json` writes it; with `explain` also the parts of its score."""
        fields = {name: value for name, value in self._asdict().items() if name not in ("parts", "copies")}
        parts = {"parts": {name: part.as_json() for name, part in self.parts.items()}} if explain else {}
        return fields | ({"copies": self.copies} if self.copies > 1 else {}) | parts


def ranked(hits: Iterable[Hit]) -> list[Hit]:
    """Order hits by score, ties by id and start, and number them."""
    in_order = sorted(hits, key=lambda hit: (-hit.score, hit.id, hit.start))
    return [hit._replace(rank=rank) for rank, hit in enumerate(in_order, 1)]


class Stored(NamedTuple):
    """Say what a store holds of a document. The hash is empty where a killed run left it half written."""

    doc_id: str
    hash: str
    passages: int


class DocumentUpdate(NamedTuple):
    """Replace what a store holds of a document (`old`) by a new version, or by nothing.

    `aliases` are the title and the id under the names that their fields have in the input, for filters.
    Where the index has an encoder, `vectors` (passages, dimension) holds a vector of length 1 for each passage.
    """

    doc_id: str
    old: Stored | None
    document: Document | None = None
    hash: str = ""
    passages: Sequence[Passage] = ()
    vectors: "Vector | None" = None
    aliases: Mapping[str, str] = MappingProxyType({})


def vector_key(title: str, text: str) -> int:
    """Return the 64-bit number by which a store knows the vector of a passage: a hash of what was encoded."""
    return int.from_bytes(hashlib.blake2b(f"{title}\n{text}".encode(), digest_size=8).digest(), "big")


def check_vectors(vectors: "Vector | None", shape: tuple[int, ...], whose: str) -> "Vector":
    """Return the vectors, or one alone. Raises IndexMismatchError for none or another shape, RagcliError for bad ones.

    Bad are those with NaN or infinity in them, or of a length that is not 1.
    """
    if vectors is None or vectors.shape != shape:
        found = "none" if vectors is None else " × ".join(map(str, vectors.shape))
        wanted = " × ".join(map(str, shape))
        raise IndexMismatchError(
            f"{whose}: the index wants vectors of {wanted}, not {found}",
            "Use the encoder that the index was made with, or build it again with --rebuild.",
        )
    squares = (vectors * vectors).sum(axis=-1)
    if not (abs(squares - 1) < 1e-2).all():  # as no comparison with NaN is true
        raise RagcliError(f"{whose}: a vector holds NaN, or is not of length 1", "Is the encoder whole? Try another.")
    return vectors


Refused = Callable[[DocumentUpdate, str], None]


def ignore_refusal(update: DocumentUpdate, reason: str) -> None:
    """Do nothing about a document that the engine did not take."""


class TextFields(NamedTuple):
    """Name the fields that hold text and title in an index that others made; None for `text` and `title`.

    An index of ragcli's own knows its fields, so that these names, which may come from the settings, say nothing there.
    """

    text: str | None = None
    title: str | None = None


class Counts(NamedTuple):
    """Count the documents and passages of an index."""

    documents: int
    passages: int


class Store(Protocol):
    """Keep passages with their documents' metadata; rank them by BM25 over title and text as one field, or by vectors.

    Every method raises UnreachableError where the engine does not answer, IndexMismatchError where the index is
    damaged.
    """

    @property
    def config(self) -> IndexConfig | None:
        """Say how the index was built; None for an index that ragcli did not build."""

    def stored(self, doc_ids: Sequence[str] | None = None) -> Iterator[Stored]:
        """Yield what the store holds of these documents, or of all."""

    def write(self, updates: Iterable[DocumentUpdate], refused: Refused = ignore_refusal) -> None:
        """Apply the changes as they come. All are durable and can be searched on return.

        A document that the engine does not take is told to `refused`, with the reason; the others are written.

        Of changes to one document the last need not win: each document comes once in a call. A process killed on the
        way leaves a searchable index, in which each document is old, new, or marked by
        stored() as half written; the next run with the same input completes it.
        """

    def search(self, words: Sequence[QueryClause], k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
        """Return the k best passages, best first, ties by id and start; all that pass the filters if no words.

        Raises RagcliError for a field that no document has.
        """

    def nearest(
        self, vector: "Vector", k: int, filters: Sequence[Filter] = (), candidates: int | None = None
    ) -> list[Hit]:
        """Return the k passages nearest to a vector (dimension,) of length 1, best first, ties by id and start.

        The score is the cosine. `candidates` is how many an approximate search looks at; an exact one ignores it.
        Raises IndexMismatchError for an index without vectors or with vectors of another length, RagcliError for a
        field that no document has.
        """

    def vectors(self, keys: Sequence[int]) -> "dict[int, Vector]":
        """Return those vectors that the store knows, by vector_key; also those of a run that was killed."""

    def sample(self, n: int) -> "Vector":
        """Return vectors (up to n, dimension) of passages from all over the index, always the same ones."""

    def passages(self, doc_id: str) -> list[Hit]:
        """Return a document's passages in their order, with score 0; none for an unknown document."""

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return in how many passages each word occurs; of what the analyzer makes several words of, the rarest."""

    def near_words(self, words: Sequence[str]) -> list[list[str]]:
        """Return for each word, which no passage has, those (stems) that passages have and that are spelled nearly so.

        By analysis.spelling.nearest_words; none for what the analyzer leaves out or makes several words of.
        """

    def values(self, field: str, prefix: str, limit: int) -> list[str]:
        """List at most `limit` distinct text values of a field that begin with the prefix, case folded, sorted."""

    def fields(self) -> list[str]:
        """List the names of the metadata fields that documents have, sorted; of objects the outermost only."""

    def damage(self) -> list[str]:
        """Say what is damaged, a line each, after a look at all files."""

    def counts(self) -> Counts:
        """Count documents and passages."""

    def close(self) -> None:
        """Let go of files and connections."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def no_vectors(index: str) -> RagcliError:
    """Make the error for a question that only an index with vectors can answer."""
    return IndexMismatchError(
        f"index {index} has no vectors",
        "Build it again: ragcli index FILE --encoder MODEL --rebuild, or search by words.",
    )


def unknown_field(field: str, index: str, known: Sequence[str]) -> RagcliError:
    """Make the error for a filter on a field that no document of the index has."""
    return RagcliError(
        f"no document of index {index} has a field {field!r}", f"Its fields: {', '.join(known) or 'none'}."
    )


class Access(NamedTuple):
    """Hold what Elasticsearch may ask for: an API key, a CA certificate file."""

    api_key: str | None = None
    ca_certs: Path | None = None

    def __repr__(self) -> str:
        return f"Access(ca_certs={self.ca_certs})"  # and no secret


def _check_names(location: "IndexLocation") -> None:
    """Raise UsageError for a name that is neither an index's nor, on a server, several or a pattern of them."""
    if location.url == LOCAL:
        return check_index_name(location.name)
    for name in location.name.split(","):
        check_index_name(name.replace("*", "") or "all")
    return None


def check_index_name(name: str) -> None:
    """Raise UsageError for an index name that one of the stores could not take (Elasticsearch's rules)."""
    forbidden = set('\\/*?"<>| ,#:') & set(name)
    if (
        not name
        or forbidden
        or name[0] in "-_+."
        or name != name.lower()
        or not name.isprintable()
        or len(name.encode()) > 200
    ):
        raise UsageError(
            f"not an index name: {name!r}", "Use small letters, digits, `-` and `_`, beginning with a letter."
        )


class IndexLocation(NamedTuple):
    """Say where an index is: `local` (kept under `home`) or an Elasticsearch URL, the index's name, how to get in."""

    url: str
    name: str
    home: Path
    access: Access = Access()
    fields: TextFields = TextFields()

    def __repr__(self) -> str:
        return f"IndexLocation({self.url.rpartition('@')[2]}, {self.name})"  # and no secret


def open_store(location: IndexLocation, create: IndexConfig | None = None) -> Store:
    """Open an index; with `create`, a missing one is made with this configuration.

    Raises IndexMismatchError for an index that does not exist or cannot be read, UnreachableError, UsageError.
    """
    check_index_name(location.name) if create else _check_names(location)
    if location.url == LOCAL:
        from ragcli.store_local import LocalStore

        return LocalStore.open(_folder(location), create)
    from ragcli.store_elastic import ElasticStore

    return ElasticStore.open(_server(location), location.name, location.access, create, location.fields)


def drop_index(location: IndexLocation) -> None:
    """Remove an index, if it exists. Raises IndexMismatchError for one that ragcli did not make."""
    check_index_name(location.name)
    if location.url == LOCAL:
        from ragcli.store_local import LocalStore

        return LocalStore.drop(_folder(location))
    from ragcli.store_elastic import ElasticStore

    return ElasticStore.drop(_server(location), location.name, location.access)


def _folder(location: IndexLocation) -> Path:
    return location.home / "indexes" / location.name


def _server(location: IndexLocation) -> str:
    if not location.url.startswith(("http://", "https://")):
        shown = location.url.rpartition("@")[2]  # a mistyped URL may hold a password
        raise UsageError(
            f"not a store: {shown!r}", f"Use `{LOCAL}` or an Elasticsearch URL, such as http://localhost:9200."
        )
    return location.url
