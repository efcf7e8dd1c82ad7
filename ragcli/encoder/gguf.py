"""Encoders and re-rankers in GGUF files, which llama.cpp runs."""

import hashlib
from pathlib import Path

from ragcli import llama_cpp
from ragcli.encoder.encoder import Encoder
from ragcli.encoder.names import prefixes_like
from ragcli.encoder.remote import RemoteModel
from ragcli.errors import RagcliError
from ragcli.models import GgufHeader, read_gguf
from ragcli.ort.cache import file_digest
from ragcli.store import EncoderConfig

_CONTEXT = 2048  # tokens: more than a passage has, and memory grows with it
_POOLINGS: dict[int, llama_cpp.Pooling] = {1: "mean", 2: "cls", 3: "last", 4: "rank"}  # as files number them


def open_gguf_encoder(name: str, file: Path) -> Encoder:
    """Load an encoder; its name is its hub id, or the absolute path of its file.

    Raises RagcliError for a file that cannot be loaded or is no encoder, ModuleNotFoundError without xllamacpp.
    """
    header = read_gguf(file)
    pooling = _POOLINGS.get(header.get("pooling_type"))
    if pooling in (None, "rank"):
        what = "a re-ranker" if pooling else "a language model"
        raise RagcliError(f"{file} is not an encoder but {what}", "Give --encoder an encoder, such as minilm.")
    model = _load(file, header, pooling)
    prefixes = prefixes_like(f"{header.values.get('general.name', '')} {file.name}")
    settings = f"{pooling} {prefixes} {file_digest(file)}"
    config = EncoderConfig(
        name=str(file.resolve()) if Path(name) == file else name,
        revision=hashlib.sha256(settings.encode()).hexdigest()[:32],
        dimension=header.get("embedding_length"),
        pooling=pooling,
        query_prefix=prefixes.query,
        passage_prefix=prefixes.passage,
    )
    return Encoder(config, model.vectors)


def open_gguf_reranker(file: Path) -> RemoteModel:
    """Load a re-ranker. Raises the same errors."""
    header = read_gguf(file)
    if _POOLINGS.get(header.get("pooling_type")) != "rank":
        hint = "Give --rerank one, such as bge-reranker-v2-m3, or a model by another name."
        raise RagcliError(f"{file} is not a re-ranker", hint)
    return _load(file, header, "rank")


def _load(file: Path, header: GgufHeader, pooling: llama_cpp.Pooling) -> RemoteModel:
    return RemoteModel(llama_cpp.start(file, min(header.context or _CONTEXT, _CONTEXT), pooling))
