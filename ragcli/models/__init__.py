"""Models by name: folders of safetensors and GGUF files, local, trained, pulled, cached, or on the hub."""

from ragcli.models.find import DEFAULT_MODEL, FALLBACK_NOTE, PACKAGED, find_model, is_url, trained_folder
from ragcli.models.folders import (
    ENCODER,
    LANGUAGE_MODEL,
    RERANKER,
    Header,
    ModelFolder,
    Role,
    is_classifier,
    is_reader,
    read_header,
    read_json,
    weight_files,
)
from ragcli.models.gguf import SMOLLM2, SMOLLM2_NOTE, find_gguf, gguf_parts, is_gguf, read_gguf, writes_offline
from ragcli.models.gguf import Header as GgufHeader
from ragcli.models.library import Card, list_models, pull_model, remove_model, revision_of, show_model

__all__ = [
    "DEFAULT_MODEL",
    "ENCODER",
    "FALLBACK_NOTE",
    "LANGUAGE_MODEL",
    "PACKAGED",
    "RERANKER",
    "SMOLLM2",
    "SMOLLM2_NOTE",
    "Card",
    "GgufHeader",
    "Header",
    "ModelFolder",
    "Role",
    "find_gguf",
    "find_model",
    "gguf_parts",
    "is_classifier",
    "is_gguf",
    "is_reader",
    "is_url",
    "list_models",
    "pull_model",
    "read_gguf",
    "read_header",
    "read_json",
    "remove_model",
    "revision_of",
    "show_model",
    "trained_folder",
    "weight_files",
    "writes_offline",
]
