"""GPT-2's 124 M size with random weights, and a tokenizer of as many made-up tokens: speed needs no more."""

import json
from pathlib import Path

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import GPT2Config, GPT2LMHeadModel


def write_gpt2(folder: Path) -> Path:
    """Write the model, unless it is there, and return its folder."""
    if (folder / "model.safetensors").exists():
        return folder
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
    letters = sorted(ByteLevel.alphabet())
    pairs = [(a, b) for a in letters for b in letters]
    merges = [*pairs[: 50256 - 256]]
    tokens = [*letters, *(a + b for a, b in merges), "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("\n".join(" ".join(merge) for merge in merges))
    return folder
