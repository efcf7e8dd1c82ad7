"""Open what runs a model."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from ragcli.callbacks import ignore
from ragcli.errors import RagcliError
from ragcli.generate.engine import LanguageModel
from ragcli.generate.generator import EngineGenerator, Generator
from ragcli.models import (
    DEFAULT_MODEL,
    PACKAGED,
    SMOLLM2,
    SMOLLM2_NOTE,
    ModelFolder,
    find_gguf,
    find_model,
    is_gguf,
    writes_offline,
)
from ragcli.warm import opened

Precision = Literal["auto", "float32", "int8", "int4"]


def open_generator(
    folder: ModelFolder, precision: Precision = "auto", note: Callable[[str], None] = ignore
) -> Generator:
    """Open a model to write text with; raises what `open_language_model` raises."""
    return EngineGenerator(open_language_model(folder, precision, note))


def open_remote(base_url: str, model: str | None, api_key: str | None, as_text: bool = False) -> Generator:
    """Open a model of an OpenAI-compatible server; `as_text` asks it to go on with a text, not to answer a message.

    Raises UsageError for a wrong URL and where no model is named of several, UnreachableError, RagcliError.
    """
    from ragcli.endpoint import Endpoint
    from ragcli.generate.remote import RemoteGenerator

    return RemoteGenerator(Endpoint(base_url, api_key), model, as_text)


def open_model(
    model: str | None,
    precision: Precision = "auto",
    note: Callable[[str], None] = ignore,
    as_text: bool = False,
    engine: bool = False,
) -> Generator:
    """Open a model by its name, or the default one, to write text with; `as_text` as above. Raises RagcliError.

    Where the default one cannot be had, smollm2 stands in if it is here, but not where an `engine` is needed.
    """
    if model and is_gguf(model):
        return open_gguf(model, as_text)
    folder = find_model(model or DEFAULT_MODEL, allow_fallback=model is None)
    if folder.path == PACKAGED and not (model or engine) and writes_offline():
        note(SMOLLM2_NOTE)
        return open_gguf(SMOLLM2, as_text)
    if folder.note:
        note(folder.note)
    return open_generator(folder, precision, note)


def open_gguf(name: str, as_text: bool = False) -> Generator:
    """Open the GGUF file of that name; `as_text` as above.

    Raises UnreachableError, RagcliError for a file that cannot be loaded, ModuleNotFoundError without the extra `gguf`.
    """
    from ragcli.generate.gguf import GgufGenerator

    return GgufGenerator(name, find_gguf(name), as_text)


def open_language_model(
    folder: ModelFolder, precision: Precision = "auto", note: Callable[[str], None] = ignore
) -> LanguageModel:
    """Open the engine that runs a model: GPT-2 on ONNX Runtime, all else, and what that cannot run, by transformers.

    `note` gets what the user should know. Raises RagcliError for a model that cannot be loaded, or not so precisely.
    """
    from ragcli.decoder.families import runs_here
    from ragcli.decoder.onnx_model import OnnxModel

    config = _read_config(folder)
    if runs_here(config):
        make = partial(OnnxModel, folder, config, precision, note)
        return opened(folder, f"language model {precision}", make, alone=True)
    if precision not in ("auto", "float32"):
        raise RagcliError(f"{folder.name} runs at float32 only: it is no GPT-2", "Leave out --precision.")
    try:
        from ragcli.decoder.transformers_model import TransformersModel
    except ModuleNotFoundError as error:
        message = f"{folder.name} is no GPT-2 and needs the package {error.name}, which is not installed"
        raise RagcliError(message, "Install it: pip install 'ragcli[torch]'.") from error
    return opened(folder, "transformers", partial(TransformersModel, folder), alone=True)


def _read_config(folder: ModelFolder) -> dict[str, Any]:
    """Return config.json, or nothing where it cannot be read: transformers says why."""
    try:
        config = json.loads((folder.path / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}
