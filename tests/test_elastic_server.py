"""Try the servers that the other tests talk to."""

import pytest
from elastic_transport import TlsError
from elasticsearch import AuthenticationException, Elasticsearch

from tests.elastic.server import Server


def connect(server: Server, password: str | None = None, with_ca: bool = True) -> Elasticsearch:
    """Open a client on `server`, without retries, so that a refusal comes at once."""
    if server.password is None:
        return Elasticsearch(server.url, max_retries=0)
    login = ("elastic", server.password if password is None else password)
    if not with_ca:
        return Elasticsearch(server.url, basic_auth=login, max_retries=0)
    return Elasticsearch(server.url, basic_auth=login, ca_certs=str(server.ca_certs), max_retries=0)


def analyze(server: Server, analyzer: str, text: str) -> list[str]:
    """Return the tokens that `analyzer` makes of `text`."""
    answer = connect(server).indices.analyze(analyzer=analyzer, text=text)
    return [token["token"] for token in answer["tokens"]]


def test_open_server_is_ready(elasticsearch: Server) -> None:
    assert connect(elasticsearch).cluster.health()["status"] in ("green", "yellow")


def test_english_is_stemmed(elasticsearch: Server) -> None:
    assert analyze(elasticsearch, "english", "the functions are running") == ["function", "run"]


def test_cjk_gives_bigrams(elasticsearch: Server) -> None:
    assert analyze(elasticsearch, "cjk", "列表推导式") == ["列表", "表推", "推导", "导式"]


def test_right_password_and_ca_file_are_accepted(secured_elasticsearch: Server) -> None:
    assert connect(secured_elasticsearch).security.authenticate()["username"] == "elastic"


def test_wrong_password_is_refused(secured_elasticsearch: Server) -> None:
    with pytest.raises(AuthenticationException) as refusal:
        connect(secured_elasticsearch, password="wrong").cluster.health()
    assert refusal.value.meta.status == 401


def test_missing_ca_file_is_refused(secured_elasticsearch: Server) -> None:
    with pytest.raises(TlsError):
        connect(secured_elasticsearch, with_ca=False).cluster.health()
