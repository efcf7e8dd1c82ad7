"""Average two GPT-2s: `python -m recipes.small_gpt2.average ONE OTHER SHARE OUTPUT`; of OTHER so large a share.

A model that was tuned forgets some of what it was; the mean with its former self keeps most of both (Wortsman et al.
2022, Robust Fine-Tuning of Zero-Shot Models). OUTPUT is a model folder, its weights rounded to float16.
"""

import sys
from pathlib import Path

import torch

from ragcli.models import find_model
from ragcli.train.model import open_model, write_model


@torch.no_grad()
def main(one: str, other: str, share: float, output: Path) -> None:
    """Write the mean."""
    mean, there = (open_model(find_model(name, allow_fallback=False), 0.0) for name in (one, other))
    for own, tensor in zip(mean.model.parameters(), there.model.parameters(), strict=True):
        own.lerp_(tensor, share)
    mean.model.half()
    output.mkdir(parents=True, exist_ok=True)
    write_model(mean, output)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]))
