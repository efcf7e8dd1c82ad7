"""Encoders and re-rankers of a server: /embeddings as OpenAI has it, /rerank as Jina and llama.cpp have it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ragcli.encoder.encoder import Encoder
from ragcli.encoder.names import prefixes_like
from ragcli.endpoint import Endpoint, StatusError, together
from ragcli.errors import RagcliError, UnreachableError
from ragcli.ort.quantization import Matrix
from ragcli.store import EncoderConfig

_BATCH = 32  # texts in a request; some servers take no more

Ask = Callable[[Sequence[str]], list[Any]]


class RemoteModel:
    """A server's model for vectors, or for scores; `name` is what the server calls it."""

    def __init__(self, endpoint: Endpoint, name: str = "") -> None:
        self.endpoint = endpoint
        self.name = name
        self._asked = {"model": name} if name else {}

    def vectors(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors (n, dimension) of texts. Raises UnreachableError, StatusError, RagcliError."""

        def ask(batch: Sequence[str]) -> list[Any]:
            answer = self._post("embeddings", {"input": list(batch), "encoding_format": "float"})
            rows = self._by_index(answer, "data", "embedding", len(batch))
            self.name = str(answer.get("model") or self.name)
            return rows

        return self._matrix(_in_batches(ask, texts), 2)

    def scores(self, query: str, texts: Sequence[str]) -> Matrix:
        """Return the scores (n,) of texts for a query; higher is better. Raises the same errors."""

        def ask(batch: Sequence[str]) -> list[Any]:
            answer = self._post("rerank", {"query": query, "documents": list(batch), "top_n": len(batch)})
            return self._by_index(answer, "results", "relevance_score", len(batch))

        return self._matrix(_in_batches(ask, texts), 1)

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        try:
            return self.endpoint.post(path, {**self._asked, **body})
        except StatusError as error:
            if not self._asked and error.status in (400, 404, 422):
                error.hint = "Name the model after the URL (URL#MODEL), and check the URL: it often ends in /v1."
            raise

    def _by_index(self, answer: Any, key: str, field: str, count: int) -> list[Any]:
        """Return a field of each row of an answer, in the order of the texts."""
        rows = answer.get(key) if isinstance(answer, Mapping) else None
        try:
            found = {row["index"]: row[field] for row in rows or ()}
            return [found[n] for n in range(count)]
        except (TypeError, KeyError) as error:
            raise self._useless(f"{count} rows of {key!r}") from error

    def _matrix(self, rows: list[Any], dimensions: int) -> Matrix:
        try:
            found = np.array(rows, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise self._useless("numbers") from error
        if rows and (found.ndim != dimensions or not found.size or not np.isfinite(found).all()):
            raise self._useless("numbers")
        return found

    def _useless(self, wanted: str) -> RagcliError:
        return RagcliError(f"the server at {self.endpoint.url} does not answer with {wanted}", "Use another model.")


def open_remote_encoder(name: str, api_key: str | None) -> Encoder:
    """Open the encoder of a server by its URL, with the model's name after a `#`; the server says its dimension.

    Raises UsageError for an invalid URL, UnreachableError, RagcliError for a server that makes no vectors.
    """
    model = open_remote_model(name, api_key, "--encoder")
    asked = f"#{model.name}" if model.name else ""
    try:
        dimension = model.vectors(["text"]).shape[1]
    except UnreachableError as error:
        error.hint += " `--mode keyword` needs no encoder."
        raise
    prefixes = prefixes_like(model.name)
    config = EncoderConfig(
        name=f"{model.endpoint.url}{asked}",
        revision=hashlib.sha256(f"{model.name} {prefixes}".encode()).hexdigest()[:32],
        dimension=dimension,
        pooling="server",
        query_prefix=prefixes.query,
        passage_prefix=prefixes.passage,
    )
    return Encoder(config, model.vectors)


def open_remote_model(name: str, api_key: str | None, option: str) -> RemoteModel:
    """Open a server's model by its URL; `option` is the one that names it. Raises UsageError for an invalid URL."""
    url, _, model = name.partition("#")
    return RemoteModel(Endpoint(url, api_key, option=option), model)


def _in_batches(ask: Ask, texts: Sequence[str]) -> list[Any]:
    batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    return [row for part in together(partial(_fitting, ask), batches) for row in part]


def _fitting(ask: Ask, batch: Sequence[str]) -> list[Any]:
    """Ask about texts; about half of them, or half a text, where the server takes no more."""
    half = len(batch) // 2
    try:
        return ask(batch)
    except StatusError as error:
        if not error.is_too_large or not (half or batch[0]):
            raise
    if half:
        return _fitting(ask, batch[:half]) + _fitting(ask, batch[half:])
    return _fitting(ask, [batch[0][: len(batch[0]) // 2]])
