"""Convert a BERT, with its weights and its vocabulary, to a GGUF file, as llama.cpp's own script does."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from ragcli.encoder.checkpoint import Checkpoint
from ragcli.models import ModelFolder, read_json

SPECIAL = {"[PAD]": "pad", "[UNK]": "unk", "[CLS]": "bos", "[SEP]": "sep"}
HEAD = {"pooler.dense": "cls", "classifier": "cls.output"}


def write_bert_gguf(folder: Path, path: Path, pooling: gguf.PoolingType = gguf.PoolingType.MEAN) -> Path:
    """Write the GGUF file of an encoder, or with the pooling RANK, of a cross-encoder."""
    config: Mapping[str, Any] = read_json(folder / "config.json")
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(pooling)
    _add_vocabulary(writer, folder)
    writer.add_token_type_count(config["type_vocab_size"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, config["num_hidden_layers"])
    checkpoint = Checkpoint(ModelFolder(str(folder), folder), config)
    for name in checkpoint._tensors:
        part, _, kind = name.rpartition(".")
        new = HEAD.get(part) or names.get_name(part)
        if kind in ("weight", "bias") and new and (part not in HEAD or pooling == gguf.PoolingType.RANK):
            writer.add_tensor(f"{new}.{kind}", np.ascontiguousarray(checkpoint[name]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_vocabulary(writer: gguf.GGUFWriter, folder: Path) -> None:
    """Add the tokens, those that begin a word with a mark instead of those within one."""
    ids = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    tokens = sorted(ids, key=ids.__getitem__)
    writer.add_tokenizer_model("bert")
    writer.add_token_list([t if t in SPECIAL else t[2:] if t.startswith("##") else f"\u2581{t}" for t in tokens])
    writer.add_token_types([control if token in SPECIAL else normal for token in tokens])
    for token, role in SPECIAL.items():
        getattr(writer, f"add_{role}_token_id")(ids[token])
