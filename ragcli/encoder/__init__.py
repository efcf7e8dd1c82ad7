"""Encoders and cross-encoders: texts → vectors, pairs of texts → scores."""

from functools import partial
from typing import TYPE_CHECKING

from ragcli.encoder.cross import CrossEncoder
from ragcli.encoder.encoder import Encoder, Note
from ragcli.encoder.engine import Precision
from ragcli.encoder.local import open_local
from ragcli.encoder.names import find_encoder
from ragcli.models import ModelFolder, find_gguf, is_gguf, is_url
from ragcli.warm import opened

if TYPE_CHECKING:
    from ragcli.encoder.remote import RemoteModel

__all__ = ["CrossEncoder", "Encoder", "open_encoder", "open_scorer"]


def open_encoder(name: str, precision: Precision, note: Note, api_key: str | None = None) -> Encoder:
    """Open an encoder by alias, hub id, folder, GGUF file, or URL of a server; `note` receives notes for the user.

    Raises UnreachableError for a model that cannot be downloaded or a server that does not answer, RagcliError for a
    model that is damaged or unsupported, ModuleNotFoundError for a GGUF file without the extra `gguf`.
    """
    if is_url(name):
        from ragcli.encoder.remote import open_remote_encoder

        return open_remote_encoder(name, api_key)
    if is_gguf(name):
        from ragcli.encoder.gguf import open_gguf_encoder

        file = find_gguf(name)
        return opened(ModelFolder(name, file), "gguf encoder", partial(open_gguf_encoder, name, file))
    folder = find_encoder(name)
    return opened(folder, f"encoder {precision}", lambda: open_local(folder, precision, note))


def open_scorer(name: str, api_key: str | None) -> "RemoteModel":
    """Open a re-ranker by GGUF file or URL of a server. Raises the same errors."""
    if is_url(name):
        from ragcli.encoder.remote import open_remote_model

        return open_remote_model(name, api_key, "--rerank")
    from ragcli.encoder.gguf import open_gguf_reranker

    file = find_gguf(name)
    return opened(ModelFolder(name, file), "gguf re-ranker", partial(open_gguf_reranker, file))
