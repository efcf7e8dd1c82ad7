"""The interface of both stores, and the factory that opens them."""

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

FORMAT_VERSION = 3
LOCAL = "local"
MAX_QUERY_WORDS = 1_000


class EncoderConfig(NamedTuple):
    """Identify the encoder of an index: its model and weights, and how a text becomes a vector."""

    name: str
    revision: str  # a hash of the weights and of everything else that affects the vectors
    dimension: int
    pooling: str
    query_prefix: str = ""
    passage_prefix: str = ""


class IndexConfig(NamedTuple):
    """Hold how an index was built. It is saved with the index and checked when documents are added."""

    language: str
    passage_size: int
    encoder: EncoderConfig | None = None  # None: no vectors
    version: int = FORMAT_VERSION

    def as_json(self) -> dict[str, Any]:
        """Return the fields that from_json reads."""
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
    """Hold plain text (not a query language) by whose words passages are ranked.

    A passage must match a word of a `required` clause; the words of the others only add to its score.
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
    parts: Mapping[str, Part] = MappingProxyType({})  # by the name of the list, if several were combined
    copies: int = 1  # how many documents have this passage

    def as_json(self, explain: bool = False) -> dict[str, Any]:
        """Return the hit as `search --format json` writes it; with `explain` also the parts of its score."""
        fields = {name: value for name, value in self._asdict().items() if name not in ("parts", "copies")}
        parts = {"parts": {name: part.as_json() for name, part in self.parts.items()}} if explain else {}
        return fields | ({"copies": self.copies} if self.copies > 1 else {}) | parts


def ranked(hits: Iterable[Hit]) -> list[Hit]:
    """Order hits by score, ties by id and start, and number them."""
    in_order = sorted(hits, key=lambda hit: (-hit.score, hit.id, hit.start))
    return [Hit(rank, *hit[1:]) for rank, hit in enumerate(in_order, 1)]


class Stored(NamedTuple):
    """Describe a stored document. The hash is empty if a killed run left it half written."""

    doc_id: str
    hash: str
    passages: int


class DocumentUpdate(NamedTuple):
    """Replace a stored document (`old`) by a new version, or remove it.

    `aliases` are the title and the id under the names of their fields in the input, for filters. If the index has an
    encoder, `vectors` (passages, dimension) holds a vector of length 1 for each passage.
    """

    doc_id: str
    old: Stored | None
    document: Document | None = None
    hash: str = ""
    passages: Sequence[Passage] = ()
    vectors: "Vector | None" = None
    aliases: Mapping[str, str] = MappingProxyType({})


def vector_key(title: str, text: str) -> int:
    """Return the 64-bit key of a passage's vector: a hash of the encoded text."""
    return int.from_bytes(hashlib.blake2b(f"{title}\n{text}".encode(), digest_size=8).digest(), "big")


def check_vectors(vectors: "Vector | None", shape: tuple[int, ...], whose: str) -> "Vector":
    """Return vectors after checking them.

    Raises IndexMismatchError if they are missing or have another shape, RagcliError for vectors with NaN or infinity,
    or of another length than 1.
    """
    if vectors is None or vectors.shape != shape:
        found = "none" if vectors is None else " × ".join(map(str, vectors.shape))
        wanted = " × ".join(map(str, shape))
        raise IndexMismatchError(
            f"{whose}: the index needs vectors of shape {wanted}, not {found}",
            "Use the encoder that the index was made with, or build it again with --rebuild.",
        )
    squares = (vectors * vectors).sum(axis=-1)
    if not (abs(squares - 1) < 1e-2).all():  # written so that NaN fails too
        raise RagcliError(
            f"{whose}: a vector contains NaN or does not have length 1", "The encoder may be damaged; try another."
        )
    return vectors


Refused = Callable[[DocumentUpdate, str], None]


def ignore_refusal(update: DocumentUpdate, reason: str) -> None:
    """Ignore a document that the engine refused."""


class TextFields(NamedTuple):
    """Name the fields with text and title in an index that ragcli did not make; None for `text` and `title`.

    They are ignored for an index that ragcli made, because the names may come from the settings.
    """

    text: str | None = None
    title: str | None = None


class Counts(NamedTuple):
    """Count the documents and passages of an index."""

    documents: int
    passages: int


class Store(Protocol):
    """Store passages and metadata; rank passages by BM25 over title and text as one field, or by vectors.

    Every method raises UnreachableError if the engine does not answer, IndexMismatchError if the index is damaged.
    """

    @property
    def config(self) -> IndexConfig | None:
        """Return how the index was built; None for an index that ragcli did not build."""

    def stored(self, doc_ids: Sequence[str] | None = None) -> Iterator[Stored]:
        """Yield these stored documents, or all."""

    def write(self, updates: Iterable[DocumentUpdate], refused: Refused = ignore_refusal) -> None:
        """Apply updates from an iterable. All are durable and searchable on return.

        `refused` receives each document that the engine does not accept, with the reason; the others are written. Each
        document may occur only once in a call. A killed process leaves a searchable index in which each document is
        old, new, or marked by stored() as half written; the next run with the same input completes it.
        """

    def search(self, words: Sequence[QueryClause], k: int, filters: Sequence[Filter] = ()) -> list[Hit]:
        """Return the k best passages, best first, ties by id and start; without words, all that match the filters.

        Raises RagcliError for a filter on an unknown field.
        """

    def nearest(
        self, vector: "Vector", k: int, filters: Sequence[Filter] = (), candidates: int | None = None
    ) -> list[Hit]:
        """Return the k passages nearest to a vector (dimension,) of length 1, best first, ties by id and start.

        The score is the cosine. `candidates` is the number of passages that an approximate search compares at least; an
        exact one ignores it. Raises IndexMismatchError for an index without vectors or of another dimension,
        RagcliError for a filter on an unknown field.
        """

    def vectors(self, keys: Sequence[int]) -> "dict[int, Vector]":
        """Return the stored vectors with these keys (vector_key), including those of a killed run."""

    def sample(self, n: int) -> "Vector":
        """Return a fixed sample of vectors (at most n, dimension) from all over the index."""

    def passages(self, doc_id: str) -> list[Hit]:
        """Return a document's passages in order, with score 0; none for an unknown document."""

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """Return the number of passages with each word; if the analyzer splits it, of its rarest part."""

    def near_words(self, words: Sequence[str]) -> list[list[str]]:
        """Return, for each word that no passage has, the words in passages with similar spelling.

        Determined by analysis.spelling.nearest_words; none for words that the analyzer drops or splits.
        """

    def values(self, field: str, prefix: str, limit: int) -> list[str]:
        """Return at most `limit` distinct text values of a field with a prefix, case folded, sorted."""

    def fields(self) -> list[str]:
        """Return the sorted names of the documents' metadata fields; of objects, only the top level."""

    def damage(self) -> list[str]:
        """Check all files, and return a line for each damage."""

    def counts(self) -> Counts:
        """Count documents and passages."""

    def close(self) -> None:
        """Close files and connections."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def no_vectors(index: str) -> RagcliError:
    """Return the error for an operation that needs vectors."""
    return IndexMismatchError(
        f"index {index} has no vectors",
        "Build it again: ragcli index FILE --encoder MODEL --rebuild, or search by words.",
    )


def unknown_field(field: str, index: str, known: Sequence[str]) -> RagcliError:
    """Return the error for a filter on an unknown field."""
    return RagcliError(
        f"no document of index {index} has a field {field!r}", f"Its fields: {', '.join(known) or 'none'}."
    )


class Access(NamedTuple):
    """Hold the API key and the CA certificate file for Elasticsearch."""

    api_key: str | None = None
    ca_certs: Path | None = None

    def __repr__(self) -> str:
        return f"Access(ca_certs={self.ca_certs})"  # without secrets


class Shards(NamedTuple):
    """Hold the numbers of shards and replicas of a new index on a server; None is the server's default."""

    shards: int | None = None
    replicas: int | None = None


def _check_names(location: "IndexLocation") -> None:
    """Raise UsageError for an invalid index name; on a server, several names and patterns are valid."""
    if location.url == LOCAL:
        return check_index_name(location.name)
    for name in location.name.split(","):
        check_index_name(name.replace("*", "") or "all")
    return None


def check_index_name(name: str) -> None:
    """Raise UsageError for an index name that one of the stores does not accept (Elasticsearch's rules)."""
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
            f"not an index name: {name!r}", "Use lower-case letters, digits, `-` and `_`, beginning with a letter."
        )


class IndexLocation(NamedTuple):
    """Locate an index: `local` (under `home`) or an Elasticsearch URL, its name, and the access to the server.

    A cluster may be given by the URLs of several of its nodes, separated by commas.
    """

    url: str
    name: str
    home: Path
    access: Access = Access()
    fields: TextFields = TextFields()
    shards: Shards = Shards()

    @property
    def folder(self) -> Path:
        """Return the folder of local indexes."""
        return self.home / "indexes"

    def __repr__(self) -> str:
        return f"IndexLocation({self.url.rpartition('@')[2]}, {self.name})"  # without secrets


def local_indexes(folder: Path) -> list[str]:
    """Return the names of the indexes in a folder, sorted; a killed run may have left others that begin with a dot."""
    names = (path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ()
    return sorted(name for name in names if not name.startswith("."))


def open_store(location: IndexLocation, create: IndexConfig | Callable[[], IndexConfig] | None = None) -> Store:
    """Open an index; with `create`, a missing one is made with this configuration, or the one that it returns.

    Raises IndexMismatchError for an index that does not exist or cannot be read, UnreachableError, UsageError.
    """
    check_index_name(location.name) if create else _check_names(location)
    if location.url == LOCAL:
        from ragcli.store_local import LocalStore

        if any(number is not None for number in location.shards):
            raise UsageError("an index without a server has no shards", "Leave out --shards and --replicas.")
        return LocalStore.open(_folder(location), create)
    from ragcli.store_elastic import ElasticStore

    return ElasticStore.open(
        _server(location), location.name, location.access, create, location.fields, location.shards
    )


def read_state(location: IndexLocation) -> object:
    """Return what every change of an index of the embedded engine changes; None where there is no such index."""
    if location.url != LOCAL:
        return None
    from ragcli.store_local import layout

    try:
        return layout.read_state(_folder(location))
    except OSError:
        return None


def drop_index(location: IndexLocation) -> None:
    """Remove an index, if it exists. Raises IndexMismatchError for one that ragcli did not make."""
    check_index_name(location.name)
    if location.url == LOCAL:
        from ragcli.store_local import LocalStore

        return LocalStore.drop(_folder(location))
    from ragcli.store_elastic import ElasticStore

    return ElasticStore.drop(_server(location), location.name, location.access)


def _folder(location: IndexLocation) -> Path:
    return location.folder / location.name


def _server(location: IndexLocation) -> str:
    if not location.url.startswith(("http://", "https://")):
        shown = location.url.rpartition("@")[2]  # a mistyped URL may hold a password
        raise UsageError(
            f"not a store: {shown!r}", f"Use `{LOCAL}` or an Elasticsearch URL, such as http://localhost:9200."
        )
    return location.url
