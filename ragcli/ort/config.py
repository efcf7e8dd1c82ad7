"""Read common entries of config.json."""

from collections.abc import Mapping
from typing import Any

ACTIVATIONS = ("gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu", "relu")


def size_of(config: Mapping[str, Any], name: str, default: int) -> int:
    """Read a size from a configuration. Raises ValueError for an invalid one."""
    size = config.get(name, default)
    if not isinstance(size, int) or size < 1:
        raise ValueError(f"{name} is {size!r}")
    return size
