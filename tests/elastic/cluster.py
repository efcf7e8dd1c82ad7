"""Run three nodes of Elasticsearch on this machine as one cluster, whose nodes can be killed."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.elastic.distribution import as_server_user, find_java, give_to_server_user, install
from tests.elastic.server import JVM_OPTIONS, START_SECONDS, Server, stop, wait_until_healthy

SETTINGS = """\
cluster.name: {name}
node.name: node{number}
network.host: 127.0.0.1
http.port: {http}
transport.port: {transport}
discovery.seed_hosts: {seeds}
cluster.initial_master_nodes: [node0, node1, node2]
cluster.routing.allocation.disk.threshold_enabled: false
xpack.security.enabled: false
path.data: "{folder}/data"
path.logs: "{folder}/logs"
"""


class Node:
    """A node: its URL, its folder, and its processes, which have a group of their own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._folder, self._port = folder, port
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {"PATH": os.environ["PATH"], "ES_JAVA_HOME": str(find_java())}
        environment |= {"ES_PATH_CONF": str(self._folder / "config"), "ES_TMPDIR": str(self._folder / "tmp")}
        words = [*as_server_user(), "bash", str(install() / "bin" / "elasticsearch")]
        with (self._folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self) -> None:
        """End the node at once, as a power cut would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """Stop the node's processes, which stay and keep their connections, until it is killed."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def start_again(self) -> None:
        """Start the node that was killed, on its data, and wait until the cluster has a master."""
        self._process = self._start()
        self.wait()

    def wait(self) -> None:
        """Return when the node can be written to."""
        wait_for_port(self._port)
        wait_until_healthy(Server(self.url))

    def stop(self) -> None:
        """End the node in good order."""
        stop(self._process)


@contextmanager
def running_cluster() -> Iterator[list[Node]]:
    """Yield three nodes that have found each other."""
    ports = free_ports(6)
    with tempfile.TemporaryDirectory(prefix="ragcli-cluster-") as name:
        nodes = [Node(configure(Path(name), number, ports), ports[number]) for number in range(3)]
        try:
            for node in nodes:
                node.wait()
            yield nodes
        finally:
            for node in nodes:
                node.stop()


def configure(folder: Path, number: int, ports: list[int]) -> Path:
    """Write the settings of one of the nodes into a folder of its own."""
    own = folder / f"node{number}"
    for name in ("config", "tmp", "logs"):
        (own / name).mkdir(parents=True)
    shutil.copy(install() / "config" / "log4j2.properties", own / "config")
    (own / "config" / "jvm.options").write_text(JVM_OPTIONS)
    seeds = [f"127.0.0.1:{port}" for port in ports[3:]]
    settings = SETTINGS.format(
        name=folder.name, number=number, http=ports[number], transport=ports[3 + number], seeds=seeds, folder=own
    )
    (own / "config" / "elasticsearch.yml").write_text(settings)
    give_to_server_user(folder)
    return own


def free_ports(count: int) -> list[int]:
    """Return ports that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for_port(port: int) -> None:
    """Return when a server listens."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
