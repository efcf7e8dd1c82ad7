"""The health of a server: its version, licence, state, and analyzers."""

from typing import Any, NamedTuple

import elasticsearch

from ragcli.store import Access
from ragcli.store_elastic.server import address, connect, not_elasticsearch, translating

ANALYZED = ["two", "Words"]


class Server(NamedTuple):
    """Describe a server; `analyzed` is what its whitespace analyzer makes of the words of ANALYZED."""

    url: str
    version: str
    client: str
    licence: str
    licence_status: str
    status: str
    analyzed: list[str]


def look_at(url: str, access: Access) -> Server:
    """Ask a server about itself. Raises UnreachableError."""
    url, login = address(url)
    with translating(url, "none"), connect(url, login, access) as client:
        nodes: Any = client.nodes.info(node_id="_local", filter_path="nodes.*.version").body
        licence = client.license.get().body
        health = client.cluster.health(filter_path="status", timeout="5s").body
        analyzed = client.indices.analyze(analyzer="whitespace", text=" ".join(ANALYZED)).body
        try:
            [version] = {node["version"] for node in nodes["nodes"].values()}
            words = [token["token"] for token in analyzed["tokens"]]
            held = licence["license"]
            client_version = ".".join(map(str, elasticsearch.__version__))
            return Server(url, version, client_version, held["type"], held["status"], health["status"], words)
        except (KeyError, TypeError, ValueError, AttributeError) as e:
            raise not_elasticsearch(url) from e
