"""What only the Elasticsearch store has to bear: servers that refuse or fail, foreign indexes, secrets in URLs."""

import json
import logging
import signal
import socket
import traceback
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Event, Timer, get_ident
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elastic_transport import ConnectionError as NoConnectionError
from elasticsearch import (
    ApiError,
    AuthenticationException,
    AuthorizationException,
    BadRequestError,
    ConnectionTimeout,
    Elasticsearch,
    NotFoundError,
    SerializationError,
    SSLError,
    TransportError,
    UnsupportedProductError,
)

from ragcli.chunking import split_passages
from ragcli.documents import Document, content_hash
from ragcli.errors import IndexMismatchError, MissingIndexError, RagcliError, UnreachableError, UsageError
from ragcli.filters import parse_filter
from ragcli.store import (
    Access,
    Counts,
    DocumentUpdate,
    EncoderConfig,
    IndexConfig,
    IndexLocation,
    QueryClause,
    Stored,
    drop_index,
    open_store,
)
from ragcli.store_elastic import ElasticStore
from ragcli.store_elastic.layout import index_mapping
from ragcli.store_elastic.server import address, translated
from tests.elastic.fake import WHOLE, fake_server, own_index, taken
from tests.elastic.server import Server
from tests.support import Run, assert_two_lines

CONFIG = IndexConfig("en", 100)
NO_ACCESS = Access()
TEXT = " ".join(f"Sentence {i} of four is about apples and fills a passage of its own." for i in range(4))


def update(doc_id: str, text: str = TEXT, old: Stored | None = None) -> DocumentUpdate:
    """Make the change that brings a document in."""
    return DocumentUpdate(
        doc_id, old, Document(doc_id, "", text, {}), content_hash("", text, {}), split_passages(text, 100)
    )


def words(text: str) -> list[QueryClause]:
    """Ask for the words of a text."""
    return [QueryClause(text)] * bool(text)


@pytest.fixture
def client(elasticsearch: Server) -> Iterator[Elasticsearch]:
    """Yield a client of our own, to see and change what the store does not show."""
    with Elasticsearch(elasticsearch.url, request_timeout=60) as client:
        yield client


@pytest.fixture
def name(client: Elasticsearch) -> Iterator[str]:
    """Yield the name of an index that is not there yet."""
    name = f"test-{uuid.uuid4().hex}"
    yield name
    client.indices.delete(index=name, ignore_unavailable=True)


def open_at(
    server: Server | str, name: str, create: IndexConfig | None = None, access: Access = NO_ACCESS
) -> ElasticStore:
    """Open an index through the border."""
    url = server if isinstance(server, str) else server.url
    store = open_store(IndexLocation(url, name, Path(), access), create)
    assert isinstance(store, ElasticStore)
    return store


# Indexes that others made


def test_an_index_with_no_more_than_a_text_field_is_searched(
    elasticsearch: Server, client: Elasticsearch, name: str
) -> None:
    client.index(index=name, id="b", document={"text": "All about apples."})
    client.index(index=name, id="a", document={"text": "All about apples."}, refresh=True)
    with open_at(elasticsearch, name) as store:
        assert store.config is None
        assert store.counts() == Counts(2, 2)
        first, second = store.search(words("apples"), 10)
        assert (first.rank, first.id, first.title, first.text) == (1, "a", "", "All about apples.")
        assert (first.start, first.end, first.metadata) == (0, len("All about apples."), {})
        assert (second.rank, second.id, second.score) == (2, "b", first.score)
        assert [hit.id for hit in store.search(words(""), 10)] == ["a", "b"]
        assert [hit.id for hit in store.search(words("apples"), 10, [parse_filter("id!=a")])] == ["b"]
        assert store.search(words('text: AND ( "'), 10) == []
        with pytest.raises(RagcliError, match="'year'"):
            store.search(words("apples"), 10, [parse_filter("year=1")])


FILM_MAPPING = {
    "properties": {
        "title": {"type": "text"},
        "text": {"type": "text", "analyzer": "english"},
        "genre": {"type": "keyword"},
        "director": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "plot": {"type": "text"},
        "year": {"type": "integer"},
        "seen": {"type": "date"},
        "good": {"type": "boolean"},
        "cast": {"properties": {"lead": {"type": "keyword"}}},
    }
}
FILMS: dict[str, dict[str, Any]] = {
    "1": {"title": "Heat", "text": "A heist.", "genre": ["Crime"], "director": "Michael Mann", "year": 1995},
    "2": {"title": "Up", "text": "A house flies.", "genre": "animation", "director": "Pete Docter", "good": True},
    "3": {"title": "No text", "genre": "lost", "year": 1995},
    "4": {"text": ["Two", "heists"], "good": False, "cast": {"lead": "Ana"}, "plot": "It goes wrong."},
    "5": {"text": "Nothing else.", "seen": "2020-05-01", "other": {"x": None}},
}


@pytest.fixture
def films(elasticsearch: Server, client: Elasticsearch, name: str) -> Iterator[ElasticStore]:
    """Yield an index of films as somebody else may have made it."""
    client.indices.create(index=name, mappings=FILM_MAPPING)
    for doc_id, film in FILMS.items():
        client.index(index=name, id=doc_id, document=film, refresh=True)
    with open_at(elasticsearch, name) as store:
        yield store


def test_title_and_metadata_of_a_foreign_index(films: ElasticStore) -> None:
    [heat] = films.search(words("HEAT"), 10)
    assert (heat.id, heat.title, heat.text) == ("1", "Heat", "A heist.")
    assert heat.metadata == {key: value for key, value in FILMS["1"].items() if key not in ("title", "text")}
    assert [hit.text for hit in films.search(words("wrong heist"), 10, [parse_filter("id=4")])] == ["Two\nheists"]
    assert films.counts() == Counts(4, 4)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("genre=crime", ["1"]),
        ("genre!=Crime", ["2", "4", "5"]),
        ("director=michael mann", ["1"]),
        ("director=michael", []),
        ("title=up", ["2"]),
        ("plot=goes wrong", ["4"]),
        ("year=1995", ["1"]),
        ("year>=1996", []),
        ("year<1996", ["1"]),
        ("seen>2020-04", ["5"]),
        ("good=True", ["2"]),
        ("good!=true", ["1", "4", "5"]),
        ("cast.lead=ANA", ["4"]),
        ("id=3", []),
    ],
)
def test_filters_on_mapped_fields(films: ElasticStore, expression: str, found: list[str]) -> None:
    assert [hit.id for hit in films.search(words(""), 10, [parse_filter(expression)])] == found


def test_the_ids_of_a_foreign_index_have_no_order(films: ElasticStore) -> None:
    with pytest.raises(UsageError, match="cannot be compared"):
        films.search(words(""), 10, [parse_filter("id>3")])


OTHERS = {
    "page": {"properties": {"text": {"type": "text"}, "name": {"type": "text"}}},
    "body": {"type": "keyword", "fields": {"words": {"type": "text"}}},
    "code": {"type": "keyword"},
    "lines": {"type": "nested", "properties": {"text": {"type": "text"}}},
}


def test_fields_of_other_names_are_searched_and_shown(
    ragcli: Run, elasticsearch: Server, client: Elasticsearch, name: str
) -> None:
    client.indices.create(index=f"{name}-1", mappings={"properties": OTHERS})
    client.indices.create(index=f"{name}-2", mappings={"properties": OTHERS, "_source": {"excludes": ["body"]}})
    for number in (1, 2):
        page = {"text": f"All about apples, part {number}.", "name": "Apples"}
        document = {"page": page, "body": "Pears too.", "code": "x y"}
        client.index(index=f"{name}-{number}", id=str(number), document=document, refresh=True)
    client.indices.put_alias(index=f"{name}-1", name=f"{name}-alias")

    def found(index: str, query: str, *options: str) -> list[Any]:
        return ragcli("search", query, "--store", elasticsearch.url, "--index", index, *options).objects()

    by_page = ("--text-field", "page.text", "--title-field", "page.name")
    for index, ids in ((f"{name}-*", ["1", "2"]), (f"{name}-1,{name}-2", ["1", "2"]), (f"{name}-alias", ["1"])):
        hits = found(index, "apples", *by_page)
        assert [(hit["id"], hit["title"], hit["text"]) for hit in hits] == [
            (doc_id, "Apples", f"All about apples, part {doc_id}.") for doc_id in ids
        ]
    assert [hit["text"] for hit in found(f"{name}-1", "pear pears", "--text-field", "body")] == ["Pears too."]

    def told(index: str, *options: str) -> str:
        result = ragcli("search", "pears", "--store", elasticsearch.url, "--index", index, *options)
        assert result.code == 1
        assert len(result.err.splitlines()) == 2
        return result.err

    assert "does not keep field 'body' in _source" in told(f"{name}-2", "--text-field", "body")
    assert "'code'" in told(f"{name}-1", "--text-field", "code")
    assert "whole values (keyword)" in told(f"{name}-1", "--text-field", "code")
    assert "Fields with text: body, page.name, page.text" in told(f"{name}-1")
    assert "no text that can be searched" in told(f"{name}-1", "--text-field", "lines.text")


def test_an_alias_is_not_rebuilt(
    ragcli: Run, elasticsearch: Server, client: Elasticsearch, name: str, corpus: Path
) -> None:
    at = ("--store", elasticsearch.url, "--index")
    assert ragcli("index", corpus, *at, name).code == 0
    client.indices.put_alias(index=name, name=f"{name}-alias")
    result = ragcli("index", corpus, *at, f"{name}-alias", "--rebuild")
    assert (result.code, f"{name}-alias is an alias of {name}" in result.err) == (2, True)
    for fields in ((), ("--text-field", "body")):  # which ragcli's own index does not need
        assert len(ragcli("search", "cat", *at, f"{name}-alias", *fields).objects()) == 1
    client.indices.close(index=name)
    closed = ragcli("search", "cat", *at, name)
    assert (closed.code, f"index {name} at {elasticsearch.url} is closed" in closed.err) == (1, True)


def test_a_foreign_index_names_its_fields(films: ElasticStore) -> None:
    assert films.fields() == ["cast", "director", "genre", "good", "other", "plot", "seen", "year"]
    with pytest.raises(RagcliError, match="'yaer'") as error:
        films.search(words(""), 10, [parse_filter("yaer=1995")])
    assert "cast, director, genre" in error.value.hint


def test_a_value_that_a_mapped_field_cannot_have_is_an_error(films: ElasticStore) -> None:
    with pytest.raises(RagcliError, match="soon"):
        films.search(words(""), 10, [parse_filter("year=soon")])


def test_values_of_a_foreign_index(films: ElasticStore) -> None:
    assert films.values("genre", "", 10) == ["animation", "crime", "lost"]
    assert films.values("genre", "cRi", 10) == ["crime"]
    assert films.values("director", "p", 10) == ["pete docter"]
    assert films.values("year", "", 10) == films.values("title", "", 10) == films.values("none such", "", 10) == []


def test_a_foreign_index_is_asked_by_content(films: ElasticStore) -> None:
    [heat] = films.passages("1")
    assert (heat.rank, heat.title, heat.text, heat.score) == (1, "Heat", "A heist.", 0.0)
    assert films.passages("3") == films.passages("none such") == []
    assert films.frequencies(["heists", "heat", "a house", "house heist", "lost", "the"]) == [2, 1, 1, 0, 0, 0]
    assert films.near_words(["hiest", "haet", "zebra", "the"]) == [["heist"], ["heat"], [], []]


def test_a_foreign_index_has_no_vectors_of_ours(films: ElasticStore) -> None:
    assert films.vectors([1]) == {}
    for ask in (lambda: films.nearest(np.ones(1, np.float32), 5), lambda: films.sample(5)):
        with pytest.raises(IndexMismatchError, match="no vectors"):
            ask()


def test_a_foreign_index_is_not_written(elasticsearch: Server, films: ElasticStore, name: str) -> None:
    for attempt in (lambda: films.write([update("a")]), lambda: list(films.stored())):
        with pytest.raises(IndexMismatchError, match="not made by ragcli"):
            attempt()
    with pytest.raises(IndexMismatchError, match="not made by ragcli"):
        drop_index(IndexLocation(elasticsearch.url, name, Path()))
    with open_at(elasticsearch, name, CONFIG) as again:
        assert again.config is None
        assert again.counts() == Counts(4, 4)


def test_an_index_without_text_cannot_be_opened(elasticsearch: Server, client: Elasticsearch, name: str) -> None:
    client.indices.create(index=name)
    with pytest.raises(IndexMismatchError, match="no field 'text'"):
        open_at(elasticsearch, name)


# Indexes of our own


def test_another_format_is_refused_with_the_way_out(elasticsearch: Server, client: Elasticsearch, name: str) -> None:
    client.indices.create(index=name, mappings=index_mapping(CONFIG._replace(version=CONFIG.version + 1)))
    with pytest.raises(IndexMismatchError, match=f"format {CONFIG.version + 1}") as error:
        open_at(elasticsearch, name)
    assert f"ragcli index FILE --store {elasticsearch.url} --index {name} --rebuild" in error.value.hint
    drop_index(IndexLocation(elasticsearch.url, name, Path()))
    assert not client.indices.exists(index=name)


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_half_written_document_is_marked_and_mended(
    elasticsearch: Server, client: Elasticsearch, name: str, lost: int
) -> None:
    with open_at(elasticsearch, name, CONFIG) as store:
        store.write([update("a"), update("b")])
        client.delete(index=name, id=f"a#{lost}", refresh=True)
        half, whole = sorted(store.stored())
        assert (half.hash, half.passages) == ("", 3 if lost == 3 else 4)
        assert whole == Stored("b", content_hash("", TEXT, {}), 4)
        store.write([update("a", "Short.", half)])
        assert store.counts() == Counts(2, 1 + 4)


def test_a_half_written_update_is_marked_and_mended(elasticsearch: Server, client: Elasticsearch, name: str) -> None:
    with open_at(elasticsearch, name, CONFIG) as store:
        store.write([update("a")])
        entry = client.get(index=name, id="a#1")["_source"]
        client.index(index=name, id="a#0", document={**entry, "part": 0, "parts": 2, "hash": "new"}, refresh=True)
        [half] = store.stored()
        assert half == Stored("a", "", 4)
        store.write([DocumentUpdate("a", half)])
        assert store.counts() == Counts(0, 0)


def test_what_a_killed_run_wrote_last_is_seen(elasticsearch: Server, client: Elasticsearch, name: str) -> None:
    client.indices.create(index=name, mappings=index_mapping(CONFIG), settings={"refresh_interval": -1})
    entry = {"doc_id": "a", "part": 0, "parts": 2, "hash": "x", "title": "", "text": "x", "start": 0}
    client.index(index=name, id="a#0", document=entry)
    with open_at(elasticsearch, name, CONFIG) as store:
        assert list(store.stored(["a"])) == [Stored("a", "", 1)]


def test_many_processes_may_make_the_same_index(elasticsearch: Server, name: str) -> None:
    def index(number: int) -> None:
        with open_at(elasticsearch, name, CONFIG) as store:
            assert store.counts().documents <= 8  # can be read at once
            store.write([update(str(number), "Short.")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(index, range(8)))
    with open_at(elasticsearch, name) as store:
        assert store.counts() == Counts(8, 8)


def test_an_index_deleted_while_it_is_written_is_told(elasticsearch: Server, client: Elasticsearch, name: str) -> None:
    def updates() -> Iterator[DocumentUpdate]:
        yield update("a")
        client.indices.delete(index=name)

    with (
        open_at(elasticsearch, name, CONFIG) as store,
        pytest.raises(IndexMismatchError, match="deleted or replaced"),
    ):
        store.write(updates())


def test_a_refused_document_is_named(elasticsearch: Server, client: Elasticsearch, name: str) -> None:
    with open_at(elasticsearch, name, CONFIG) as store:
        client.indices.put_settings(index=name, settings={"index.blocks.write": True})
        with pytest.raises(RagcliError, match=r"'my#doc': .*blocked") as error:
            store.write([update("my#doc")])
        assert "again" in error.value.hint


# Who may come in


def login(server: Server, user: str = "elastic", password: str | None = None) -> str:
    """Return the server's URL with a user name and a password."""
    return server.url.replace("//", f"//{user}:{quote(password or server.password or '')}@")


def test_the_password_in_the_url_lets_in(secured_elasticsearch: Server) -> None:
    access = Access(ca_certs=secured_elasticsearch.ca_certs)
    location = IndexLocation(login(secured_elasticsearch), "test-secured", Path(), access)
    with open_store(location, CONFIG) as store:
        store.write([update("a")])
        assert store.counts() == Counts(1, 4)
    drop_index(location)


def test_a_password_of_any_letters_is_sent(secured_elasticsearch: Server) -> None:
    url = secured_elasticsearch.url.replace("://", f"://elastic:{quote('пароль 密码')}@")
    with pytest.raises(UnreachableError, match="valid user name and password"):
        ElasticStore.open(url, "any", Access(ca_certs=secured_elasticsearch.ca_certs), None)


def test_who_may_not_come_in_is_told_how(secured_elasticsearch: Server) -> None:
    access = Access(ca_certs=secured_elasticsearch.ca_certs)
    wrong = [
        (login(secured_elasticsearch, password="s3cret"), access),
        (secured_elasticsearch.url, access),
        (secured_elasticsearch.url, access._replace(api_key="c2VjcmV0OnMzY3JldA==")),
    ]
    for url, access in wrong:
        with pytest.raises(UnreachableError, match="user name and password, or an API key") as error:
            open_at(url, "any", CONFIG, access)
        assert "RAGCLI_ELASTICSEARCH_API_KEY" in error.value.hint


def test_an_unknown_certificate_is_not_trusted(secured_elasticsearch: Server) -> None:
    with pytest.raises(UnreachableError, match="not trusted: self-signed certificate") as error:
        open_at(login(secured_elasticsearch), "any")
    assert "RAGCLI_ELASTICSEARCH_CA_CERTS" in error.value.hint


def test_a_ca_file_must_be_one(secured_elasticsearch: Server, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for path in (tmp_path / "none.pem", tmp_path / "empty.pem", tmp_path):
        with pytest.raises(UsageError, match="CA certificate") as error:
            open_at(secured_elasticsearch, "any", access=Access(ca_certs=path))
        assert str(path) in error.value.message


def test_http_to_a_server_of_https_is_told(secured_elasticsearch: Server) -> None:
    with pytest.raises(UnreachableError, match="does not answer") as error:
        open_at(secured_elasticsearch.url.replace("https", "http"), "any")
    assert "http or https" in error.value.hint


def test_https_to_a_server_of_http_is_told(elasticsearch: Server) -> None:
    with pytest.raises(UnreachableError, match="no secure connection") as error:
        open_at(elasticsearch.url.replace("http", "https"), "any")
    assert "http://" in error.value.hint


SECRET = "s3cret-Ω"
LEAKY = [
    "http://elastic:{}@127.0.0.1:1",
    "https://elastic:{}@127.0.0.1:1",
    "http://elastic:{}@none.invalid:9200/path",
    "http://elastic:{}#x@127.0.0.1:1",
    "http://elastic:{}?x@127.0.0.1:1",
    "http://elastic:{}/x@127.0.0.1:1",
    "http://elastic:1/{}@127.0.0.1:1",
    "http://elastic:1#{}@127.0.0.1:1",
    "http://elastic:{}@127.0.0.1:port",
    "http://elastic:{}@[::1",
    "http://elastic:{}@",
    "http://elastic:{}@host name:9200",
    "htttp://elastic:{}@127.0.0.1:1",
    "elastic:{}@127.0.0.1:1",
]


@pytest.mark.parametrize("url", LEAKY)
@pytest.mark.parametrize("encoded", [True, False])
def test_a_password_is_never_told(url: str, encoded: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(RagcliError) as error:
        open_at(url.format(quote(SECRET) if encoded else SECRET), "any", CONFIG)
    assert error.value.hint
    told = " ".join([error.value.message, error.value.hint, *traceback.format_exception(error.value), caplog.text])
    assert "s3cret" not in told


@pytest.mark.parametrize("key", [SECRET, "s3cret\n", "s3cret\x00", "s3cret"])
def test_an_api_key_is_never_told(key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(RagcliError) as error:
        open_at("http://127.0.0.1:1", "any", CONFIG, Access(api_key=key))
    told = " ".join([error.value.message, error.value.hint, *traceback.format_exception(error.value), caplog.text])
    assert "s3cret" not in told


def test_a_store_does_not_show_the_password(secured_elasticsearch: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    access = Access(ca_certs=secured_elasticsearch.ca_certs)
    with pytest.raises(IndexMismatchError) as error:
        open_at(login(secured_elasticsearch), "none-such", access=access)
    told = [error.value.message, error.value.hint, *traceback.format_exception(error.value), caplog.text]
    with open_at(login(secured_elasticsearch), "test-shown", CONFIG, access) as store:
        told += [repr(store), repr(vars(store)), caplog.text]
    drop_index(IndexLocation(login(secured_elasticsearch), "test-shown", Path(), access))
    password = secured_elasticsearch.password or ""
    assert len(password) > 5
    assert not any(form in " ".join(told) for form in (password, quote(password)))


@pytest.mark.parametrize(
    ("url", "shown", "who"),
    [
        ("http://localhost:9200", "http://localhost:9200", None),
        ("http://localhost", "http://localhost:80", None),
        ("https://es.example.org/", "https://es.example.org:443", None),
        ("https://es.example.org:9243/prefix/", "https://es.example.org:9243/prefix", None),
        ("http://me@host:1", "http://host:1", ("me", "")),
        ("http://me:p%40ss%2F%23@host:1", "http://host:1", ("me", "p@ss/#")),
        ("http://me:p@ss:word@host:1", "http://host:1", ("me", "p@ss:word")),
        ("http://%E5%90%8D:%3A@[::1]:9200", "http://[::1]:9200", ("名", ":")),
        ("http://a:1,http://me:p,w@b", "http://a:1,http://b:80", ("me", "p,w")),
    ],
)
def test_an_address_is_read(url: str, shown: str, who: tuple[str, str] | None) -> None:
    assert address(url) == (shown, who)


# Servers that fail


def test_another_node_answers_for_a_dead_one(elasticsearch: Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
        name = f"nodes-{uuid.uuid4().hex}"
        with open_at(f"{dead},{elasticsearch.url},{dead}", name, CONFIG) as store:
            store.write([update(str(number)) for number in range(10)])
            assert [store.counts().documents for _ in range(6)] == [10] * 6
        drop_index(IndexLocation(elasticsearch.url, name, Path()))


def test_shards_and_replicas_are_those_that_were_asked_for(elasticsearch: Server, ragcli: Run, corpus: Path) -> None:
    name = f"shards-{uuid.uuid4().hex}"
    at = ("--store", elasticsearch.url, "--index", name)
    assert ragcli("index", corpus, *at, "--shards", "3", "--replicas", "0").code == 0
    with urllib.request.urlopen(f"{elasticsearch.url}/{name}/_settings") as answer:
        numbers = json.load(answer)[name]["settings"]["index"]
    drop_index(IndexLocation(elasticsearch.url, name, Path()))
    assert (numbers["number_of_shards"], numbers["number_of_replicas"]) == ("3", "0")
    assert_two_lines(ragcli("index", corpus, "--shards", "3"), 2, "shards")


def test_a_dead_server_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: nobody answers there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=f"{url} does not answer") as error:
            open_at(url, "any", CONFIG)
    assert "URL" in error.value.hint


Answer = Callable[[str, str, bytes], tuple[int, Any]]


def endless(read: list[int]) -> Iterator[DocumentUpdate]:
    """Yield changes for ever, and note how many were taken."""
    for number in count():
        read.append(number)
        yield update(str(number))


def test_a_server_that_cannot_rescore_leaves_it_to_us(elasticsearch: Server, client: Elasticsearch, name: str) -> None:
    """Before 8.18 it does not, and the score would be of vectors in 8 bits."""

    def older(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if b"rescore_vector" in body:
            reason = "[1:84] [knn] unknown field [rescore_vector] did you mean [query_vector]?"
            return 400, {"error": {"type": "x_content_parse_exception", "reason": reason}, "status": 400}
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{elasticsearch.url}{path}", body or None, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return 200, json.loads(answer.read() or b"null")

    texts = [f"Text {i}." for i in range(400)]
    vectors = np.random.default_rng(0).normal(size=(400, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with open_at(elasticsearch, name, CONFIG._replace(encoder=EncoderConfig("m", "0", 32, "mean"))) as store:
        store.write(
            update(text, text)._replace(vectors=vector[None]) for text, vector in zip(texts, vectors, strict=True)
        )
    with fake_server(older) as url, open_at(url, name) as store:
        for vector in -vectors[:10]:
            best = np.argsort(-(vectors @ vector))[:10]
            hits = store.nearest(vector, 10, candidates=400)
            assert [hit.id for hit in hits] == [texts[i] for i in best]
            assert [hit.score for hit in hits] == pytest.approx((vectors @ vector)[best], abs=1e-6)
        assert store.nearest(vectors[0], 10, [parse_filter("id=none")]) == []


def test_too_many_requests_are_tried_again() -> None:
    seen: list[list[str]] = []

    def bulk(ids: list[str]) -> tuple[int, Any]:
        seen.append(ids)
        status, body = taken(ids)
        if len(seen) == 1:
            body["items"][1]["index"] = {"_id": ids[1], "status": 429, "error": {"reason": "queue full"}}
        return (429, {"error": "busy"}) if 2 <= len(seen) <= 6 else (status, body)

    with fake_server(own_index(bulk)) as url, open_at(url, "any", CONFIG) as store:
        store.write([update("a")])
    assert seen[0] == ["a#0", "a#1", "a#2", "a#3"]
    assert seen[-1] == ["a#1"]


def test_an_index_that_is_not_ready_is_waited_for() -> None:
    asked: list[str] = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if path.startswith("/any/_count"):
            asked.append(path)
            return (
                (503, {"error": {"type": "none", "reason": "no shard"}})
                if len(asked) < 5
                else (200, WHOLE | {"count": 7})
            )
        return own_index(taken)(method, path, body)

    with fake_server(answer) as url, open_at(url, "any") as store:
        assert store.counts() == Counts(7, 7)


@pytest.mark.parametrize(
    ("bulk", "message"),
    [
        (lambda ids: (400, {"error": {"reason": "too bad\nfor you"}}), "too bad$"),
        (lambda ids: (200, {"items": [{"index": {"_id": i, "status": 403, "error": {"reason": "bad"}}} for i in ids]}),
         "document '[0-9]+': bad"),
    ],
)  # fmt: skip
def test_an_error_ends_the_reading(bulk: Callable[[list[str]], tuple[int, Any]], message: str) -> None:
    read: list[int] = []
    with (
        fake_server(own_index(bulk)) as url,
        open_at(url, "any", CONFIG) as store,
        pytest.raises(RagcliError, match=message),
    ):
        store.write(endless(read))
    assert len(read) < 2_000


def test_an_interrupt_ends_at_once_though_the_server_hangs() -> None:
    go_on, read, answered = Event(), list[int](), list[str]()

    def bulk(ids: list[str]) -> tuple[int, Any]:
        go_on.wait(30)
        answered.extend(ids)
        return taken(ids)

    with fake_server(own_index(bulk)) as url, open_at(url, "any", CONFIG) as store:
        Timer(0.5, signal.pthread_kill, [get_ident(), signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            store.write(endless(read))
        assert not answered
        go_on.set()
    assert len(read) < 2_000


def test_another_product_is_not_elasticsearch() -> None:
    other = fake_server(lambda *_: (200, {}), product="Other")
    with other as url, pytest.raises(UnreachableError, match="not Elasticsearch"):
        open_at(url, "any", CONFIG)


def test_opensearch_is_refused_by_its_name(ragcli: Run) -> None:
    about = {"name": "node", "version": {"distribution": "opensearch", "number": "2.19.0"}, "tagline": "The OpenSearch"}
    with fake_server(lambda *_: (200, about), product="") as url:
        assert_two_lines(ragcli("search", "owl", "--store", url), 5, "not Elasticsearch", "OpenSearch")


# The client's exceptions


def api_error(kind: type[ApiError], status: int, error: str | dict[str, Any], body: Any = None) -> ApiError:
    """Make an exception as the client does from an answer."""
    details: dict[str, Any] = {"type": error, "reason": "the reason\nand more"} if isinstance(error, str) else error
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.1, NodeConfig("http", "host", 1))
    return kind(details["type"], meta, {"error": details} if body is None else body)


NESTED = {"type": "search_phase_execution_exception", "reason": "all", "root_cause": [{"reason": "the root"}]}
UNTRUSTED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)"
TABLE: list[tuple[ApiError | TransportError, type[RagcliError], str, str]] = [
    (NoConnectionError("refused"), UnreachableError, "does not answer", "URL"),
    (ConnectionTimeout("slow"), UnreachableError, "in time", "again"),
    (SSLError("", (OSError(UNTRUSTED),)), UnreachableError, "self-signed certificate", "RAGCLI_ELASTICSEARCH_CA_CERTS"),
    (SSLError("WRONG_VERSION_NUMBER"), UnreachableError, "no secure connection", "http://"),
    (SerializationError("<html>"), RagcliError, "not valid JSON", "port"),
    (TransportError("what"), UnreachableError, "does not answer", "URL"),
    (api_error(AuthenticationException, 401, "security_exception"), UnreachableError, "password", "API_KEY"),
    (api_error(AuthorizationException, 403, "security_exception"), UnreachableError, "the reason", "account"),
    (api_error(AuthorizationException, 403, "cluster_block_exception"), RagcliError, "the reason", "log"),
    (api_error(NotFoundError, 404, "index_not_found_exception"), MissingIndexError, "no index named", "index FILE"),
    (api_error(NotFoundError, 404, "other"), RagcliError, "the reason", "log"),
    (api_error(NotFoundError, 404, "other", "<html>"), UnreachableError, "not Elasticsearch", "port"),
    (api_error(UnsupportedProductError, 200, "other", {}), UnreachableError, "not Elasticsearch", "port"),
    (api_error(BadRequestError, 400, NESTED), RagcliError, "the root", "log"),
    (api_error(ApiError, 429, "busy"), UnreachableError, "overloaded", "later"),
    (api_error(ApiError, 503, "unavailable", "<html>"), UnreachableError, "not ready", "later"),
    (api_error(ApiError, 500, "broken"), RagcliError, "the reason", "log"),
]


@pytest.mark.parametrize(("error", "kind", "message", "hint"), TABLE)
def test_the_clients_exceptions_are_translated(
    error: ApiError | TransportError, kind: type[RagcliError], message: str, hint: str
) -> None:
    told = translated(error, "http://host:1", "any")
    assert type(told) is kind
    assert message in told.message
    assert hint in told.hint
    assert "\n" not in told.message
    assert "http://host:1" in told.message
