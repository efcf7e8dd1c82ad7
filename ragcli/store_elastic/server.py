"""Connect to an Elasticsearch server, and translate the client's exceptions."""

import re
import ssl
import warnings
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from elastic_transport import Urllib3HttpNode
from elasticsearch import (
    ApiError,
    ConnectionTimeout,
    Elasticsearch,
    SerializationError,
    SSLError,
    TransportError,
    UnsupportedProductError,
)
from elasticsearch.exceptions import ElasticsearchWarning
from elasticsearch.serializer import OrjsonSerializer

from ragcli.errors import IndexMismatchError, MissingIndexError, RagcliError, UnreachableError, UsageError
from ragcli.store import Access

Login = tuple[str, str]

_MOST_BYTES = 256 * 2**20  # of a response
TOO_LONG = "the response is too long"
WRITE_TIMEOUT = 60.0  # seconds; a busy server may need long for a bulk request
_TIMEOUT = 10.0  # seconds for other requests
_TIMEOUT_OF_SEVERAL = 6.0  # with several nodes, so that there is time to try another (session.py)
_REST = 30.0  # seconds for which a node that did not answer is not asked, if there are others
_CA_HINT = "Set RAGCLI_ELASTICSEARCH_CA_CERTS to the file of the server's CA certificate."


def address(urls: str) -> tuple[str, Login | None]:
    """Split the URL of a server, or several URLs of nodes of one cluster, separated by commas.

    Returns the URLs as they can be shown, with their ports, and the first user name and password, used for all nodes.
    """
    parts = [_address(url) for url in _each(urls)]
    return ",".join(dict.fromkeys(shown for shown, _ in parts)), next((login for _, login in parts if login), None)


def _each(urls: str) -> list[str]:
    return re.split(r",\s*(?=https?://)", urls)  # a password may contain commas


def _address(url: str) -> tuple[str, Login | None]:
    try:
        scheme, _, path, query, fragment = parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or query or fragment or "@" in path or scheme not in ("http", "https"):
        # Neither the URL nor a cause is shown, because any part of it may be a password.
        hint = "Write https://USER:PASSWORD@HOST:PORT, with special characters escaped: %40 for @, %23 for #."
        raise UsageError("the URL of the store cannot be read", hint) from None
    host = f"[{host}]" if ":" in host else host
    shown = f"{scheme}://{host}:{port or (443 if scheme == 'https' else 80)}{path.rstrip('/')}"
    return shown, (unquote(parts.username), unquote(parts.password or "")) if parts.username else None


def connect(url: str, login: Login | None, access: Access) -> Elasticsearch:
    """Create the client without sending anything. Raises UsageError for an invalid address, key or CA file."""
    warnings.filterwarnings("ignore", category=ElasticsearchWarning)  # advice for the server's administrator
    options: dict[str, Any] = {}
    if login:
        # In UTF-8 (RFC 7617): the client itself uses Latin-1, and fails for other characters.
        token = b64encode(":".join(login).encode()).decode()
        options["headers"] = {"authorization": f"Basic {token}"}
    elif access.api_key:
        if not (access.api_key.isascii() and access.api_key.isprintable()):
            raise UsageError("the API key is invalid: it has special characters", "Check RAGCLI_ELASTICSEARCH_API_KEY.")
        options["api_key"] = access.api_key
    if access.ca_certs and "https:" in url:
        options["ca_certs"] = _checked_ca_file(access.ca_certs)
    nodes = _each(url)
    try:
        # Requests are repeated by session.py; the client only switches to the next node.
        client = Elasticsearch(
            nodes,
            request_timeout=_TIMEOUT if len(nodes) == 1 else _TIMEOUT_OF_SEVERAL,
            max_retries=len(nodes),
            dead_node_backoff_factor=_REST,
            retry_on_status=(),
            serializer=OrjsonSerializer(),
            **options,
        )
    except ValueError as e:
        raise UsageError(f"not the URL of a server: {url}", "Write one such as http://localhost:9200.") from e
    _bound_answers(client)
    return client


def _checked_ca_file(path: Path) -> str:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as e:  # the client would notice only at the first request, and report a failed connection
        raise UsageError(f"cannot read a CA certificate from {path}: {e.strerror or e}", _CA_HINT) from e
    return str(path)


class IncompleteAnswerError(UnreachableError):
    """Report an answer without a part of the index; `status` is the corresponding HTTP status."""

    def __init__(self, url: str, reason: str, status: int = 503) -> None:
        super().__init__(
            f"Elasticsearch at {url} gave only part of the answer: {reason}",
            "Check its cluster (GET /_cluster/health), then run this again.",
        )
        self.status = status


class _BoundedResponse(HTTPResponse):
    """Read the body of a response, up to a limit."""

    def read(self, amt: int | None = None) -> bytes:
        """Read the rest, or `amt` bytes. Raises HTTPException for a body over the limit."""
        if amt is not None:
            return super().read(amt)
        if self.length is not None and self.length > _MOST_BYTES:
            raise HTTPException(TOO_LONG)
        pieces, size = [], 0
        while piece := super().read(2**20):
            pieces.append(piece)
            size += len(piece)
            if size > _MOST_BYTES:
                raise HTTPException(TOO_LONG)
        return b"".join(pieces)


def _bound_answers(client: Elasticsearch) -> None:
    for node in client.transport.node_pool.all():
        assert isinstance(node, Urllib3HttpNode)  # noqa: S101 (the client's default)
        pool = node.pool
        bounded = type("Connection", (pool.ConnectionCls,), {"response_class": _BoundedResponse})
        pool.ConnectionCls = bounded


def not_elasticsearch(url: str) -> RagcliError:
    """Return the error for a response that is not from Elasticsearch."""
    hint = "Check its host and port. OpenSearch is another product, which ragcli does not speak."
    return UnreachableError(f"the server at {url} is not Elasticsearch", hint)


def missing(url: str, index: str) -> RagcliError:
    """Return the error for an index that does not exist."""
    hint = f"Create it: ragcli index FILE --store {url} --index {index}"
    return MissingIndexError(f"no index named {index} at {url}", hint)


def foreign(index: str) -> RagcliError:
    """Return the error for changing an index that ragcli did not make."""
    message = f"index {index} was not made by ragcli, which only reads it"
    return IndexMismatchError(message, "Choose another name: --index NAME")


def replaced(index: str, url: str) -> RagcliError:
    """Return the error for an index that was replaced since it was opened."""
    message = f"index {index} at {url} was deleted or replaced while it was being written"
    return IndexMismatchError(message, "Delete the index, then run this again, one process at a time.")


def refused(item: dict[str, Any], url: str) -> RagcliError:
    """Return the error for an entry that the server refused."""
    document = item["_id"].rpartition("#")[0]
    reason = item.get("error", {}).get("reason", f"status {item['status']}").splitlines()[0]
    hint = "Correct this, then run the same again: it continues where it stopped."
    return RagcliError(f"Elasticsearch at {url} refused document {document!r}: {reason}", hint)


@contextmanager
def translating(url: str, index: str) -> Iterator[None]:
    """Translate exceptions of the client into RagcliError."""
    try:
        yield
    except (ApiError, TransportError) as e:
        raise translated(e, url, index) from e


def translated(error: ApiError | TransportError, url: str, index: str) -> RagcliError:
    """Translate an exception of the client; its text is not quoted if it may contain a secret."""
    if isinstance(error, ApiError):
        return _translated_answer(error, url, index)
    if isinstance(error, SSLError):
        if why := re.search(r"certificate verify failed: ([^(\n]*)", str(error)):
            return UnreachableError(f"the certificate of {url} is not trusted: {why[1].strip()}", _CA_HINT)
        return UnreachableError(f"no secure connection to {url}", "The server may not use https; try http://.")
    if isinstance(error, ConnectionTimeout):
        return UnreachableError(f"Elasticsearch at {url} did not answer in time", "Try again when it is less busy.")
    if isinstance(error, SerializationError):
        hint = "Check the host and port given by --store, and that all texts are Unicode."
        return RagcliError(f"a request to {url} or its response is not valid JSON", hint)
    if TOO_LONG in str(error):
        hint = "Ask for fewer results, or build the index again with smaller documents."
        return UnreachableError(f"a response of {url} has more than {_MOST_BYTES // 2**20} MB", hint)
    hint = "Start it, or check the URL: http or https, host, and port (usually 9200)."
    return UnreachableError(f"Elasticsearch at {url} does not answer", hint)


def _translated_answer(error: ApiError, url: str, index: str) -> RagcliError:
    status, reason = error.meta.status, _reason(error)
    if error.message == "index_not_found_exception":
        return missing(url, index)
    if error.message == "index_closed_exception":
        return RagcliError(f"index {index} at {url} is closed", f"Open it (POST /{index}/_open), then try again.")
    if status == 401:
        hint = "Write --store https://USER:PASSWORD@HOST:PORT, or set RAGCLI_ELASTICSEARCH_API_KEY."
        return UnreachableError(f"Elasticsearch at {url} needs a valid user name and password, or an API key", hint)
    if status == 403 and error.message != "cluster_block_exception":
        return UnreachableError(
            f"Elasticsearch at {url} does not allow this: {reason}", "Use an account that has this permission."
        )
    if status in (429, 502, 503, 504):
        return UnreachableError(f"Elasticsearch at {url} is overloaded or not ready: {reason}", "Try again later.")
    if isinstance(error, UnsupportedProductError) or not isinstance(error.body, dict):
        return not_elasticsearch(url)
    return RagcliError(
        f"Elasticsearch at {url} refused the request: {reason}", "Correct what it names; its log may say more."
    )


def _reason(error: ApiError) -> str:
    details = error.body.get("error") if isinstance(error.body, dict) else None
    if isinstance(details, dict):
        details = next(iter(details.get("root_cause", ())), details).get("reason") or details.get("reason")
    return str(details or error.message).strip().partition("\n")[0][:300]
