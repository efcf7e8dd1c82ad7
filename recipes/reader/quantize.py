"""Round a reader to 8 bits, as the package has it: python -m recipes.reader.quantize READER OUTPUT.

Training leaves the embeddings of words as they are; those of a reader made of MiniLM stay in the package's file of it.
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import ragcli.encoder
from recipes.quantize import quantize

MINILM = Path(ragcli.encoder.__file__).with_name("minilm")
WORDS = "embeddings.word_embeddings"


def without_shared_words(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Leave out the embeddings of words if they are those of the package's MiniLM.

    Raises ValueError if they should be: with MiniLM's vocabulary, training must leave them as they are.
    """
    own, shared = tensors[f"bert.{WORDS}.weight"], load_file(MINILM / "model.safetensors")[f"{WORDS}.weight"]
    if own.shape != shared.shape:
        return tensors
    if not torch.equal(own, shared):
        raise ValueError("the embeddings of words are not MiniLM's")
    return {name: tensor for name, tensor in tensors.items() if WORDS not in name}


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("reader", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    tensors = quantize(load_file(given.reader / "model.safetensors"))
    kept = without_shared_words(tensors)
    save_file(kept, given.output / "model.safetensors")
    tokenizer = json.loads((given.reader / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer |= {"truncation": None, "padding": None}
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (given.output / "tokenizer.json").write_text(text, encoding="utf-8")
    config = json.loads((given.reader / "config.json").read_text(encoding="utf-8"))
    shared = {"word_embeddings": "minilm"} if kept is not tensors else {}
    text = json.dumps(config | shared, indent=2) + "\n"
    (given.output / "config.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
