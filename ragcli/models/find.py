"""Find the folder of a model by its name: local, trained, in the hub's cache, on the hub, or the packaged GPT-2."""

import os
from pathlib import Path

from ragcli.errors import RagcliError, UnreachableError, UsageError
from ragcli.models.folders import CONFIG, LANGUAGE_MODEL, ModelFolder, Role, checked
from ragcli.models.hub import HUB_ID, cached_model, download
from ragcli.settings import models_home

DEFAULT_MODEL = "gpt2"
FALLBACK_NOTE = (
    "gpt2 is not in the cache and the hub cannot be reached; the small GPT-2 that ships with ragcli stands in. "
    "It only shows that everything works; `ragcli models pull smollm2` brings a model that writes better."
)
PACKAGED = Path(__file__).parents[1] / "small_gpt2"


def is_url(name: str) -> bool:
    """Return whether a name is the URL of a server."""
    return name.startswith(("http://", "https://"))


def find_model(name: str, *, allow_fallback: bool, role: Role = LANGUAGE_MODEL) -> ModelFolder:
    """Find the folder of a model: a local one, a trained one, the package's, the hub's cache, a download.

    With `allow_fallback` (no model was named), the packaged GPT-2 is used if the hub cannot be reached. Raises
    UnreachableError if the hub cannot be reached or refuses the model, RagcliError for a folder that is not a model,
    has only a pickle checkpoint, or is damaged.
    """
    local = os.path.isdir(name)  # noqa: PTH112 (Path.is_dir fails on a name too long for a path)
    if local and (not allow_fallback or Path(name, CONFIG).is_file()):
        return checked(name, Path(name))
    if not HUB_ID.fullmatch(name):
        raise RagcliError(f"there is no folder {name}", f"Give {role.option} a folder with a model, or a hub id.")
    trained = models_home() / name
    if (trained / CONFIG).is_file():
        return checked(name, trained)
    if name == PACKAGED.name:
        return ModelFolder(name, PACKAGED)
    if cached := cached_model(name, role):
        return cached
    try:
        return checked(name, download(name, role))
    except UnreachableError:
        if not allow_fallback:
            raise
        return ModelFolder(PACKAGED.name, PACKAGED, FALLBACK_NOTE)


def trained_folder(output: str) -> Path:
    """Return the folder for a trained model: a path, or for a name a folder in the data folder.

    Raises UsageError for an invalid name, and for the name of the default model.
    """
    if os.sep in output or output in (".", ".."):
        return Path(output)
    if output == DEFAULT_MODEL:
        raise UsageError(f"{output} is the default model's name", "Give the new model another name, or a path.")
    if not HUB_ID.fullmatch(output):
        raise UsageError(f"not a model's name: {output!r}", "Use letters, digits, `-`, `_` and `.`, or give a path.")
    return models_home() / output
