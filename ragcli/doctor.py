"""Check everything that a run needs (store, disk, models, index), with a fix for each problem."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from ragcli import __version__, settings
from ragcli.contents import verify
from ragcli.counts import counted, held
from ragcli.encoding import DEFAULT_ENCODERS, matching_encoder, open_encoder, suggested_encoder
from ragcli.errors import MissingIndexError, RagcliError
from ragcli.models import list_models
from ragcli.reader import PACKAGED, open_reader
from ragcli.store import LOCAL, IndexLocation, Store, local_indexes, open_store

if TYPE_CHECKING:
    from ragcli.store_elastic.health import Server

_SHOWN_NAMES = 10
_LITTLE_ROOM = 2**30  # bytes
_TESTED = "8."  # versions of Elasticsearch
_EXTRAS = {
    "torch": "torch", "eval": "ir_measures", "gguf": "xllamacpp", "parquet": "pyarrow", "watch": "watchfiles",
    "serve": "uvicorn", "mcp": "mcp",
}  # fmt: skip


class Check(NamedTuple):
    """Hold the result of one check, and what to do about a problem."""

    name: str
    state: Literal["ok", "warning", "failed"]
    detail: str
    mend: str = ""


def examine(location: IndexLocation) -> Iterator[Check]:
    """Yield a check for each thing that commands on this index need."""
    yield Check("ragcli", "ok", f"{__version__} · Python {platform.python_version()} · {platform.system()}")
    yield Check("extras", "ok", ", ".join(name for name, module in _EXTRAS.items() if find_spec(module)) or "none")
    yield from _guarded("store", lambda: _local(location) if location.url == LOCAL else _server(location))
    yield _disk(settings.data_home(), "disk")
    yield _disk(settings.cache_home(), "cache")
    yield _models()
    yield from _guarded("reader", _readers)
    try:
        store = open_store(location)
    except RagcliError as e:
        yield Check("index", "warning" if isinstance(e, MissingIndexError) else "failed", e.message, e.hint)
        yield from _guarded("encoder", lambda: _encoder(None))
        return
    with store:
        yield from _guarded("index", lambda: _index(store, location))
        yield from _guarded("encoder", lambda: _encoder(store))


def _guarded(name: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from look()
    except RagcliError as e:
        yield Check(name, "failed", e.message, e.hint)


def _local(location: IndexLocation) -> Iterator[Check]:
    names = local_indexes(location.folder)
    shown = ", ".join(names[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
    count = counted(len(names), "index", "indexes")
    yield Check("store", "ok", f"embedded, in {location.folder}: {count}{f' ({shown})' if names else ''}")


def _server(location: IndexLocation) -> Iterator[Check]:
    from ragcli.store_elastic.health import ANALYZED, look_at

    server = look_at(location.url, location.access)
    yield _versions(server)
    if server.licence_status == "active":
        yield Check("licence", "ok", server.licence)
    else:
        mend = "Renew it, or return to the basic licence, which is all that ragcli needs."
        yield Check("licence", "warning", f"{server.licence}, {server.licence_status}", mend)
    if server.analyzed == ANALYZED:
        yield Check("analyzers", "ok", "whitespace, the only one that ragcli needs")
    else:
        mend = "Use a server with the usual analyzers (module analysis-common)."
        yield Check("analyzers", "failed", f"whitespace makes {server.analyzed} of {' '.join(ANALYZED)!r}", mend)
    if server.status != "red":
        yield Check("cluster", "ok", server.status)
    else:
        yield Check(
            "cluster", "failed", "red: parts of indexes are missing", "Ask it: GET /_cluster/allocation/explain"
        )


def _versions(server: "Server") -> Check:
    version = f"Elasticsearch {server.version} at {server.url}, client {server.client}"
    if server.version.startswith(_TESTED):
        return Check("store", "ok", version)
    return Check("store", "warning", version, f"ragcli is tested with Elasticsearch {_TESTED}x.")


def _disk(folder: Path, name: str) -> Check:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    detail = f"{folder} · {_size(folder)} used, {_bytes(free)} free"
    if not os.access(there, os.W_OK):
        return Check(name, "failed", f"{there} cannot be written", "Correct its permissions, or set another folder.")
    if free < _LITTLE_ROOM:
        return Check(name, "warning", detail, "Make room; until then, indexes may not be writable.")
    return Check(name, "ok", detail)


def _models() -> Check:
    names = ", ".join(f"{card.name} ({card.origin})" for card in list_models())
    return Check("models", "ok", f"{names}; get more with: ragcli models pull NAME")


def _readers() -> Iterator[Check]:
    for language in PACKAGED:
        reader = open_reader(language=language)
        [reading] = reader.read("Where is the key?", [("", "The key is under the mat.")])
        yield Check("reader", "ok", f"{reader.name} works (score {reading.score:.1f})")


def _encoder(store: Store | None) -> Iterator[Check]:
    config = store.config.encoder if store and store.config else None
    if store and not config:
        name = suggested_encoder(store.config.language if store.config else "en")
        mend = f"To search by meaning, run: ragcli index FILES --encoder {name} --rebuild"
        yield Check("encoder", "ok", "the index has no vectors", mend)
        return
    packaged = (open_encoder(name, _ignore) for name in DEFAULT_ENCODERS.values())
    for encoder in [matching_encoder(config, _ignore)] if config else packaged:
        vectors = encoder.passages(["a text"])
        yield Check("encoder", "ok", f"{encoder.config.name} works ({vectors.shape[1]} dimensions)")


def _index(store: Store, location: IndexLocation) -> Iterator[Check]:
    documents, passages = store.counts()
    detail = f"{location.name}: {held(documents, passages)}"
    if store.config is None:
        yield Check("index", "ok", f"{detail}, not made by ragcli")
        return
    faults = list(verify(store))
    if faults:
        more = f", and {len(faults) - 1:,} more" if len(faults) > 1 else ""
        mend = f"Run the same index again; if that does not help: ragcli index FILES --index {location.name} --rebuild"
        yield Check("index", "failed", f"{detail}: {faults[0]}{more}", mend)
        return
    if documents == 0:
        yield Check("index", "warning", detail, f"Fill it: ragcli index FILES --index {location.name}")
        return
    yield Check("index", "ok", f"{detail}, language {store.config.language}")


def _ignore(_: str) -> None:
    pass


def _size(folder: Path) -> str:
    return _bytes(sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()))


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
