"""Retrieval-augmented generation from the shell, and from Python: `from ragcli import Index, ask`."""

TYPE_CHECKING = False  # that of `typing`, for which the command line would have to wait
if TYPE_CHECKING:
    from ragcli.api import Answer, Hit, Index, RagcliError, ask

__version__ = "0.1.0"
__all__ = ["Answer", "Hit", "Index", "RagcliError", "__version__", "ask"]


def __getattr__(name: str) -> object:
    """Import the Python interface on demand, because the command line does not need it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module("ragcli.api"), name)
