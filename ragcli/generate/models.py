"""Open generators and engines by the name of a model."""

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
    """Open a model to generate text; errors are those of `open_language_model`."""
    return EngineGenerator(open_language_model(folder, precision, note))


def open_remote(base_url: str, model: str | None, api_key: str | None, as_text: bool = False) -> Generator:
    """Open a model of an OpenAI-compatible server; with `as_text` it continues a text instead of answering a message.

    Raises UsageError for an invalid URL or if one of several models must be named, UnreachableError, RagcliError.
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
    """Open a model by its name, or the default one, to generate text; `as_text` as above. Raises RagcliError.

    If the default one is not available, smollm2 is used if it is installed and no `engine` is needed.
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

    file = find_gguf(name)
    return opened(ModelFolder(name, file), f"gguf {as_text}", partial(GgufGenerator, name, file, as_text))


def open_language_model(
    folder: ModelFolder, precision: Precision = "auto", note: Callable[[str], None] = ignore
) -> LanguageModel:
    """Open the engine of a model: GPT-2 runs on ONNX Runtime, all other models on transformers.

    `note` receives notes for the user. Raises RagcliError for a model that cannot be loaded, or not in this
    precision.
    """
    from ragcli.decoder.families import runs_here
    from ragcli.decoder.onnx_model import OnnxModel

    config = _read_config(folder)
    if runs_here(config):
        make = partial(OnnxModel, folder, config, precision, note)
        return opened(folder, f"language model {precision}", make, alone=True)
    if precision not in ("auto", "float32"):
        raise RagcliError(f"{folder.name} only runs in float32, because it is not a GPT-2", "Leave out --precision.")
    try:
        from ragcli.decoder.transformers_model import TransformersModel
    except ModuleNotFoundError as error:
        message = f"{folder.name} is not a GPT-2 and needs the package {error.name}, which is not installed"
        raise RagcliError(message, "Install it: pip install 'ragcli[torch]'.") from error
    return opened(folder, "transformers", partial(TransformersModel, folder), alone=True)


def _read_config(folder: ModelFolder) -> dict[str, Any]:
    """Return config.json, or nothing if it cannot be read; transformers will report why."""
    try:
        config = json.loads((folder.path / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}
