"""Generate text from prompts: generators, the engines below them, and the one decoding loop."""

from ragcli.generate.engine import Batching, LanguageModel, Logits, damaged_weights
from ragcli.generate.generator import EngineGenerator, Generator, Stream, engine_of
from ragcli.generate.loop import complete, complete_all, count_tokens
from ragcli.generate.models import (
    Precision,
    open_generator,
    open_gguf,
    open_language_model,
    open_model,
    open_remote,
)
from ragcli.generate.options import Completion, Ended, Options, check_json, new_seed

__all__ = [
    "Batching",
    "Completion",
    "Ended",
    "EngineGenerator",
    "Generator",
    "LanguageModel",
    "Logits",
    "Options",
    "Precision",
    "Stream",
    "check_json",
    "complete",
    "complete_all",
    "count_tokens",
    "damaged_weights",
    "engine_of",
    "new_seed",
    "open_generator",
    "open_gguf",
    "open_language_model",
    "open_model",
    "open_remote",
]
