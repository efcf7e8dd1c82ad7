"""Retrieval-augmented generation from the shell, and from Python: `from ragcli import Index, ask`."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ragcli.api import Answer, Hit, Index, RagcliError, ask

__version__ = "0.1.0"
__all__ = ["Answer", "Hit", "Index", "RagcliError", "__version__", "ask"]


def __getattr__(name: str) -> Any:
    """Import the Python interface on demand, because the command line does not need it."""
    if name in __all__:
        return getattr(importlib.import_module("ragcli.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
