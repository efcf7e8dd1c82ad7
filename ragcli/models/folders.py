"""A folder that holds a model, checked before it is used; what a model is for decides which files it may have."""

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
CARD = "README.md"  # says the licence
_WANTED.append(CARD)
# What sentence-transformers writes beside a model's own files. A cache without the first may lack the others as well.
_MODULES = "modules.json"
_SENTENCES = [_MODULES, "1_Pooling/config.json", "config_sentence_transformers.json", "sentence_bert_config.json"]
_PICKLES = re.compile(r".*\.(bin|pt|pth|ckpt|pkl)", re.ASCII)


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


def checked(name: str, path: Path) -> ModelFolder:
    """Return the folder if it is a whole model, and say what is wrong with it otherwise."""
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
    """Raise RagcliError for a folder that lacks a file of a model, OSError for one that cannot be read."""
    if not (path / CONFIG).is_file():
        raise RagcliError(f"the folder {path} is no model: it has no {CONFIG}", "Give --model a folder that has one.")
    read_json(path / CONFIG)
    if not has_weights(names := {file.name for file in path.iterdir()}):
        raise no_weights(str(path), names)
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


def has_weights(names: Iterable[str]) -> bool:
    """Tell whether there are weights among files."""
    return not {_WEIGHTS, _SHARDS}.isdisjoint(names)


def no_weights(where: str, names: Iterable[str]) -> RagcliError:
    """Make the error for a model without safetensors, by what it has instead."""
    names = list(names)
    if any(name.endswith(".gguf") for name in names):
        return RagcliError(f"{where} holds GGUF files only", "Name one by its quantization: --model OWNER/NAME:Q4_K_M.")
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
    return _is_a(folder, "ForSequenceClassification")


def is_reader(folder: ModelFolder) -> bool:
    """Tell whether a model classifies tokens, as readers do."""
    return _is_a(folder, "ForTokenClassification")


def _is_a(folder: ModelFolder, kind: str) -> bool:
    kinds = read_json(folder.path / CONFIG).get("architectures")
    return isinstance(kinds, list) and any(str(one).endswith(kind) for one in kinds)
