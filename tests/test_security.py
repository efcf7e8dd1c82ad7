"""Secrets are told to nobody, and nothing that ragcli reads is run."""

import ast
import stat
from pathlib import Path

import pytest

from tests.elastic.fake import Raw, fake_server
from tests.support import ROOT, Run, run_process

PASSWORD, KEY, MODEL_KEY = "hunter2-of-the-store", "key-of-the-store", "key-of-the-model"
RUNNING = {"eval", "exec", "compile", "__import__"}
UNSAFE = {"pickle", "marshal", "shelve", "dill", "joblib"}


def test_the_source_has_nothing_that_runs_what_it_reads() -> None:
    for path in (ROOT / "ragcli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in RUNNING, f"{path}:{node.lineno}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", "")}
                assert not names & UNSAFE, f"{path}:{node.lineno}"
            if isinstance(node, ast.keyword):
                assert (node.arg, ast.unparse(node.value)) not in {
                    ("shell", "True"),
                    ("trust_remote_code", "True"),
                    ("weights_only", "False"),
                    ("verify", "False"),
                    ("verify_certs", "False"),
                }, f"{path}:{node.value.lineno}"


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500])
def test_secrets_are_in_no_output_and_no_file(
    ragcli: Run, monkeypatch: pytest.MonkeyPatch, corpus: Path, tmp_path: Path, status: int
) -> None:
    """Whatever the server answers."""
    secrets = [PASSWORD, KEY, MODEL_KEY]
    monkeypatch.setenv("RAGCLI_ELASTICSEARCH_API_KEY", KEY)
    monkeypatch.setenv("RAGCLI_API_KEY", MODEL_KEY)
    with fake_server(lambda *_: (status, Raw(b"<html>no</html>", "text/html"))) as url:
        store = url.replace("http://", f"http://me:{PASSWORD}@")
        for words in (
            ["search", "owl", "--store", store],
            ["search", "owl", "--store", url],
            ["index", corpus, "--store", store],
            ["copy", "--store", store, "--to", "local"],
            ["status", "--store", f"{store}:9:9"],
            ["search", "owl", "--store", store.replace("http", "htp")],
            ["generate", "Owl", "--base-url", url, "--model", "m"],
        ):
            result = ragcli(*words)
            assert result.code not in (0, -6, -11)
            for secret in secrets:
                assert secret not in result.out + result.err, words
    for path in (tmp_path / "home").rglob("*"):
        assert not path.is_file() or not any(secret.encode() in path.read_bytes() for secret in secrets), path


@pytest.mark.parametrize(
    ("url", "key", "told"),
    [
        ("http://me:secret@es.invalid:9200", "", "the password goes to es.invalid:9200"),
        ("https://a.invalid,http://me:secret@b.invalid", "", "the password goes to b.invalid"),
        ("http://es2.invalid", KEY, "the API key goes to es2.invalid"),
        ("http://es3.invalid", "", None),
        ("https://me:secret@es.invalid", "", None),
        ("http://me:secret@localhost:1", "", None),
        ("http://me:secret@127.0.0.1:1", "", None),
    ],
)
def test_a_secret_over_plain_http_is_told(
    ragcli: Run, monkeypatch: pytest.MonkeyPatch, url: str, key: str, told: str | None
) -> None:
    monkeypatch.setenv("RAGCLI_ELASTICSEARCH_API_KEY", key)
    result = ragcli("search", "owl", "--store", url)
    assert ("in the clear" in result.err) == bool(told)
    assert (told or "") in result.err and "secret" not in result.err


def test_a_conversation_is_for_its_user_alone(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    assert run_process("chat", input=b"What sleeps by day?\n").code == 0
    assert stat.S_IMODE((tmp_path / "home" / "chat.jsonl").stat().st_mode) == 0o600
