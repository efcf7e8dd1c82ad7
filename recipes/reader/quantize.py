"""Round a reader to 8 bits, as the package has it: python -m recipes.reader.quantize READER OUTPUT.

Each row of a matrix, which makes one output of a layer or stands for one token, has a scale of its own; positions have
16 bits, norms and biases 32.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

LEAST_ROWS = 8  # of a matrix that is rounded; those of the outputs and of the token types are small


def quantize(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return rounded tensors, and beside each its scales under the name `_scale`."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        values = tensor.float()
        if values.ndim == 2 and "position" not in name and len(values) >= LEAST_ROWS:
            scale = values.abs().amax(dim=1).clamp_min(1e-12) / 127
            found[name] = (values / scale[:, None]).round().to(torch.int8)
            found[f"{name}_scale"] = scale
        else:
            found[name] = values.half() if "position" in name else values
    return {name: tensor.contiguous() for name, tensor in found.items()}


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("reader", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    save_file(quantize(load_file(given.reader / "model.safetensors")), given.output / "model.safetensors")
    tokenizer = json.loads((given.reader / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer |= {"truncation": None, "padding": None}
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (given.output / "tokenizer.json").write_text(text, encoding="utf-8")
    (given.output / "config.json").write_bytes((given.reader / "config.json").read_bytes())


if __name__ == "__main__":
    main()
