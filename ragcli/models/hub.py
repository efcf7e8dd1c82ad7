"""The Hugging Face hub and its local cache: look up and download models."""

import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ragcli.errors import RagcliError, UnreachableError, first_line
from ragcli.models.folders import ModelFolder, Role, check_files, checked, has_weights, no_weights

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo
    from huggingface_hub.errors import HfHubHTTPError

HUB_ID = re.compile(r"(?!.*(?:\.\.|--|\.git$))\w(?:[\w.-]{0,94}\w)?(?:/\w(?:[\w.-]{0,94}\w)?)?", re.ASCII)
_HUB_SECONDS = 5.0  # timeout of the hub, unless HF_HUB_ETAG_TIMEOUT is set


def cached_names() -> list[str]:
    """Return the sorted names of models in the hub's cache, complete or not."""
    from huggingface_hub import constants

    found = sorted(path.name for path in Path(constants.HF_HUB_CACHE).glob("models--*"))
    return [name.removeprefix("models--").replace("--", "/") for name in found]


def cache_of(name: str) -> Path:
    """Return the folder for a model in the hub's cache, which may not exist."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE, f"models--{name.replace('/', '--')}")


def cached_snapshot(name: str) -> Path | None:
    """Return the newest snapshot of a model in the hub's cache, if there is one.

    Reads the documented layout of the cache directly, because the library's function needs 0.3 s of imports.
    """
    repo = cache_of(name)
    try:
        snapshot = repo / "snapshots" / (repo / "refs" / "main").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return snapshot if snapshot.is_dir() else None


def cached_model(name: str, role: Role) -> ModelFolder | None:
    """Return the newest snapshot in the hub's cache; None if there is none or it lacks files."""
    snapshot = cached_snapshot(name)
    try:
        if snapshot is None:
            return None
        check_files(snapshot)
    except (OSError, RagcliError):
        return None
    known = (snapshot / role.decisive, cache_of(name) / ".no_exist" / snapshot.name / role.decisive)
    return checked(name, snapshot) if any(path.exists() for path in known) else None


def download(name: str, role: Role) -> Path:
    """Download the model's files into the hub's cache, with progress on stderr."""
    files = hub_files(name, role)
    if not has_weights(files):
        raise no_weights(f"{name} on the hub", files)
    snapshot = fetch(name, role.files, role)
    if role.decisive and role.decisive not in files:
        _remember_absent(snapshot, role.decisive)
    return snapshot


def hub_files(name: str, role: Role) -> list[str]:
    """Return the names of a model's files on the hub. Raises UnreachableError."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise UnreachableError(f"{name} is not in the cache, and HF_HUB_OFFLINE forbids downloads", role.ways_out)
    return [file.rfilename for file in _ask_hub(name, role).siblings or ()]


def fetch(name: str, files: Sequence[str], role: Role) -> Path:
    """Download files of a model into the hub's cache; return its snapshot. Raises UnreachableError, RagcliError."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub import errors as hub

    try:
        return Path(snapshot_download(name, allow_patterns=list(files)))
    except hub.HfHubHTTPError as error:
        raise _refused(name, error, role) from error
    except (_http_error(), hub.EntryNotFoundError, RuntimeError) as error:
        hint = "Run the command again: the download continues where it stopped."
        raise UnreachableError(f"the download of {name} failed: {first_line(error)}", hint) from error
    except OSError as error:
        hint = f"Make room in {constants.HF_HUB_CACHE}, or set HF_HOME to another folder."
        raise RagcliError(f"cannot store {name}: {first_line(error)}", hint) from error


def _remember_absent(snapshot: Path, file: str) -> None:
    """Record in the cache, in its documented way, that the hub has no such file."""
    absent = snapshot.parents[1] / ".no_exist" / snapshot.name / file
    absent.parent.mkdir(parents=True, exist_ok=True)
    absent.touch()


def _ask_hub(name: str, role: Role) -> "ModelInfo":
    """Ask the hub for a model's list of files, with a short timeout.

    In a thread, because the HTTP client's timeouts cover neither name resolution nor several addresses of a host.
    """
    from huggingface_hub import constants

    chosen = "HF_HUB_ETAG_TIMEOUT" in os.environ
    seconds = constants.HF_HUB_ETAG_TIMEOUT if chosen else _HUB_SECONDS
    answers: list[ModelInfo | UnreachableError] = []
    thread = threading.Thread(target=lambda: answers.append(_model_info(name, seconds, role)), daemon=True)
    thread.start()
    thread.join(seconds + 0.5)
    answer = answers[0] if answers else _unreachable(name, f"no answer within {seconds:g} s", role)
    if isinstance(answer, UnreachableError):
        raise answer
    return answer


def _model_info(name: str, seconds: float, role: Role) -> "ModelInfo | UnreachableError":
    """Return the hub's description of a model, or an error."""
    from huggingface_hub import HfApi
    from huggingface_hub import errors as hub

    try:
        return HfApi().model_info(name, timeout=seconds)
    except hub.HfHubHTTPError as error:
        return _refused(name, error, role)
    except (_http_error(), OSError, ValueError) as error:
        return _unreachable(name, first_line(error), role)


def _http_error() -> type[Exception]:
    """Return the base error of the hub's HTTP client, which the library does not declare as exported."""
    from huggingface_hub import errors

    found: type[Exception] = vars(errors)["HTTPError"]
    return found


def _refused(name: str, error: "HfHubHTTPError", role: Role) -> UnreachableError:
    """Return the error for a model that the hub refuses."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        hint = f"Accept its terms on https://huggingface.co/{name} and set HF_TOKEN."
        return UnreachableError(f"the hub gives {name} only to users who accepted its terms", hint)
    if isinstance(error, RepositoryNotFoundError):
        hint = f"Check the spelling; for a private model set HF_TOKEN; for a local one give {role.option} its folder."
        return UnreachableError(f"the hub has no model {name}, or it is private", hint)
    hint = "Check HF_TOKEN." if error.response.status_code in (401, 403) else "Try again later."
    return UnreachableError(f"the hub refuses {name}: {first_line(error)}", hint)


def _unreachable(name: str, reason: str, role: Role) -> UnreachableError:
    return UnreachableError(f"{name} is not in the cache, and the hub cannot be reached ({reason})", role.ways_out)
