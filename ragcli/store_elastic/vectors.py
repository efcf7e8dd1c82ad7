"""Vectors in an Elasticsearch index: a graph over 8-bit copies finds candidates, the vectors themselves rank them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ragcli.documents import Document
from ragcli.store import DocumentUpdate, EncoderConfig, check_vectors, vector_key

if TYPE_CHECKING:
    from ragcli.store import Vector

Json = dict[str, Any]

_CANDIDATES = 150
_MOST = 10_000  # that a server looks at


def vector_fields(encoder: EncoderConfig) -> Json:
    """Return the mapping of a passage's vector, and of the key that it is known by."""
    graph = {"type": "int8_hnsw"}
    vector = {"type": "dense_vector", "dims": encoder.dimension, "similarity": "cosine", "index_options": graph}
    return {"vector": {**vector, "index": True}, "vector_key": {"type": "keyword"}}


def written_vectors(update: DocumentUpdate, document: Document, dimension: int) -> Iterator[Json]:
    """Yield what goes into the entry of each passage. Raises IndexMismatchError, RagcliError for bad vectors."""
    count = len(update.passages)
    vectors = check_vectors(update.vectors, (count, dimension), f"document {update.doc_id!r}")
    for vector, (_, text) in zip(vectors, update.passages, strict=True):
        yield {"vector": vector, "vector_key": written_key(vector_key(document.title, text))}


def written_key(key: int) -> str:
    """Write a key so that its text sorts as the number does."""
    return f"{key:016x}"


def read_vectors(rows: Sequence[Json], dimension: int) -> "Vector":
    """Read the vectors of search results (rows, dimension), which asked for the field `vector`."""
    import numpy as np  # loaded only where vectors are wanted

    return np.array([row["fields"]["vector"] for row in rows], np.float32).reshape(-1, dimension)


def nearest_query(vector: "Vector", k: int, passing: Json, candidates: int | None, rescored: bool) -> Json:
    """Return the search for the vectors nearest to one, of those passages that pass.

    All candidates are ranked by their whole vectors, so that ties are cut by id: on the server, else where the answer
    is read, for which it then holds the vectors.
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
