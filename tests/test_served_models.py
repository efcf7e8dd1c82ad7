"""Encoders and re-rankers that another process runs: GGUF files by llama.cpp, and servers by their URL."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ragcli import llama_cpp
from ragcli.encoder import Encoder, open_encoder, open_scorer
from ragcli.encoder.names import MINILM, PACKAGED, prefixes_like
from ragcli.encoder.remote import RemoteModel
from ragcli.endpoint import Endpoint
from ragcli.errors import ExitCode, RagcliError
from tests.bert_gguf import write_bert_gguf
from tests.gguf import write_gguf
from tests.openai_server import KEY, Fake, Reply, Server, refuses
from tests.serving import server as running
from tests.serving import world
from tests.support import Run, assert_two_lines, run_process
from tests.tiny_encoders import reference, reference_scores, write_cross_encoder, write_encoder

TEXTS = ["a fox", "列表推导式是什么?", "x", "an owl sleeps by day", "the cat", "€ 猫"]
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="session")
def minilm_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("xllamacpp")
    return write_bert_gguf(PACKAGED[MINILM], tmp_path_factory.mktemp("gguf") / "minilm.gguf")


@pytest.fixture
def tiny_gguf(tmp_path: Path) -> Path:
    pytest.importorskip("xllamacpp")
    return write_bert_gguf(write_encoder(tmp_path / "tiny"), tmp_path / "tiny.gguf")


@pytest.fixture
def cross_gguf(tmp_path: Path) -> Path:
    """Write a cross-encoder whose two kinds of tokens are alike, because llama.cpp knows one."""
    pytest.importorskip("xllamacpp")
    folder = write_cross_encoder(tmp_path / "cross")
    tensors = load_file(folder / WEIGHTS)
    kinds = tensors["bert.embeddings.token_type_embeddings.weight"]
    kinds[1] = kinds[0]
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    return write_bert_gguf(folder, tmp_path / "cross.gguf", gguf.PoolingType.RANK)


def opened(name: str | Path) -> Encoder:
    return open_encoder(str(name), "auto", print)


# GGUF files


def test_vectors_of_a_gguf_file_are_those_of_transformers(tiny_gguf: Path) -> None:
    encoder = opened(tiny_gguf)
    assert (encoder.config.name, encoder.config.dimension, encoder.config.pooling) == (str(tiny_gguf), 32, "mean")
    np.testing.assert_allclose(encoder.passages(TEXTS), reference(tiny_gguf.with_suffix(""), TEXTS, "mean"), atol=2e-3)
    assert encoder.queries([]).shape == (0, 32)
    long = "an owl sleeps by day " * 9  # 145 tokens where 40 fit
    assert encoder.passages([*TEXTS, long]).shape == (7, 32)


def test_minilm_as_a_gguf_file_gives_our_own_vectors(minilm_gguf: Path) -> None:
    texts = [f"{what} in {where}" for what in ("cooking rice", "list comprehensions") for where in ("Rome", "Python")]
    assert (opened(minilm_gguf).passages(texts) * opened("minilm").passages(texts)).sum(axis=1).min() > 0.99


def test_scores_of_a_gguf_file_are_those_of_transformers(cross_gguf: Path) -> None:
    scores = open_scorer(str(cross_gguf), None).scores("what is a list?", TEXTS)
    expected = reference_scores(cross_gguf.with_suffix(""), "what is a list?", TEXTS)
    assert np.corrcoef(scores, expected)[0, 1] > 0.99  # llama.cpp puts two marks between the texts


def test_an_index_is_built_and_searched_with_gguf_files(
    ragcli: Run, corpus: Path, minilm_gguf: Path, cross_gguf: Path
) -> None:
    assert ragcli("index", corpus, "--encoder", minilm_gguf).code == 0
    [hit, *_] = ragcli("search", "nocturnal bird", "--mode", "semantic", "-k", "1").objects()
    assert hit["id"] == "owl"
    assert ragcli("index", corpus).code == 0  # the index knows its encoder
    assert_two_lines(ragcli("index", corpus, "--encoder", "minilm"), ExitCode.ERROR, "--encoder", str(minilm_gguf))
    found = ragcli("search", "day", "--rerank", cross_gguf).objects()
    read = open_scorer(str(cross_gguf), None).scores("day", [f"{hit['title']}\n{hit['text']}" for hit in found])
    assert len(found) == 3 and read.argmax() == 0
    assert ragcli("doctor").out.count(str(minilm_gguf)) == 1


def test_a_gguf_file_of_another_kind_is_refused(
    ragcli: Run, corpus: Path, tiny_gguf: Path, cross_gguf: Path, tmp_path: Path
) -> None:
    model = write_gguf(tmp_path / "chat.gguf")
    by = ("index", corpus, "--encoder")
    assert_two_lines(ragcli(*by, model), ExitCode.ERROR, "chat.gguf is not an encoder but a language model")
    assert_two_lines(ragcli(*by, cross_gguf), ExitCode.ERROR, "cross.gguf is not an encoder but a re-ranker")
    ragcli("index", corpus)
    assert_two_lines(ragcli("search", "owl", "--rerank", tiny_gguf), ExitCode.ERROR, "tiny.gguf is not a re-ranker")


def test_a_gguf_file_that_is_damaged_is_refused(ragcli: Run, corpus: Path, tiny_gguf: Path, tmp_path: Path) -> None:
    content = tiny_gguf.read_bytes()
    bad = tmp_path / "bad.gguf"
    for damaged in (b"", b"hello", content[:100], content[:-5000]):
        bad.write_bytes(damaged)
        for line in (("index", corpus, "--encoder", bad), ("search", "owl", "--rerank", bad)):
            ragcli("index", corpus)
            assert_two_lines(ragcli(*line), ExitCode.ERROR, "bad.gguf")
    assert_two_lines(ragcli("index", corpus, "--encoder", "no.gguf"), ExitCode.ERROR, "no.gguf", "exists")


def test_prefixes_are_known_by_the_names_of_families() -> None:
    assert prefixes_like("nomic-embed-text-v1.5.Q8_0.gguf").passage == "search_document: "
    assert prefixes_like("Multilingual-E5-Small").query == "query: "
    assert prefixes_like("bge-small-en-v1.5").query.startswith("Represent this sentence")
    assert prefixes_like("all-MiniLM-L6-v2") == prefixes_like("bge-m3") == prefixes_like("one5.gguf") == ("", "")


# Servers


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run `ragcli serve`, with an index that has vectors by MiniLM."""
    folder = tmp_path_factory.mktemp("served")
    file = folder / "one.txt"
    file.write_text("An owl sleeps by day.")
    assert run_process("index", file, "--encoder", "minilm", env=world(folder)).code == 0
    with running(env=world(folder)) as address:
        yield f"{address}/v1"


def test_an_index_is_built_and_searched_by_our_own_server(ragcli: Run, corpus: Path, own_server: str) -> None:
    texts = [f"text {n} of an owl" for n in range(70)]  # three requests
    np.testing.assert_allclose(opened(own_server).passages(texts), opened("minilm").passages(texts), atol=1e-3)
    assert ragcli("index", corpus, "--encoder", own_server).code == 0
    [hit, *_] = ragcli("search", "nocturnal bird", "--mode", "semantic", "-k", "1").objects()
    assert hit["id"] == "owl"
    [hit, *_] = ragcli("search", "sleeps", "--mode", "keyword", "--rerank", own_server).objects()
    assert hit["id"] in ("owl", "cat")


SERVE = """
import sys, time, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.n_ctx, parameters.port, parameters.verbosity, parameters.warmup = 512, 0, 0, False
parameters.n_ubatch, parameters.cpuparams.n_threads, parameters.cpuparams_batch.n_threads = 64, 1, 1
parameters.embedding = True
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
time.sleep(600)
"""


def test_llama_cpps_server_makes_vectors(minilm_gguf: Path) -> None:
    """Its physical batch is of 64 tokens, so that longer texts have to be cut."""
    line = [sys.executable, "-c", SERVE, str(minilm_gguf)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            encoder = opened(f"{process.stdout.readline().strip()}/v1")
            near = encoder.passages(["an owl", "an owl " * 100]) @ opened("minilm").passages(["an owl"])[0]
            assert near[0] > 0.99 and near[1] > 0.5
        finally:
            process.kill()


# A server that does as the test says


def embeds(dimension: int = 4, **more: Any) -> Reply:
    """Answer with a vector for each text: its length, and ones; backwards, because servers may."""

    def reply(fake: Fake, body: dict[str, Any]) -> None:
        rows = [{"index": n, "embedding": [len(text), *[1] * (dimension - 1)]} for n, text in enumerate(body["input"])]
        fake.say(200, {"data": rows[::-1], "model": "tiny", **more})

    return reply


def ranks(fake: Fake, body: dict[str, Any]) -> None:
    results = [{"index": n, "relevance_score": len(text)} for n, text in enumerate(body["documents"])]
    fake.say(200, {"results": sorted(results, key=lambda one: -one["relevance_score"])})


def too_long(most: int, status: int = 400) -> Reply:
    """Refuse more than one text, and longer ones."""

    def reply(fake: Fake, body: dict[str, Any]) -> None:
        if len(body["input"]) > 1 or len(body["input"][0]) > most:
            refuses(status, "input is too large to process")(fake, body)
        else:
            embeds()(fake, body)

    return reply


def remote(server: Server, name: str = "") -> RemoteModel:
    return RemoteModel(Endpoint(server.url, KEY, server.pauses.append), name)


def test_vectors_come_in_batches_and_in_order(server: Server) -> None:
    texts = ["x" * (n % 50 + 1) for n in range(100)]
    assert remote(server.replies(embeds()), "tiny").vectors(texts)[:, 0].tolist() == [len(text) for text in texts]
    assert sorted(len(body["input"]) for _, body in server.requests) == [4, 32, 32, 32]
    assert {path for path, _ in server.requests} == {"/v1/embeddings"}
    assert {body["model"] for _, body in server.requests} == {"tiny"} and set(server.handler.keys) == {f"Bearer {KEY}"}


def test_scores_come_in_the_order_of_the_texts(server: Server) -> None:
    assert remote(server.replies(ranks)).scores("x", ["aaa", "b", "cc"]).tolist() == [3, 1, 2]
    [(path, body)] = server.requests
    assert path == "/v1/rerank" and body["documents"] == ["aaa", "b", "cc"] and "model" not in body


@pytest.mark.parametrize("status", [400, 413, 500])
def test_a_text_that_is_too_long_is_cut(server: Server, status: int) -> None:
    model = remote(server.replies(too_long(10, status)))
    assert model.vectors(["x" * 35, "", "abc"])[:, 0].tolist() == [8, 0, 3] and not server.pauses
    with pytest.raises(RagcliError, match="too large"):
        remote(server.replies(refuses(status, "input is too large to process"))).vectors(["abc"])


def test_a_busy_server_is_asked_again(server: Server) -> None:
    busy = [refuses(503), refuses(429, "rate limit exceeded", retry_after="nan")]
    assert remote(server.replies(*busy, embeds())).vectors(["a"]).shape == (1, 4)
    assert server.pauses == [0.5, 1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>", "does not answer in JSON"),
        ([], "1 rows of 'data'"),
        ({"data": []}, "1 rows of 'data'"),
        ({"data": [5]}, "1 rows of 'data'"),
        ({"data": [{"index": 0, "embedding": "AAAA"}]}, "numbers"),
        ({"data": [{"index": 0, "embedding": [1, None]}]}, "numbers"),
        ({"data": [{"index": 0, "embedding": []}]}, "numbers"),
        ({"data": [{"index": 0, "embedding": [[1, 2]]}]}, "numbers"),
        ({"data": [{"index": 0, "embedding": [float("nan")]}]}, "numbers"),
        ({"error": {"message": "out of memory"}}, "out of memory"),
    ],
)
def test_what_is_no_answer_is_said(ragcli: Run, corpus: Path, server: Server, content: Any, words: str) -> None:
    server.replies(lambda fake, _: fake.say(200, content))
    result = ragcli("index", corpus, "--encoder", server.url)
    assert_two_lines(result, ExitCode.ERROR, words)
    ragcli("index", corpus)
    result = ragcli("search", "owl", "--rerank", server.url)
    assert result.code == ExitCode.ERROR and result.err.count("\n") == 2


def test_vectors_of_length_0_are_refused(ragcli: Run, corpus: Path, server: Server) -> None:
    rows = [{"index": n, "embedding": [0, 0]} for n in range(3)]
    server.replies(lambda fake, _: fake.say(200, {"data": rows}))
    assert_two_lines(ragcli("index", corpus, "--encoder", server.url), ExitCode.ERROR, "vectors of length 0")


def test_vectors_of_another_dimension_are_refused(ragcli: Run, corpus: Path, server: Server) -> None:
    server.replies(embeds(4), embeds(5))
    assert_two_lines(ragcli("index", corpus, "--encoder", server.url), ExitCode.ERROR, "vectors of 5 numbers, not of 4")


def test_another_model_at_the_same_place_is_refused(ragcli: Run, corpus: Path, server: Server) -> None:
    server.replies(embeds())
    assert ragcli("index", corpus, "--encoder", server.url).code == 0
    server.replies(embeds(model="other"))
    search = ("search", "owl", "--mode", "semantic")
    assert_two_lines(ragcli(*search), ExitCode.ERROR, "no longer the encoder", "--mode keyword")


def test_the_way_out_is_told(ragcli: Run, corpus: Path, server: Server) -> None:
    index = ("index", corpus, "--encoder")
    server.replies(refuses(400, "you must provide a model parameter"))
    assert_two_lines(ragcli(*index, server.url), ExitCode.ERROR, "model parameter", "URL#MODEL")
    server.replies(refuses(404, "model 'none' not found"))
    assert_two_lines(ragcli(*index, f"{server.url}#none"), ExitCode.ERROR, "'none' not found", "--encoder")
    server.replies(refuses(401, "no key"))
    assert_two_lines(ragcli(*index, server.url), ExitCode.ERROR, "no key", "RAGCLI_API_KEY")
    assert_two_lines(ragcli(*index, "http://127.0.0.1:9/v1"), ExitCode.UNREACHABLE, "127.0.0.1:9", "--encoder")
    assert_two_lines(ragcli(*index, "http://"), ExitCode.USAGE, "not the URL of a server")
    server.replies(embeds())
    ragcli(*index, server.url)
    server.http.shutdown()
    server.http.server_close()
    assert_two_lines(ragcli("search", "owl"), ExitCode.UNREACHABLE, server.url, "--mode keyword")
    assert_two_lines(
        ragcli("search", "owl", "--mode", "keyword", "--rerank", server.url), ExitCode.UNREACHABLE, "--rerank"
    )


def test_the_key_goes_only_where_the_user_sends_it(
    ragcli: Run, corpus: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index may be from somebody else, and name a server of theirs."""
    monkeypatch.setenv("RAGCLI_API_KEY", KEY)
    server.replies(embeds())
    ragcli("index", corpus, "--encoder", f"{server.url}#tiny")
    assert set(server.handler.keys) == {f"Bearer {KEY}"}
    server.handler.keys.clear()
    assert ragcli("search", "owl").code == 0 and set(server.handler.keys) == {None}
    server.handler.keys.clear()
    monkeypatch.setenv("RAGCLI_ENCODER", f"{server.url}#tiny")
    assert ragcli("search", "owl").code == 0 and set(server.handler.keys) == {f"Bearer {KEY}"}


def test_llama_cpp_ends_with_its_model(tiny_gguf: Path) -> None:
    endpoint = llama_cpp.start(tiny_gguf, 40, "mean")
    url = endpoint.url
    assert RemoteModel(endpoint).vectors(["a"]).shape == (1, 32)
    del endpoint
    with pytest.raises(RagcliError, match="no server answers"):
        RemoteModel(Endpoint(url, None)).vectors(["a"])


def test_llama_cpp_ends_if_it_is_left_while_it_loads(tiny_gguf: Path) -> None:
    line = [sys.executable, "-c", llama_cpp._SERVE, str(tiny_gguf), "0", "64", "1", "mean"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdin and process.stdout
            process.stdout.close()
            process.stdin.write(b"key\n")
            process.stdin.close()
            process.wait(60)
        finally:
            process.kill()


def test_ctrl_c_while_llama_cpp_ends_is_no_error() -> None:
    class Interrupted:
        def kill(self) -> None:
            signal.raise_signal(signal.SIGINT)

    llama_cpp._end(Interrupted())  # type: ignore[arg-type]
