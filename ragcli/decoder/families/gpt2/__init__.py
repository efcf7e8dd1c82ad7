"""GPT-2: learnt positions, a key and a value for each attention head, layer norms with bias, GELU."""

from ragcli.decoder.families.gpt2.checkpoint import Checkpoint, Gpt2Config, read_config, runs_here

__all__ = ["Checkpoint", "Gpt2Config", "read_config", "runs_here"]
