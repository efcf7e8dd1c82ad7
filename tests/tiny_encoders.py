"""Write encoders of two layers that know nothing, in the layout of the hub, and run them by transformers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertConfig,
    CamembertConfig,
    PretrainedConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

LONGEST = 40
LETTERS = [*"abcdefghijklmnopqrstuvwxyz0123456789.,:?-", *"列表推导式是什么"]
CONFIGS: dict[str, type[PretrainedConfig]] = {
    "bert": BertConfig,
    "roberta": RobertaConfig,
    "xlm-roberta": XLMRobertaConfig,
    "camembert": CamembertConfig,
}
TYPE = "sentence_transformers.models."


MODEL: Any = AutoModel
CLASSIFIER: Any = AutoModelForSequenceClassification
TOKEN_CLASSIFIER: Any = AutoModelForTokenClassification


def write_encoder(folder: Path, kind: str = "bert", pooling: str = "mean", **config: Any) -> Path:
    """Write an encoder with a random state, its biases and norms random as well."""
    tokens = write_tokenizer(folder, kind)
    model = MODEL.from_config(_config(kind, tokens, config))
    _write_model(model, folder)
    flags = {"pooling_mode_mean_tokens": pooling == "mean", "pooling_mode_cls_token": pooling == "cls"}
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, **flags})
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    write_json(folder / "modules.json", [{"path": path, "type": TYPE + name} for path, name in modules])
    return folder


def write_cross_encoder(folder: Path, kind: str = "bert", **config: Any) -> Path:
    """Write a cross-encoder with a random state."""
    tokens = write_tokenizer(folder, kind)
    config = {"num_labels": 1, **config}
    _write_model(CLASSIFIER.from_config(_config(kind, tokens, config)), folder)
    return folder


def write_reader(folder: Path) -> Path:
    """Write a reader with a random state."""
    tokens = write_tokenizer(folder, "bert")
    config = _config("bert", tokens, {"num_labels": 3, "max_position_embeddings": 300})
    _write_model(TOKEN_CLASSIFIER.from_config(config), folder)
    return folder


def _config(kind: str, tokens: int, updates: dict[str, Any]) -> PretrainedConfig:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    bert = kind == "bert"
    places = {"max_position_embeddings": LONGEST + (0 if bert else 2), "type_vocab_size": 2 if bert else 1}
    settings = {"vocab_size": tokens, "pad_token_id": 0 if bert else 1, "initializer_range": 0.2, **sizes, **places}
    return CONFIGS[kind](**{**settings, **updates})


def _write_model(model: Any, folder: Path) -> None:
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)


def write_tokenizer(folder: Path, kind: str) -> int:
    """Write a tokenizer of letters, and return how many tokens it has."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] if kind == "bert" else ["<s>", "<pad>", "</s>", "<unk>"]
    unknown, first, last = ("[UNK]", "[CLS]", "[SEP]") if kind == "bert" else ("<unk>", "<s>", "</s>")
    tokens = [*special, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    between, second = ("", ":1") if kind == "bert" else (f" {last}", "")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last}{between} $B{second} {last}{second}",
        special_tokens=[(token, vocabulary[token]) for token in (first, last)],
    )
    tokenizer.enable_padding(length=7)  # as some files on the hub do
    tokenizer.enable_truncation(7)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return len(tokens)


def write_json(file: Path, content: object) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def reference(folder: Path, texts: Sequence[str], pooling: str, longest: int = LONGEST) -> NDArray[np.float32]:
    """Return the vectors that transformers gives, each text alone."""
    model = MODEL.from_pretrained(folder, dtype=torch.float32).eval()
    found = []
    for inputs in _inputs(folder, texts, longest):
        with torch.inference_mode():
            states = model(**inputs).last_hidden_state[0]
        vector = states.mean(dim=0) if pooling == "mean" else states[0]
        found.append((vector / vector.norm()).numpy())
    return np.array(found)


def reference_scores(folder: Path, query: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the logits that transformers gives, each pair alone."""
    model = CLASSIFIER.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        pairs = _inputs(folder, [(query, text) for text in texts], LONGEST)
        return np.array([model(**inputs).logits[0, 0].item() for inputs in pairs], dtype=np.float32)


def _inputs(folder: Path, texts: Sequence[Any], longest: int) -> list[dict[str, torch.Tensor]]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    encodings = [tokenizer.encode(*text) if isinstance(text, tuple) else tokenizer.encode(text) for text in texts]
    return [{"input_ids": torch.tensor([e.ids]), "token_type_ids": torch.tensor([e.type_ids])} for e in encodings]
