"""Read from a model's files how a text becomes a vector: pooling, prefixes, and the maximal length."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ragcli.encoder.names import Prefixes, known_prefixes
from ragcli.errors import RagcliError
from ragcli.models import ModelFolder, read_json

Pooling = Literal["mean", "cls"]

_MODULES = ("Transformer", "Pooling", "Normalize")
_CHOOSE = "Choose an encoder with mean or first-token pooling, such as minilm, bge-zh or e5."
# Names of the supported poolings in files written before 2026.
_FLAGS: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}


class Recipe(NamedTuple):
    """Hold everything that affects vectors besides weights and tokenizer; `longest` is None if no file says."""

    pooling: Pooling
    query_prefix: str
    passage_prefix: str
    longest: int | None
    lower: bool


def read_recipe(folder: ModelFolder) -> Recipe:
    """Read the files of sentence-transformers, with its defaults: mean pooling, no prefixes.

    Raises RagcliError for an unsupported pooling and for damaged files.
    """
    texts = _optional(folder.path / "sentence_bert_config.json")
    longest = texts.get("max_seq_length")
    if longest is not None and (not isinstance(longest, int) or longest < 2):
        raise RagcliError(f"{folder.name}: max_seq_length is {longest!r}", _CHOOSE)
    prefixes = _prefixes(folder)
    return Recipe(_pooling(folder), *prefixes, longest, bool(texts.get("do_lower_case")))


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _pooling(folder: ModelFolder) -> Pooling:
    modules = _modules(folder)
    unknown = [kind for kind, _ in modules if kind not in _MODULES]
    if unknown:
        raise RagcliError(f"{folder.name} has an unsupported module of type {unknown[0]}", _CHOOSE)
    place = next((path for kind, path in modules if kind == "Pooling"), None)
    if place is None:
        return "mean"
    config = _module_config(folder, place)
    named = config.get("pooling_mode")
    old = [flag for flag, value in config.items() if flag.startswith("pooling_mode_") and value is True]
    ways = [named] if isinstance(named, str) else list(named or [_FLAGS.get(flag, flag) for flag in old])
    if not config.get("include_prompt", True):
        ways.append("without the prompt")
    pooling = next((known for known in _FLAGS.values() if ways == [known]), None)
    if pooling is None:
        shown = ", ".join(map(str, ways)) or "none"
        raise RagcliError(f"{folder.name} has an unsupported pooling: {shown}", _CHOOSE)
    return pooling


def _module_config(folder: ModelFolder, place: str) -> dict[str, Any]:
    try:
        return read_json(folder.path / place / "config.json")
    except OSError as error:
        message = f"the model {folder.name} is incomplete: {place}/config.json is missing"
        raise RagcliError(message, "Copy or download the model again.") from error


def _modules(folder: ModelFolder) -> list[tuple[str, str]]:
    """Return the type (without the library's path) and the folder of each module."""
    file = folder.path / "modules.json"
    if not file.is_file():
        return []
    try:
        listed = json.loads(file.read_bytes())
        return [(str(module["type"]).rpartition(".")[2], str(module["path"])) for module in listed]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RagcliError(f"{file} is damaged: {error}", "Copy or download the model again.") from error


def _prefixes(folder: ModelFolder) -> Prefixes:
    """Return the prompts in the model's files, or else those of its README."""
    config = _optional(folder.path / "config_sentence_transformers.json")
    prompts = config.get("prompts") or {}
    if not isinstance(prompts, dict) or not all(isinstance(prompt, str) for prompt in prompts.values()):
        raise RagcliError(f"{folder.name}: the prompts in config_sentence_transformers.json are not texts", _CHOOSE)
    default = prompts.get(config.get("default_prompt_name"), "")
    query = prompts.get("query") or default
    passage = prompts.get("document") or prompts.get("passage") or prompts.get("corpus") or default
    return Prefixes(query, passage) if query or passage else known_prefixes(folder.name)
