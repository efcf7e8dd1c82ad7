"""The families of models that run on ONNX Runtime. A new one is a folder beside `gpt2`, and two lines here."""

from collections.abc import Mapping
from typing import Any

from ragcli.decoder.families import gpt2
from ragcli.decoder.family import FamilyCheckpoint
from ragcli.models import ModelFolder


def runs_here(config: Mapping[str, Any]) -> bool:
    """Tell whether a configuration is of a family that has a graph, and asks for nothing that the graph lacks."""
    return gpt2.runs_here(config)


def open_checkpoint(folder: ModelFolder, config: Mapping[str, Any]) -> FamilyCheckpoint:
    """Open the checkpoint of a model that runs here. Raises RagcliError for a damaged one."""
    return gpt2.Checkpoint(folder, gpt2.read_config(folder, config))
