"""Write GPT-2's 124 M size in llama.cpp's format, at Q8_0; needs the package gguf."""

import json
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

_PARTS = {
    "attn_norm": "ln_1",
    "attn_qkv": "attn.c_attn",
    "attn_output": "attn.c_proj",
    "ffn_norm": "ln_2",
    "ffn_up": "mlp.c_fc",
    "ffn_down": "mlp.c_proj",
}


def write_gguf(folder: Path, file: Path) -> None:
    """Write the model of a folder to a file."""
    writer = gguf.GGUFWriter(file, "gpt2")
    writer.add_context_length(1024)
    writer.add_embedding_length(768)
    writer.add_block_count(12)
    writer.add_feed_forward_length(4 * 768)
    writer.add_head_count(12)
    writer.add_layer_norm_eps(1e-5)
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(sorted(vocabulary, key=vocabulary.__getitem__))
    writer.add_token_types([gguf.TokenType.NORMAL] * len(vocabulary))
    writer.add_token_merges((folder / "merges.txt").read_text(encoding="utf-8").splitlines())
    for name, values in _tensors(folder):
        kind = gguf.GGMLQuantizationType.Q8_0 if values.ndim == 2 and "position" not in name else None
        if kind is None:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(folder: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Name each tensor as llama.cpp does; linear layers are stored as (out, in)."""
    tensors = load_file(folder / "model.safetensors")
    tensors = {name.removeprefix("transformer."): values for name, values in tensors.items()}
    yield "token_embd.weight", tensors["wte.weight"]
    yield "position_embd.weight", tensors["wpe.weight"]
    for kind in ("weight", "bias"):
        yield f"output_norm.{kind}", tensors[f"ln_f.{kind}"]
        for i in range(12):
            for theirs, ours in _PARTS.items():
                yield f"blk.{i}.{theirs}.{kind}", np.ascontiguousarray(tensors[f"h.{i}.{ours}.{kind}"].T)
