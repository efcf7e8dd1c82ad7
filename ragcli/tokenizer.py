"""Read a model's tokenizer from its folder, without truncation and padding."""

from pathlib import Path

from tokenizers import AddedToken, BertWordPieceTokenizer, Tokenizer, decoders, models, pre_tokenizers

from ragcli.errors import RagcliError, first_line
from ragcli.models import ModelFolder, read_json

_END = "<|endoftext|>"
_COPY_AGAIN = "Copy or download the model again."


def read_tokenizer(file: Path) -> Tokenizer:
    """Read a tokenizer.json. Raises RagcliError if it is damaged."""
    try:
        return plain(Tokenizer.from_file(str(file)))
    except Exception as error:  # the library raises nothing narrower
        raise RagcliError(f"{file} is damaged: {error}", _COPY_AGAIN) from error


def read_byte_level(folder: ModelFolder) -> Tokenizer:
    """Read a GPT-2 tokenizer: tokenizer.json, or the older vocab.json and merges.txt. Raises RagcliError."""
    file = folder.path / "tokenizer.json"
    if file.is_file():
        return read_tokenizer(file)
    try:
        model = models.BPE.from_file(str(folder.path / "vocab.json"), str(folder.path / "merges.txt"))
    except Exception as error:  # the library raises nothing narrower
        hint = "Put the model's tokenizer.json into the folder."
        raise RagcliError(f"cannot load the tokenizer of {folder.name}: {first_line(error)}", hint) from error
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if tokenizer.token_to_id(_END) is not None:
        tokenizer.add_special_tokens([AddedToken(_END, special=True)])
    return plain(tokenizer)


def read_wordpiece(folder: ModelFolder) -> Tokenizer:
    """Read an encoder's tokenizer: tokenizer.json, or the older vocab.txt. Raises RagcliError."""
    file = folder.path / "tokenizer.json"
    if file.is_file():
        return read_tokenizer(file)
    settings = folder.path / "tokenizer_config.json"
    lower = bool(read_json(settings).get("do_lower_case", True)) if settings.is_file() else True
    try:
        return plain(BertWordPieceTokenizer(str(folder.path / "vocab.txt"), lowercase=lower)._tokenizer)
    except Exception as error:  # the library raises nothing narrower
        hint = "Put the model's tokenizer.json into the folder."
        raise RagcliError(f"cannot load the tokenizer of {folder.name}: {first_line(error)}", hint) from error


def plain(tokenizer: Tokenizer) -> Tokenizer:
    """Switch truncation and padding off."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def check_vocabulary(folder: ModelFolder, tokenizer: Tokenizer, places: int) -> None:
    """Raise RagcliError if the embedding has fewer rows than the tokenizer has tokens."""
    tokens = tokenizer.get_vocab_size()
    if tokens > places:
        message = f"the tokenizer of {folder.name} has {tokens} tokens, its embedding only {places}"
        raise RagcliError(message, "Check that tokenizer.json belongs to this model.")
