"""A reader in torch: open it from a reader or an encoder, compute its loss, write it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertForTokenClassification

from ragcli.encoder.checkpoint import Checkpoint, read_config
from ragcli.errors import RagcliError
from ragcli.models import ModelFolder, read_json
from ragcli.reader.inputs import Input, build_inputs
from ragcli.tokenizer import check_vocabulary, read_wordpiece
from ragcli.train.model import autocast

_LABELS = ("begin", "end", "score")
_SPAN_WEIGHT = 0.25
_NOTHING = -1e4  # the logit of tokens outside the text
_KIND = "BertForTokenClassification"
_HEAD = ("classifier.weight", "classifier.bias")


class ReaderBundle(NamedTuple):
    """Hold a model in training and its tokenizer."""

    model: Any
    tokenizer: Tokenizer


class Asked(NamedTuple):
    """Hold a question and its blocks. With a span, the first block answers it, at that span of its text."""

    question: str
    blocks: Sequence[tuple[str, str]]
    span: tuple[int, int] | None


def open_bundle(folder: ModelFolder, seed: int) -> ReaderBundle:
    """Load a reader, or an encoder with a new random head, without dropout. Raises RagcliError for other models."""
    config = read_json(folder.path / "config.json")
    if config.get("model_type") != "bert":
        raise RagcliError(
            f"{folder.name} is not a BERT model", "Start from a reader, or from an encoder such as minilm."
        )
    is_reader = config.get("architectures") == [_KIND]
    width = read_config(folder, config).hidden_size
    sizes = {"classifier.weight": (len(_LABELS), width), "classifier.bias": (len(_LABELS),)}
    checkpoint = Checkpoint(folder, config, sizes if is_reader else None)
    names = dict(enumerate(_LABELS))
    off: Mapping[str, Any] = {
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "attn_implementation": "eager",  # with the fused one a step on a CPU takes 1.4 times as long
        "id2label": names,
    }
    torch.manual_seed(seed)
    model = BertForTokenClassification(BertConfig(**{**config, **off, "label2id": {v: k for k, v in names.items()}}))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if is_reader or name not in _HEAD:
                parameter.copy_(torch.from_numpy(np.array(checkpoint[name.removeprefix("bert.")])))
    tokenizer = read_wordpiece(folder)
    check_vocabulary(folder, tokenizer, checkpoint.config.vocab_size)
    return ReaderBundle(model, tokenizer)


def scores_of(bundle: ReaderBundle, inputs: Sequence[Input]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the scores (n,) of the inputs, and the logits (n, tokens, 2) of the answer's first and last token."""
    longest = max(len(entry.ids) for entry in inputs)
    ids = torch.zeros(len(inputs), longest, dtype=torch.long)
    types, real = torch.zeros_like(ids), torch.zeros_like(ids)
    text = torch.zeros(len(inputs), longest, 1, dtype=torch.bool)
    for row, entry in enumerate(inputs):
        count = len(entry.ids)
        ids[row, :count], types[row, :count] = torch.tensor(entry.ids), torch.tensor(entry.types)
        real[row, :count] = 1
        text[row, entry.begin : entry.begin + len(entry.offsets)] = True
    where = bundle.model.device
    with autocast(where):
        logits = bundle.model(ids.to(where), attention_mask=real.to(where), token_type_ids=types.to(where)).logits
    logits = logits.float()
    places = logits[..., :2].masked_fill(~text.to(where), _NOTHING)
    return logits[:, 0, 2] + places.logsumexp(dim=1).sum(dim=1), places


def loss_of(bundle: ReaderBundle, batch: Sequence[Asked]) -> torch.Tensor:
    """Return the mean loss of the questions in nats.

    It is the cross-entropy of the right block among the question's blocks and "none of them", whose score is 0, plus a
    share of the cross-entropy of the span's first and last token.
    """
    inputs, ends, rows, firsts = list[Input](), list[tuple[int, int]](), list[int](), list[int]()
    for asked in batch:
        firsts.append(len(inputs))
        inputs += build_inputs(bundle.tokenizer, asked.question, asked.blocks)
        tokens = token_span(inputs[firsts[-1]], asked.span) if asked.span else None
        if tokens:
            ends.append(tokens)
            rows.append(firsts[-1])
    scores, places = scores_of(bundle, inputs)
    losses = []
    for asked, group in zip(batch, torch.split(scores, [len(asked.blocks) for asked in batch]), strict=True):
        choice = torch.cat([group.new_zeros(1), group]).log_softmax(dim=0)
        losses.append(-choice[1 if asked.span else 0])
    loss = torch.stack(losses).mean()
    if rows:
        wanted = torch.tensor(ends, device=scores.device)
        spans = cross_entropy(places[rows].transpose(1, 2).flatten(0, 1), wanted.flatten())
        loss = loss + 2 * _SPAN_WEIGHT * spans
    return loss


def token_span(entry: Input, span: tuple[int, int]) -> tuple[int, int] | None:
    """Return the positions of a span's first and last token in an input; None if it was truncated."""
    inside = [
        place
        for place, (start, end) in enumerate(entry.offsets, entry.begin)
        if end > span[0] and start < span[1] and end > start
    ]
    return (inside[0], inside[-1]) if inside else None


def write_reader(bundle: ReaderBundle, folder: Path) -> None:
    """Write a folder that ragcli and transformers load, at 16 bits. Raises OSError or SafetensorError."""
    tensors = {name: value.detach().cpu().half().contiguous() for name, value in bundle.model.state_dict().items()}
    save_file({name: value for name, value in tensors.items() if value.is_floating_point()},
              folder / "model.safetensors", {"format": "pt"})  # fmt: skip
    bundle.tokenizer.save(str(folder / "tokenizer.json"))
    config = {**bundle.model.config.to_dict(), "architectures": [_KIND]}
    config.pop("word_embeddings", None)  # the folder has its own
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
