"""Generate with a GGUF file."""

from pathlib import Path

from ragcli import llama_cpp
from ragcli.generate.remote import RemoteGenerator

_CONTEXT = 8192  # maximal tokens: keys and values of a full context may be larger than the model


class GgufGenerator(RemoteGenerator):
    """A model that llama.cpp runs."""

    def __init__(self, name: str, file: Path, as_text: bool = False) -> None:
        """Load a file.

        Raises RagcliError for a file that cannot be loaded, ModuleNotFoundError without xllamacpp.
        """
        super().__init__(llama_cpp.start(file, _CONTEXT), None, as_text)
        self.name = file.stem if name.endswith(".gguf") else name
        self.context = min(self.context, _CONTEXT)
