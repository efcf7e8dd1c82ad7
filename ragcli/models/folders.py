"""The folder of a model, checked before use; its role decides which files it may have."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ragcli.errors import RagcliError

CONFIG = "config.json"
_WEIGHTS = "model.safetensors"
_SHARDS = "model.safetensors.index.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_WANTED = [CONFIG, "generation_config.json", _WEIGHTS, _SHARDS, "model-*-of-*.safetensors", *_TOKENIZERS]
_WANTED += ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt"]
CARD = "README.md"  # states the licence
_WANTED.append(CARD)
# Files added by sentence-transformers. A cache without the first may lack the others as well.
_MODULES = "modules.json"
_SENTENCES = [_MODULES, "1_Pooling/config.json", "config_sentence_transformers.json", "sentence_bert_config.json"]
_PICKLES = re.compile(r".*\.(bin|pt|pth|ckpt|pkl)", re.ASCII)


class Role(NamedTuple):
    """Describe a use of models: the option that names it, its files, and one that a cache must know about."""

    option: str = "--model"
    files: Sequence[str] = _WANTED
    decisive: str = ""

    @property
    def ways_out(self) -> str:
        """Return the hint for a hub that cannot be reached."""
        return (
            "Run the command once with a network, set HF_HOME to a folder with the cache, "
            f"or give {self.option} a local folder."
        )


LANGUAGE_MODEL = Role()
ENCODER = Role("--encoder", [*_WANTED, *_SENTENCES], _MODULES)
RERANKER = Role("--rerank", [*_WANTED, *_SENTENCES])


class ModelFolder(NamedTuple):
    """Hold a model's name, its folder, and a note for the user, if any."""

    name: str
    path: Path
    note: str | None = None

    def read_state(self) -> tuple[tuple[str, int], ...]:
        """Return what changes with the model's weights: their files, and since when they are so."""
        files = [self.path] if self.path.is_file() else weight_files(self.path)
        return tuple((str(file), file.stat().st_mtime_ns) for file in files)


def checked(name: str, path: Path) -> ModelFolder:
    """Return the folder of a model after checking it. Raises RagcliError if it is incomplete."""
    try:
        check_files(path)
        for weights in weight_files(path):
            _check_safetensors(weights)
    except OSError as error:
        raise RagcliError(
            f"cannot read the model {path}: {error.strerror}", "Check the folder's permissions."
        ) from error
    return ModelFolder(name, path)


def check_files(path: Path) -> None:
    """Raise RagcliError if a folder lacks a file of a model, OSError if it cannot be read."""
    if not (path / CONFIG).is_file():
        raise RagcliError(
            f"the folder {path} is not a model: it has no {CONFIG}", "Give --model a folder that has one."
        )
    read_json(path / CONFIG)
    if not has_weights(names := {file.name for file in path.iterdir()}):
        raise no_weights(str(path), names)
    lost = [file.name for file in weight_files(path) if not file.is_file()]
    if lost:
        raise RagcliError(f"the model {path} is incomplete: {lost[0]} is missing", _copy_again(path))
    if names.isdisjoint(_TOKENIZERS):
        raise RagcliError(f"the model {path} has no tokenizer", "Put the model's tokenizer.json into the folder.")


def weight_files(path: Path) -> list[Path]:
    """Return the file of the weights or, if there is only an index, the shards that it names."""
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


def has_weights(names: Iterable[str]) -> bool:
    """Return whether there are weights among files."""
    return not {_WEIGHTS, _SHARDS}.isdisjoint(names)


def no_weights(where: str, names: Iterable[str]) -> RagcliError:
    """Return the error for a model without safetensors, depending on its other files."""
    names = list(names)
    if any(name.endswith(".gguf") for name in names):
        return RagcliError(f"{where} has only GGUF files", "Name one by its quantization: --model OWNER/NAME:Q4_K_M.")
    pickles = sorted(filter(_PICKLES.fullmatch, names))
    if not pickles:
        return RagcliError(f"{where} has no {_WEIGHTS}", "Choose a model that has one.")
    return RagcliError(
        f"{where} has only a pickle checkpoint ({pickles[0]}), which could run arbitrary code",
        "Convert it to safetensors with a tool you trust, or choose a model that has them.",
    )


class Header(NamedTuple):
    """Hold the header of a safetensors file: the description of each tensor, and the start of the data."""

    tensors: dict[str, Any]
    start: int


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file. Raises OSError, and ValueError or AttributeError for other files.

    Source: https://github.com/huggingface/safetensors#format: 8 bytes header length, JSON header, data.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length < path.stat().st_size else b""
    tensors = json.loads(header)
    return Header({name: tensor for name, tensor in tensors.items() if name != "__metadata__"}, 8 + length)


def _check_safetensors(path: Path) -> None:
    """Compare a file's size with its header, which detects a truncated file without reading it."""
    try:
        tensors, start = read_header(path)
        ends = [tensor["data_offsets"][1] for tensor in tensors.values()]
        whole = start + max(ends, default=0) == path.stat().st_size
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise RagcliError(f"{path} is truncated or damaged", _copy_again(path.parent))


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object from a model's folder. Raises RagcliError if it is damaged."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise RagcliError(f"{path} is damaged: {error}", _copy_again(path.parent)) from error
    if not isinstance(content, dict):
        raise RagcliError(f"{path} is damaged: it is not a JSON object", _copy_again(path.parent))
    return content


def _copy_again(path: Path) -> str:
    if path.parent.name == "snapshots":
        return f"Delete the folder {path.parent.parent} and run the command again with a network."
    return "Copy or download the model again."


def is_classifier(folder: ModelFolder) -> bool:
    """Return whether a model is a classifier and not a language model."""
    return _is_a(folder, "ForSequenceClassification")


def is_reader(folder: ModelFolder) -> bool:
    """Return whether a model classifies tokens, as readers do."""
    return _is_a(folder, "ForTokenClassification")


def _is_a(folder: ModelFolder, kind: str) -> bool:
    kinds = read_json(folder.path / CONFIG).get("architectures")
    return isinstance(kinds, list) and any(str(one).endswith(kind) for one in kinds)
