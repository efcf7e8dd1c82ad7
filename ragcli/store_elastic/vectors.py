"""Vectors in an Elasticsearch index: a graph of 8-bit copies finds candidates, the full vectors rank them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ragcli.documents import Document
from ragcli.store import DocumentUpdate, EncoderConfig, check_vectors, vector_key

if TYPE_CHECKING:
    from ragcli.store import Vector

Json = dict[str, Any]

_CANDIDATES = 150
_MOST = 10_000  # that a server examines


def vector_fields(encoder: EncoderConfig) -> Json:
    """Return the mapping of a passage's vector and its key."""
    graph = {"type": "int8_hnsw"}
    vector = {"type": "dense_vector", "dims": encoder.dimension, "similarity": "cosine", "index_options": graph}
    return {"vector": {**vector, "index": True}, "vector_key": {"type": "keyword"}}


def written_vectors(update: DocumentUpdate, document: Document, dimension: int) -> Iterator[Json]:
    """Yield the vector fields of each passage. Raises IndexMismatchError and RagcliError for invalid vectors."""
    count = len(update.passages)
    vectors = check_vectors(update.vectors, (count, dimension), f"document {update.doc_id!r}")
    for vector, (_, text) in zip(vectors, update.passages, strict=True):
        yield {"vector": vector, "vector_key": written_key(vector_key(document.title, text))}


def written_key(key: int) -> str:
    """Return a key as text that sorts like the number."""
    return f"{key:016x}"


def read_vectors(rows: Sequence[Json], dimension: int) -> "Vector":
    """Return the vectors (rows, dimension) of search results with the field `vector`."""
    import numpy as np  # loaded only if vectors are wanted

    return np.array([row["fields"]["vector"] for row in rows], np.float32).reshape(-1, dimension)


def nearest_query(vector: "Vector", k: int, passing: Json, candidates: int | None, rescored: bool) -> Json:
    """Return the search for the nearest vectors of matching passages.

    All candidates are ranked by their full vectors, so that ties are cut by id: on the server, or else by the reader of
    the answer, which then contains the vectors.
    """
    num_candidates = min(max(candidates or _CANDIDATES, k), _MOST)
    wanted = {
        "field": "vector",
        "query_vector": vector,
        "filter": passing,
        "k": num_candidates,
        "num_candidates": num_candidates,
    }
    if rescored:
        return {"knn": {**wanted, "rescore_vector": {"oversample": 1}}, "size": min(k, num_candidates)}
    return {"knn": wanted, "size": num_candidates, "fields": ["vector"]}
