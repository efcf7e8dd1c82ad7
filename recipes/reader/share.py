"""Write a Chinese encoder and the reader made of it, as the package has them: one set of weights, and a difference.

python -m recipes.reader.share START READER ENCODER OUTPUT

START is what `chinese.py` wrote, READER what was trained from it. ENCODER gets START's weights as integers, OUTPUT the
reader's difference from them: of each matrix the product of two thin ones, by singular values.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from recipes.quantize import quantize

TOP = 63  # 7 bits, which are smaller in a zip file
RANK = 32
_PREFIX = "bert."
_SCALE = "_scale"


def dequantized(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors as float32, without scales."""
    return {
        name: tensor.float() * (tensors[name + _SCALE][:, None] if name + _SCALE in tensors else 1)
        for name, tensor in tensors.items()
        if not name.endswith(_SCALE)
    }


def difference(base: dict[str, torch.Tensor], reader: dict[str, torch.Tensor], rank: int) -> dict[str, torch.Tensor]:
    """Return the reader's own tensors: factors of its matrices' differences, without embeddings of words."""
    found: dict[str, torch.Tensor] = {}
    for name, tensor in reader.items():
        if "encoder.layer" not in name or tensor.ndim != 2:
            found |= {} if "word_embeddings" in name else quantize({name: tensor})
            continue
        up, values, down = torch.svd_lowrank(tensor - base[name], q=rank + 8, niter=4)
        root = values[:rank].sqrt()
        found |= quantize({f"{name}_up": up[:, :rank] * root, f"{name}_down": (down[:, :rank] * root).T})
    return found


def encoder_tokenizer(tokenizer: dict[str, Any]) -> dict[str, Any]:
    """Return a tokenizer that frames texts by [CLS] and [SEP], which a reader's inputs do themselves."""
    ids = tokenizer["model"]["vocab"]
    first, text, last = (
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    )
    second = [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}]
    special = {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")}
    frame = {"single": [first, text, last], "pair": [first, text, last, *second], "special_tokens": special}
    return tokenizer | {"post_processor": {"type": "TemplateProcessing", **frame}}


def main() -> None:
    """Write both folders."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("start", "reader", "encoder", "output"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--rank", type=int, default=RANK)
    parser.add_argument("--top", type=int, default=TOP)
    given = parser.parse_args()
    torch.manual_seed(0)
    given.encoder.mkdir(parents=True, exist_ok=True)
    given.output.mkdir(parents=True, exist_ok=True)
    base = quantize(load_file(given.start / "model.safetensors"), given.top)
    plain = {name.removeprefix(_PREFIX): tensor for name, tensor in base.items()}
    save_file(plain, given.encoder / "model.safetensors", {"format": "pt"})
    reader = dequantized(load_file(given.reader / "model.safetensors"))
    save_file(difference(dequantized(base), reader, given.rank), given.output / "model.safetensors")
    tokenizer = json.loads((given.start / "tokenizer.json").read_text(encoding="utf-8"))
    for folder, written in ((given.encoder, encoder_tokenizer(tokenizer)), (given.output, tokenizer)):
        text = json.dumps(written | {"truncation": None, "padding": None}, ensure_ascii=False, separators=(",", ":"))
        (folder / "tokenizer.json").write_text(text, encoding="utf-8")
    config = json.loads((given.start / "config.json").read_text(encoding="utf-8"))
    (given.encoder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    config = json.loads((given.reader / "config.json").read_text(encoding="utf-8")) | {"base": given.encoder.name}
    (given.output / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
