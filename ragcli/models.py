"""From a model's name to its folder: local, made by `ragcli train`, hub cache, hub, the small GPT-2 of the package."""

import json
import os
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ragcli.errors import RagcliError, UnreachableError, UsageError, first_line
from ragcli.settings import data_home

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo
    from huggingface_hub.errors import HfHubHTTPError

DEFAULT_MODEL = "gpt2"
FALLBACK_NOTE = (
    "gpt2 is not in the cache and the hub cannot be reached; the small GPT-2 that ships with ragcli answers instead"
)
PACKAGED = Path(__file__).parent / "small_gpt2"

_TRAINED = "models"
_CONFIG = "config.json"
_WEIGHTS = "model.safetensors"
_SHARDS = "model.safetensors.index.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_WANTED = [_CONFIG, "generation_config.json", _WEIGHTS, _SHARDS, "model-*-of-*.safetensors", *_TOKENIZERS]
_WANTED += ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt"]
# What sentence-transformers writes beside a model's own files. A cache without the first may lack the others as well.
_MODULES = "modules.json"
_SENTENCES = [_MODULES, "1_Pooling/config.json", "config_sentence_transformers.json", "sentence_bert_config.json"]
_PICKLES = re.compile(r".*\.(bin|pt|pth|ckpt|pkl)", re.ASCII)
_HUB_ID = re.compile(r"(?!.*(?:\.\.|--|\.git$))\w(?:[\w.-]{0,94}\w)?(?:/\w(?:[\w.-]{0,94}\w)?)?", re.ASCII)
_HUB_SECONDS = 5.0  # how long the hub may take to answer at all, unless HF_HUB_ETAG_TIMEOUT says otherwise


class Role(NamedTuple):
    """Say what a model is for: the option that names it, the files that it may have, one that a cache must know of."""

    option: str = "--model"
    files: Sequence[str] = _WANTED
    decisive: str = ""

    @property
    def ways_out(self) -> str:
        """Say what to do where the hub cannot be reached."""
        return (
            "Run the command once with a network, set HF_HOME to a folder that holds the cache, "
            f"or give {self.option} a local folder."
        )


LANGUAGE_MODEL = Role()
ENCODER = Role("--encoder", [*_WANTED, *_SENTENCES], _MODULES)
RERANKER = Role("--rerank", [*_WANTED, *_SENTENCES])


class ModelFolder(NamedTuple):
    """Hold a model's name, the folder with its files, and a line for stderr where something has to be said."""

    name: str
    path: Path
    note: str | None = None


def find_model(name: str, *, allow_fallback: bool, role: Role = LANGUAGE_MODEL) -> ModelFolder:
    """Find the folder of a model: a local one, one made by train, the hub's cache, a download, in this order.

    `allow_fallback` says that the user named no model: then the packaged GPT-2 stands in where the hub is out of reach.
    Raises UnreachableError where the hub cannot be reached or does not hand the model out, RagcliError for a folder
    that is no model, holds only a pickle checkpoint, or is damaged.
    """
    local = os.path.isdir(name)  # noqa: PTH112 (Path.is_dir fails on a name too long for a path)
    if local and (not allow_fallback or Path(name, _CONFIG).is_file()):
        return _checked(name, Path(name))
    if not _HUB_ID.fullmatch(name):
        raise RagcliError(f"there is no folder {name}", f"Give {role.option} a folder that holds a model, or a hub id.")
    trained = data_home() / _TRAINED / name
    if (trained / _CONFIG).is_file():
        return _checked(name, trained)
    if cached := cached_model(name, role):
        return cached
    try:
        return _checked(name, _download(name, role))
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
    if not _HUB_ID.fullmatch(output):
        raise UsageError(f"not a model's name: {output!r}", "Use letters, digits, `-`, `_` and `.`, or give a path.")
    return data_home() / _TRAINED / output


# A folder


def _checked(name: str, path: Path) -> ModelFolder:
    """Return the folder if it is a whole model, and say what is wrong with it otherwise."""
    try:
        _check_files(path)
        for weights in weight_files(path):
            _check_safetensors(weights)
    except OSError as error:
        raise RagcliError(
            f"cannot read the model {path}: {error.strerror}", "Check the folder's permissions."
        ) from error
    return ModelFolder(name, path)


def _check_files(path: Path) -> None:
    if not (path / _CONFIG).is_file():
        raise RagcliError(f"the folder {path} is no model: it has no {_CONFIG}", "Give --model a folder that has one.")
    read_json(path / _CONFIG)
    if not _has_weights(names := {file.name for file in path.iterdir()}):
        raise _no_weights(str(path), names)
    lost = [file.name for file in weight_files(path) if not file.is_file()]
    if lost:
        raise RagcliError(f"the model {path} is incomplete: {lost[0]} is missing", _copy_again(path))
    if names.isdisjoint(_TOKENIZERS):
        raise RagcliError(f"the model {path} has no tokenizer", "Put the model's tokenizer.json into the folder.")


def weight_files(path: Path) -> list[Path]:
    """Return the weights' file or, where there is only an index, the shards that it names."""
    if (path / _WEIGHTS).exists():
        return [path / _WEIGHTS]
    shards = read_json(path / _SHARDS).get("weight_map")
    if not isinstance(shards, dict) or not shards:
        raise RagcliError(f"{path / _SHARDS} is damaged: it names no files", _copy_again(path))
    outside = [str(shard) for shard in shards.values() if Path(str(shard)).name != str(shard)]
    if outside:
        raise RagcliError(
            f"{path / _SHARDS} names a file that is not in its folder: {outside[0]!r}", "Use a model that you trust."
        )
    return sorted({path / str(shard) for shard in shards.values()})


def _has_weights(names: Iterable[str]) -> bool:
    return not {_WEIGHTS, _SHARDS}.isdisjoint(names)


def _no_weights(where: str, names: Iterable[str]) -> RagcliError:
    pickles = sorted(filter(_PICKLES.fullmatch, names))
    if not pickles:
        return RagcliError(f"{where} holds no {_WEIGHTS}", "Choose a model that has one.")
    return RagcliError(
        f"{where} holds only a pickle checkpoint ({pickles[0]}), which could run any code",
        "Convert it to safetensors with a tool you trust, or choose a model that has them.",
    )


class Header(NamedTuple):
    """Hold the header of a safetensors file: what it says of each tensor, and where the data begin."""

    tensors: dict[str, Any]
    start: int


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file. Raises OSError, and ValueError or AttributeError for what is none.

    Source: https://github.com/huggingface/safetensors#format: 8 bytes header length, JSON header, data.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length < path.stat().st_size else b""
    tensors = json.loads(header)
    return Header({name: tensor for name, tensor in tensors.items() if name != "__metadata__"}, 8 + length)


def _check_safetensors(path: Path) -> None:
    """Compare the file's size with what its header promises, which finds a cut file without reading it."""
    try:
        tensors, start = read_header(path)
        ends = [tensor["data_offsets"][1] for tensor in tensors.values()]
        whole = start + max(ends, default=0) == path.stat().st_size
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise RagcliError(f"{path} is cut short or damaged", _copy_again(path.parent))


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object from a model's folder. Raises RagcliError for a damaged one."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise RagcliError(f"{path} is damaged: {error}", _copy_again(path.parent)) from error
    if not isinstance(content, dict):
        raise RagcliError(f"{path} is damaged: it is no JSON object", _copy_again(path.parent))
    return content


def _copy_again(path: Path) -> str:
    if path.parent.name == "snapshots":
        return f"Delete the folder {path.parent.parent} and run the command again with a network."
    return "Copy or download the model again."


def is_classifier(folder: ModelFolder) -> bool:
    """Tell whether a model classifies texts, and is no language model."""
    kinds = read_json(folder.path / _CONFIG).get("architectures")
    return isinstance(kinds, list) and any(str(kind).endswith("ForSequenceClassification") for kind in kinds)


# The hub


def cached_model(name: str, role: Role) -> ModelFolder | None:
    """Return the newest snapshot in the hub's cache, or None where there is none or it misses files.

    Reads the cache's documented layout itself: the library's own function costs 0.3 s of imports.
    """
    from huggingface_hub import constants

    repo = Path(constants.HF_HUB_CACHE, f"models--{name.replace('/', '--')}")
    try:
        commit = (repo / "refs" / "main").read_text(encoding="utf-8").strip()
        snapshot = repo / "snapshots" / commit
        _check_files(snapshot)
    except (OSError, ValueError, RagcliError):
        return None
    known = (snapshot / role.decisive, repo / ".no_exist" / commit / role.decisive)
    return _checked(name, snapshot) if any(path.exists() for path in known) else None


def _download(name: str, role: Role) -> Path:
    """Download the model's files into the hub's cache, with progress on stderr."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise UnreachableError(f"{name} is not in the cache, and HF_HUB_OFFLINE forbids to download it", role.ways_out)
    from huggingface_hub import errors as hub
    from huggingface_hub import snapshot_download

    files = [file.rfilename for file in _ask_hub(name, role).siblings or ()]
    if not _has_weights(files):
        raise _no_weights(f"{name} on the hub", files)
    try:
        snapshot = Path(snapshot_download(name, allow_patterns=list(role.files)))
        if role.decisive and role.decisive not in files:
            _remember_absent(snapshot, role.decisive)
        return snapshot
    except hub.HfHubHTTPError as error:
        raise _refused(name, error, role) from error
    except (hub.HTTPError, hub.EntryNotFoundError, RuntimeError) as error:  # type: ignore[attr-defined]
        hint = "Run the command again: the download goes on where it stopped."
        raise UnreachableError(f"the download of {name} broke off: {first_line(error)}", hint) from error
    except OSError as error:
        hint = f"Make room in {constants.HF_HUB_CACHE}, or set HF_HOME to another folder."
        raise RagcliError(f"cannot store {name}: {first_line(error)}", hint) from error


def _remember_absent(snapshot: Path, file: str) -> None:
    """Note in the cache, in its own documented way, that the hub has no such file."""
    absent = snapshot.parents[1] / ".no_exist" / snapshot.name / file
    absent.parent.mkdir(parents=True, exist_ok=True)
    absent.touch()


def _ask_hub(name: str, role: Role) -> "ModelInfo":
    """Ask the hub for the model's list of files, and give up soon.

    In a thread because no timeout of the HTTP client covers the name server or the sum over a host's addresses.
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
    """Return what the hub says of the model, or in our words why it says nothing."""
    from huggingface_hub import HfApi
    from huggingface_hub import errors as hub

    try:
        return HfApi().model_info(name, timeout=seconds)
    except hub.HfHubHTTPError as error:
        return _refused(name, error, role)
    except (hub.HTTPError, OSError, ValueError) as error:  # type: ignore[attr-defined]
        return _unreachable(name, first_line(error), role)


def _refused(name: str, error: "HfHubHTTPError", role: Role) -> UnreachableError:
    """Say why the hub answers but does not hand the model out."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        hint = f"Accept its terms on https://huggingface.co/{name} and set HF_TOKEN."
        return UnreachableError(f"the hub gives {name} only to those who accepted its terms", hint)
    if isinstance(error, RepositoryNotFoundError):
        hint = f"Check the spelling; for a private model set HF_TOKEN; for your own give {role.option} its folder."
        return UnreachableError(f"the hub has no model {name}, or it is private", hint)
    hint = "Check HF_TOKEN." if error.response.status_code in (401, 403) else "Try again later."
    return UnreachableError(f"the hub refuses {name}: {first_line(error)}", hint)


def _unreachable(name: str, reason: str, role: Role) -> UnreachableError:
    return UnreachableError(f"{name} is not in the cache, and the hub cannot be reached ({reason})", role.ways_out)
