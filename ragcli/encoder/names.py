"""Find an encoder by its name: a packaged one, a folder, or a hub id."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from ragcli.errors import UnreachableError
from ragcli.models import ENCODER, ModelFolder, find_model

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
ALIASES = {"minilm": MINILM, "e5": "intfloat/multilingual-e5-small"}
BGE_ZH = "bge-zh"  # not its hub id, because its vocabulary is smaller
PACKAGED = {MINILM: Path(__file__).parent / "minilm", BGE_ZH: Path(__file__).parent / "bge_zh"}


class Prefixes(NamedTuple):
    """Hold an encoder's prefixes of queries and passages."""

    query: str = ""
    passage: str = ""


# Prefixes documented only in a model's README. The first matching pattern counts.
_KNOWN_PREFIXES = {
    "intfloat/*e5*-instruct": Prefixes(
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
    ),
    "intfloat/*e5*": Prefixes("query: ", "passage: "),
    "BAAI/bge-*-en*": Prefixes("Represent this sentence for searching relevant passages: "),
    "BAAI/bge-*-zh*": Prefixes("为这个句子生成表示以用于检索相关文章："),
}
# The same by what GGUF files and servers call the families.
_SEARCH = Prefixes("Represent this sentence for searching relevant passages: ")
_INSTRUCT = _KNOWN_PREFIXES["intfloat/*e5*-instruct"]
_FAMILIES = (
    (r"\be5\b.*instruct|qwen3-embedding", _INSTRUCT),
    (r"\be5\b", _KNOWN_PREFIXES["intfloat/*e5*"]),
    (r"nomic-embed", Prefixes("search_query: ", "search_document: ")),
    (r"embedding-?gemma", Prefixes("task: search result | query: ", "title: none | text: ")),
    (r"arctic-embed.*v2", Prefixes("query: ")),
    (r"bge-.*\ben\b|mxbai-embed|arctic-embed", _SEARCH),
    (r"bge-.*\bzh\b", _KNOWN_PREFIXES["BAAI/bge-*-zh*"]),
)


def known_prefixes(hub_id: str) -> Prefixes:
    """Return the prefixes documented in a model's README; none for unknown models."""
    return next((known for pattern, known in _KNOWN_PREFIXES.items() if fnmatch(hub_id, pattern)), Prefixes())


def prefixes_like(text: str) -> Prefixes:
    """Return the prefixes of a model whose family is named in a text, such as the name of a file or at a server."""
    return next((prefixes for pattern, prefixes in _FAMILIES if re.search(pattern, text, re.IGNORECASE)), Prefixes())


def find_encoder(name: str) -> ModelFolder:
    """Find the folder of an encoder; its name is its hub id, or the absolute path of a local folder.

    The packaged ones have integers as weights. Raises UnreachableError, RagcliError.
    """
    hub_id = ALIASES.get(name, name)
    if hub_id in PACKAGED:
        return ModelFolder(hub_id, PACKAGED[hub_id])
    try:
        found = find_model(hub_id, allow_fallback=False, role=ENCODER)
    except UnreachableError as error:
        raise UnreachableError(error.message, f"{error.hint} `--mode keyword` needs no encoder.") from error
    is_local = found.path.resolve() == Path(hub_id).resolve()
    return found._replace(name=str(found.path.resolve())) if is_local else found
