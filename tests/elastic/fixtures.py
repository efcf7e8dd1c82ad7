"""Give the tests an Elasticsearch, one for the whole session."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.elastic.distribution import MissingToolError, install
from tests.elastic.server import Server, running_server

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def elasticsearch() -> Iterator[Server]:
    """Yield an open server: the one that RAGCLI_TEST_ELASTICSEARCH names, else one of the session's own."""
    url = os.environ.get("RAGCLI_TEST_ELASTICSEARCH")
    if url:
        yield Server(url.rstrip("/"))
    else:
        yield from own_server()


@pytest.fixture(scope="session")
def secured_elasticsearch() -> Iterator[Server]:
    """Yield a server of the session's own that speaks https and asks for a password."""
    yield from own_server(PASSWORD)


def own_server(password: str | None = None) -> Iterator[Server]:
    """Run a server until the session ends; skip where it cannot be had, except in CI, where that is a failure."""
    try:
        install()
    except MissingToolError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    # Not pytest's own tmp folders: they are closed to the user that runs the server when we are root.
    with (
        tempfile.TemporaryDirectory(prefix="ragcli-elasticsearch-") as folder,
        running_server(Path(folder), password) as server,
    ):
        yield server
