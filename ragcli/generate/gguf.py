"""Generate with a GGUF file."""

from pathlib import Path
from typing import Any

from ragcli import llama_cpp
from ragcli.errors import RagcliError
from ragcli.generate.options import Options
from ragcli.generate.remote import RemoteGenerator
from ragcli.models import read_gguf

_CONTEXT = 8192  # maximal tokens: keys and values of a full context may be larger than the model


class GgufGenerator(RemoteGenerator):
    """A model that llama.cpp runs; one without a chat template continues the text."""

    def __init__(self, name: str, file: Path, as_text: bool = False) -> None:
        """Load a file.

        Raises RagcliError for a file that cannot be loaded or does not write, ModuleNotFoundError without xllamacpp.
        """
        header = read_gguf(file)
        if header.get("pooling_type"):
            hint = "Name it by --encoder or --rerank, and a model that writes by --model."
            raise RagcliError(f"{file} is not a language model but an encoder or a re-ranker", hint)
        context = min(header.context or _CONTEXT, _CONTEXT)
        as_text = as_text or "tokenizer.chat_template" not in header.values
        super().__init__(llama_cpp.start(file, context), None, as_text)
        self.name = file.stem if name in (str(file), file.name) else name
        self.context = min(self.context, context)

    def _body(self, way: str, prompt: str, options: Options) -> dict[str, Any]:
        """Return a request with llama.cpp's own words for what OpenAI's API does not have."""
        top_k, min_p, penalty = options.sampling.top_k, options.sampling.min_p, options.sampling.repetition_penalty
        return super()._body(way, prompt, options) | {"top_k": top_k, "min_p": min_p, "repeat_penalty": penalty}
