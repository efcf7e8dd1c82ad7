"""Fetch what a URL names, once and within limits; what it links to is not followed."""

import tempfile
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple, cast
from urllib.parse import urlsplit

import httpx2 as httpx

from ragcli import __version__
from ragcli.errors import RagcliError, UnreachableError, first_line
from ragcli.readers.formats import FORMATS

_LARGEST = 2**27
_SECONDS = 30.0  # between two pieces
_MOST_REDIRECTS = 5
_KINDS = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "text/x-rst": ".rst",
    "application/pdf": ".pdf",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/epub+zip": ".epub",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.oasis.opendocument.text": ".odt",
}


class Fetched(NamedTuple):
    """Hold the downloaded content of a URL, and its format as a suffix; empty if only the content can tell."""

    file: BinaryIO
    kind: str


def fetch(url: str, stack: ExitStack) -> Fetched:
    """Download a URL to a file that the stack closes. Raises UnreachableError, RagcliError."""
    file = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile(prefix="ragcli-")))  # noqa: SIM115
    try:
        with (
            httpx.Client(
                headers={"User-Agent": f"ragcli/{__version__}"},
                follow_redirects=True,
                max_redirects=_MOST_REDIRECTS,
                timeout=_SECONDS,
            ) as client,
            client.stream("GET", url) as response,
        ):
            if response.is_error:
                reason = f"{response.status_code} {response.reason_phrase}"
                raise RagcliError(f"{url} cannot be fetched: {reason}", "Check the address.")
            for piece in response.iter_bytes():
                file.write(piece)
                if file.tell() > _LARGEST:
                    raise RagcliError(
                        f"{url} is larger than {_LARGEST // 2**20} MiB", "Download it, and name the file."
                    )
            kind = _kind(url, response.headers.get("content-type", ""))
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        hint = "Check the address and the network, or download the file and name that."
        raise UnreachableError(f"{url} cannot be fetched: {first_line(e)}", hint) from e
    file.flush()
    return Fetched(file, kind)


def _kind(url: str, content_type: str) -> str:
    """Return the format by the server's content type, or else by the URL's suffix."""
    by_type = _KINDS.get(content_type.partition(";")[0].strip().lower(), "")
    name = urlsplit(url).path.rpartition("/")[2].lower()
    suffix = name[name.rfind(".") :] if "." in name else ""
    return by_type or (suffix if suffix in FORMATS else "")
