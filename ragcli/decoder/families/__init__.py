"""The model families that run on ONNX Runtime. A new one is a folder beside `gpt2` and two lines here."""

from collections.abc import Mapping
from typing import Any

from ragcli.decoder.families import gpt2
from ragcli.decoder.family import FamilyCheckpoint
from ragcli.models import ModelFolder


def runs_here(config: Mapping[str, Any]) -> bool:
    """Return whether a configuration belongs to a family with a graph that supports it."""
    return gpt2.runs_here(config)


def open_checkpoint(folder: ModelFolder, config: Mapping[str, Any]) -> FamilyCheckpoint:
    """Open the checkpoint of a model that runs here. Raises RagcliError if it is damaged."""
    return gpt2.Checkpoint(folder, gpt2.read_config(folder, config))
