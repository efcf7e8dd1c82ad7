"""Make the folder that the Chinese reader starts from: python -m recipes.reader.chinese ONNX TOKENIZER OUTPUT TEXTS...

ONNX is the graph of BAAI/bge-small-zh-v1.5 with float weights, TOKENIZER its tokenizer.json, TEXTS are files whose
pieces are counted. Of its 21,128 pieces 11,400 are kept: all Chinese characters and single signs, and of the others
those that the texts have most often. Pieces of Chinese characters within a word never occur, since the tokenizer splits
them first. Texts are read in small letters, which the vocabulary has only.
"""

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from safetensors.torch import save_file
from tokenizers import Tokenizer

from ragcli.analysis.languages import HAN

PIECES = 11_400
POSITIONS = 272  # more than a reader's inputs have
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LAYERS = 4
_MATRICES = (
    *("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"),
    *("intermediate.dense", "output.dense"),
)
_HAN = re.compile(f"[\u2e80-\u2fff{HAN}]")
_UNUSED = re.compile(r"\[unused\d+\]|<S>|<T>")


def read_weights(file: Path) -> dict[str, NDArray[np.float32]]:
    """Return the tensors of the graph by their names in transformers; matrices have lost theirs, not their order."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(str(file)).graph.initializer}
    matrices = sorted((name for name in found if "MatMul" in name), key=lambda name: int(name.rpartition("_")[2]))
    names = [f"encoder.layer.{layer}.{part}.weight" for layer in range(_LAYERS) for part in _MATRICES]
    named = {name: found[matrix].T for name, matrix in zip(names, matrices, strict=True)}
    return {name: tensor for name, tensor in found.items() if name not in matrices} | named


def choose_pieces(vocabulary: dict[str, int], counts: Counter[str], most: int = PIECES) -> list[str]:
    """Return the pieces to keep, in their order."""
    kept, others = [], []
    for piece in sorted(vocabulary, key=vocabulary.__getitem__):
        bare = piece.removeprefix("##")
        if piece in SPECIAL or (len(bare) == 1 and (piece == bare or not _HAN.match(bare))):
            kept.append(piece)
        elif not _HAN.search(bare) and not _UNUSED.fullmatch(piece):
            others.append(piece)
    others.sort(key=lambda piece: -counts[piece])
    return sorted([*kept, *others[: max(0, most - len(kept))]], key=vocabulary.__getitem__)


def count_pieces(tokenizer: dict[str, Any], texts: Iterable[str]) -> Counter[str]:
    """Count the pieces of texts."""
    reading, counts = Tokenizer.from_str(json.dumps(tokenizer)), Counter[str]()
    for text in texts:
        counts.update(reading.encode(text, add_special_tokens=False).tokens)
    return counts


def write(weights: dict[str, NDArray[np.float32]], tokenizer: dict[str, Any], pieces: Sequence[str], to: Path) -> None:
    """Write the folder, with the rows of the pieces only."""
    words, places = "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"
    vocabulary = tokenizer["model"]["vocab"]
    rows = [vocabulary[piece] for piece in pieces]
    kept = {**weights, words: weights[words][rows], places: weights[places][:POSITIONS]}
    numbers = {piece: number for number, piece in enumerate(pieces)}
    added = [token | {"id": numbers[token["content"]]} for token in tokenizer["added_tokens"]]
    plain: dict[str, Any] = {"post_processor": None, "truncation": None, "padding": None}
    new = tokenizer | plain | {"added_tokens": added, "model": tokenizer["model"] | {"vocab": numbers}}
    config = {
        **{"architectures": ["BertModel"], "model_type": "bert", "vocab_size": len(pieces), "hidden_size": 512},
        **{"num_hidden_layers": _LAYERS, "num_attention_heads": 8, "intermediate_size": 2048, "hidden_act": "gelu"},
        **{"max_position_embeddings": POSITIONS, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0},
    }
    to.mkdir(parents=True, exist_ok=True)
    (to / "tokenizer.json").write_text(json.dumps(new, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    (to / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tensors = {f"bert.{name}": torch.from_numpy(np.array(tensor)).contiguous() for name, tensor in kept.items()}
    save_file(tensors, to / "model.safetensors", {"format": "pt"})


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("onnx", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("texts", type=Path, nargs="+")
    given = parser.parse_args()
    tokenizer = json.loads(given.tokenizer.read_text(encoding="utf-8"))
    tokenizer["normalizer"]["lowercase"] = True
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in given.texts)
    pieces = choose_pieces(tokenizer["model"]["vocab"], count_pieces(tokenizer, texts))
    write(read_weights(given.onnx), tokenizer, pieces, given.output)


if __name__ == "__main__":
    main()
