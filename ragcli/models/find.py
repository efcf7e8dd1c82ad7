"""From a model's name to its folder: local, made by `ragcli train`, hub cache, hub, the small GPT-2 of the package."""

import os
from pathlib import Path

from ragcli.errors import RagcliError, UnreachableError, UsageError
from ragcli.models.folders import CONFIG, LANGUAGE_MODEL, ModelFolder, Role, checked
from ragcli.models.hub import HUB_ID, cached_model, download
from ragcli.settings import models_home

DEFAULT_MODEL = "gpt2"
FALLBACK_NOTE = (
    "gpt2 is not in the cache and the hub cannot be reached; the small GPT-2 that ships with ragcli answers instead"
)
PACKAGED = Path(__file__).parents[1] / "small_gpt2"


def find_model(name: str, *, allow_fallback: bool, role: Role = LANGUAGE_MODEL) -> ModelFolder:
    """Find the folder of a model: a local one, one made by train, the hub's cache, a download, in this order.

    `allow_fallback` says that the user named no model: then the packaged GPT-2 stands in where the hub is out of reach.
    Raises UnreachableError where the hub cannot be reached or does not hand the model out, RagcliError for a folder
    that is no model, holds only a pickle checkpoint, or is damaged.
    """
    local = os.path.isdir(name)  # noqa: PTH112 (Path.is_dir fails on a name too long for a path)
    if local and (not allow_fallback or Path(name, CONFIG).is_file()):
        return checked(name, Path(name))
    if not HUB_ID.fullmatch(name):
        raise RagcliError(f"there is no folder {name}", f"Give {role.option} a folder that holds a model, or a hub id.")
    trained = models_home() / name
    if (trained / CONFIG).is_file():
        return checked(name, trained)
    if cached := cached_model(name, role):
        return cached
    try:
        return checked(name, download(name, role))
    except UnreachableError:
        if not allow_fallback:
            raise
        return ModelFolder(PACKAGED.name, PACKAGED, FALLBACK_NOTE)


def trained_folder(output: str) -> Path:
    """Return where train writes a model: under its name in the data folder, or a folder where a path is given.

    Raises UsageError for what is neither, and for the default model's name.
    """
    if os.sep in output or output in (".", ".."):
        return Path(output)
    if output == DEFAULT_MODEL:
        raise UsageError(f"{output} is the default model's name", "Give the new one a name of its own, or a path.")
    if not HUB_ID.fullmatch(output):
        raise UsageError(f"not a model's name: {output!r}", "Use letters, digits, `-`, `_` and `.`, or give a path.")
    return models_home() / output
