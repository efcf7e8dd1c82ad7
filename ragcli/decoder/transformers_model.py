"""Run any causal language model with transformers, in float32, on CUDA if available, else on the CPU."""

import contextlib
import inspect
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from numpy.typing import NDArray
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from ragcli.decoder.logs import silence_transformers
from ragcli.errors import RagcliError, first_line
from ragcli.models import ModelFolder
from ragcli.tokenizer import check_vocabulary, plain, read_tokenizer

Logits = NDArray[np.float32]

_SAFE = {"trust_remote_code": False, "local_files_only": True}
_DEFAULT_CONTEXT = 2048  # for families without a maximal position
_CHOOSE = "Choose a causal language model, such as gpt2."
_COPY_AGAIN = "Copy or download the model again."
# What transformers raises for an invalid folder; it checks little, and fails in many ways.
_LOAD_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    ImportError,
    SafetensorError,
    StrictDataclassError,
)


class TransformersModel:
    """A model, its tokenizer, and the key/value state of the current rows."""

    def __init__(self, folder: ModelFolder) -> None:
        """Load the model. Raises RagcliError if it is damaged or not a causal language model."""
        with _quiet():
            config = _load_config(folder)
            self._model = _place(_load_model(folder, config), folder)
            self._tokenizer = _load_tokenizer(folder)
        check_vocabulary(folder, self._tokenizer, self._model.get_input_embeddings().num_embeddings)
        self.name = folder.name
        self.context = _context(config)
        self.end_ids = _end_ids(self._model)
        self._last_only = {"logits_to_keep": 1} if _can_keep_last(self._model) else {}
        self._state: Any = None

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a prompt, with the model's leading special tokens."""
        return list(self._tokenizer.encode(text).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids without special tokens; an incomplete character becomes U+FFFD."""
        return str(self._tokenizer.decode(list(ids)))

    def prefill(self, prompt_ids: Sequence[int], rows: int) -> Logits:
        """Read the prompt once after a reset, and return the logits (rows, vocab) that follow it."""
        self._state = None
        logits = self._forward([list(prompt_ids)])
        if rows > 1:
            self._state.batch_repeat_interleave(rows)
        return np.repeat(logits, rows, axis=0)

    def step(self, token_ids: Sequence[int]) -> Logits:
        """Add one token to each row and return the logits (rows, vocab) that follow."""
        return self._forward([[token] for token in token_ids])

    def log_probabilities(self, ids: Sequence[int], start: int) -> NDArray[np.float32]:
        """Return the natural log-probabilities of ids[start:], each given all tokens before it.

        `start` is at least 1, and `ids` fit into the context. The state of the rows is lost.
        """
        self._state = None
        wanted = torch.tensor(list(ids[start:]), dtype=torch.long, device=self._model.device)
        keep = {"logits_to_keep": len(ids) - start} if self._last_only else {}
        with _quiet(), torch.inference_mode():
            given = torch.tensor([list(ids[:-1])], device=self._model.device)
            logits = self._model(given, use_cache=False, **keep).logits[0]
            logits = logits[len(logits) - len(wanted) :]
            losses = torch.nn.functional.cross_entropy(logits.float(), wanted, reduction="none")
        return np.asarray(-losses.cpu().numpy(), dtype=np.float32)

    def _forward(self, ids: list[list[int]]) -> Logits:
        with _quiet(), torch.inference_mode():
            given = torch.tensor(ids, device=self._model.device)
            output = self._model(given, past_key_values=self._state, use_cache=True, **self._last_only)
        self._state = output.past_key_values
        return np.asarray(output.logits[:, -1].float().cpu().numpy(), dtype=np.float32)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library's progress bars and warnings, and redirect its output to stderr."""
    silence_transformers()
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        yield


def _load_config(folder: ModelFolder) -> Any:
    try:
        config = AutoConfig.from_pretrained(folder.path, **_SAFE)
    except _LOAD_ERRORS as error:
        raise _cannot_load(folder, error) from error
    kinds = getattr(config, "architectures", None) or []
    causal = set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    # A bare "GPT2Model" shares all weights with its causal form; "BertForMaskedLM" would load, and write nonsense.
    if kinds and not any(kind in causal or kind.endswith("Model") for kind in kinds):
        raise RagcliError(f"{folder.name} is not a causal language model but {kinds[0]}", _CHOOSE)
    return config


def _load_model(folder: ModelFolder, config: Any) -> Any:
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder.path,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported below
            **_SAFE,
        )
    except _LOAD_ERRORS as error:
        raise _cannot_load(folder, error) from error
    model, report = loaded
    if report["mismatched_keys"]:
        name = min(report["mismatched_keys"])[0]
        raise RagcliError(f"{folder.path}: the tensor {name} does not have the size of config.json", _COPY_AGAIN)
    if report["missing_keys"]:
        lost = f"{len(report['missing_keys'])} of its tensors, such as {min(report['missing_keys'])}"
        hint = f"It is damaged, or not a causal language model. {_CHOOSE}"
        raise RagcliError(f"the model {folder.name} lacks {lost}", hint)
    return model.eval()


def _place(model: Any, folder: ModelFolder) -> Any:
    try:
        return model.to("cuda" if torch.cuda.is_available() else "cpu")
    except RuntimeError as error:  # also raised if it does not fit
        hint = "Choose a smaller model, or hide the GPU: CUDA_VISIBLE_DEVICES= ragcli …"
        raise RagcliError(f"cannot load {folder.name} onto the GPU: {first_line(error)}", hint) from error


def _load_tokenizer(folder: ModelFolder) -> Tokenizer:
    """Read tokenizer.json directly, because transformers replaces parts of it by its own defaults."""
    file = folder.path / "tokenizer.json"
    return read_tokenizer(file) if file.is_file() else plain(_convert_tokenizer(folder))


def _convert_tokenizer(folder: ModelFolder) -> Any:
    try:
        return AutoTokenizer.from_pretrained(folder.path, **_SAFE).backend_tokenizer
    except _LOAD_ERRORS as error:
        hint = "Put the model's tokenizer.json into the folder."
        raise RagcliError(f"cannot load the tokenizer of {folder.name}: {first_line(error)}", hint) from error


def _context(config: Any) -> int:
    """Return the context length of the model."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or _DEFAULT_CONTEXT)


def _end_ids(model: Any) -> frozenset[int]:
    end = model.generation_config.eos_token_id
    return frozenset([] if end is None else [end] if isinstance(end, int) else end)


def _can_keep_last(model: Any) -> bool:
    """Return whether the model can compute only the last logits, which saves 200 MB for a long prompt."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def _cannot_load(folder: ModelFolder, error: Exception) -> RagcliError:
    return RagcliError(f"cannot load the model {folder.name}: {first_line(error)}", _CHOOSE)
