"""The model in training: open or create it, compute its loss, write it."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import GPT2Config, GPT2LMHeadModel

from ragcli.decoder.families.gpt2 import Checkpoint, read_config, runs_here
from ragcli.decoder.logs import silence_transformers
from ragcli.errors import RagcliError
from ragcli.models import ModelFolder
from ragcli.tokenizer import check_vocabulary, read_byte_level
from ragcli.train.config import Size
from ragcli.train.data import END
from ragcli.train.packing import IGNORE_INDEX, Rows

_CONTEXT = 512  # of a new model, unless another is asked for
_VALIDATION_TOKENS = 2**15  # at most, to measure by
_SUPPORTED = "Training supports GPT-2 of any size (model_type gpt2 in config.json), such as gpt2 or distilgpt2."

Losses = Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]


class ModelBundle(NamedTuple):
    """Hold a GPT-2, its tokenizer, and the token that ends a text."""

    model: Any
    tokenizer: Tokenizer
    end: int


def open_model(folder: ModelFolder, dropout: float) -> ModelBundle:
    """Load a model for training. Raises RagcliError if it is damaged or not a GPT-2."""
    silence_transformers()
    config = json.loads((folder.path / "config.json").read_bytes())
    if not runs_here(config):
        raise RagcliError(f"{folder.name} is a model of type {config.get('model_type')}, not GPT-2", _SUPPORTED)
    sizes = read_config(folder, config)
    tensors = {name: torch.tensor(tensor) for name, tensor in Checkpoint(folder, sizes).tensors()}
    tokenizer = read_byte_level(folder)
    check_vocabulary(folder, tokenizer, sizes.vocab_size)
    settings = GPT2Config.from_dict(config | _while_training(config.get("activation_function", "gelu_new"), dropout))
    model = GPT2LMHeadModel.from_pretrained(None, config=settings, state_dict=tensors, dtype=torch.float32)
    return ModelBundle(model, tokenizer, _end_token(folder, tokenizer))


def new_model(tokenizer: Tokenizer, size: Size, context: int | None, seed: int, dropout: float) -> ModelBundle:
    """Make a GPT-2 with random weights."""
    silence_transformers()
    torch.manual_seed(seed)
    end = int(tokenizer.token_to_id(END) or 0)  # it is the first
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(), n_positions=context or _CONTEXT,
        n_embd=size.width, n_layer=size.layers, n_head=size.heads,
        bos_token_id=end, eos_token_id=end, pad_token_id=end, **_while_training("gelu_new", dropout),
    )  # fmt: skip
    return ModelBundle(GPT2LMHeadModel(config), tokenizer, end)


def _while_training(activation: str, dropout: float) -> dict[str, Any]:
    # gelu_pytorch_tanh is the same function as gelu_new, in one kernel.
    return {
        "activation_function": "gelu_pytorch_tanh" if activation == "gelu_new" else activation,
        "resid_pdrop": dropout,
        "embd_pdrop": dropout,
        "attn_pdrop": dropout,
    }


def _end_token(folder: ModelFolder, tokenizer: Tokenizer) -> int:
    end = tokenizer.token_to_id(END)
    if end is None:
        raise RagcliError(f"the tokenizer of {folder.name} has no token {END}", "Use a GPT-2 with its own tokenizer.")
    return int(end)


@torch.no_grad()
def extend_embeddings(model: Any, pieces: list[list[int]], first: int) -> None:
    """Add embeddings for new tokens from id `first` on, each the mean of its old pieces' (Hewitt 2021).

    The old table may have had more rows than the tokenizer has tokens.
    """
    tables = [model.get_input_embeddings().weight]
    if not model.config.tie_word_embeddings:
        tables.append(model.get_output_embeddings().weight)
    rows = [torch.stack([table[ids].mean(dim=0) for ids in pieces]) for table in tables]
    last = first + len(pieces)
    model.resize_token_embeddings(max(last, model.config.vocab_size), mean_resizing=False)
    model.get_input_embeddings().weight[first:last] = rows[0]
    model.get_output_embeddings().weight[first:last] = rows[-1]


def device() -> torch.device:
    """Return the device to train on: the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bfloat16() -> bool:
    """Return whether bfloat16 is faster here than float32; many CPUs only emulate it."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def autocast(where: torch.device) -> torch.autocast:
    """Return a context that multiplies matrices in bfloat16 if that is fast here."""
    return torch.autocast(where.type, torch.bfloat16, enabled=has_bfloat16())


def row_losses(model: Any, tokens: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the loss of each row (rows,): the sum in nats over its learnt labels."""
    logits = model(tokens[:, :-1], use_cache=False).logits
    wanted = labels[:, 1:]
    each = cross_entropy(logits.flatten(0, 1).float(), wanted.flatten(), ignore_index=IGNORE_INDEX, reduction="none")
    return each.view(wanted.shape).sum(dim=1)


@torch.no_grad()
def bits_per_byte(model: Any, rows: Rows, sizes: NDArray[np.int64], batch: int) -> float | None:
    """Return nats / (ln 2 · bytes) over at most 32,768 tokens of evenly spaced rows; None if nothing is learnt.

    `sizes` is the number of bytes of each token.
    """
    most = max(1, _VALIDATION_TOKENS // rows.tokens.shape[1])
    chosen = np.arange(0, len(rows.tokens), max(1, len(rows.tokens) / most)).astype(int)
    model.eval()
    nats, size = 0.0, 0
    for start in range(0, len(chosen), batch):
        some = chosen[start : start + batch]
        tokens, labels = rows.tokens[some], rows.labels[some]
        with autocast(model.device):
            nats += float(row_losses(model, *as_tensors(tokens, labels, model.device)).sum())
        learnt = labels[:, 1:]
        size += int(sizes[learnt[learnt != IGNORE_INDEX]].sum())
    model.train()
    return nats / (math.log(2) * size) if size else None


def as_tensors(
    tokens: NDArray[np.int32], labels: NDArray[np.int32], where: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and labels as tensors on the device."""
    return torch.from_numpy(tokens).long().to(where), torch.from_numpy(labels).long().to(where)


def write_model(bundle: ModelBundle, folder: Path) -> None:
    """Write a folder that ragcli and transformers load as it is. Raises OSError or SafetensorError."""
    model, tokenizer, end = bundle
    model.generation_config.update(bos_token_id=end, eos_token_id=end, pad_token_id=end)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    described = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": model.config.n_positions}
    described |= dict.fromkeys(("bos_token", "eos_token", "unk_token", "pad_token"), END)
    (folder / "tokenizer_config.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
