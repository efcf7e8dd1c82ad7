"""Run a real Elasticsearch for the tests, open or secured, and never leave it behind."""

import atexit
import base64
import os
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.elastic.distribution import as_server_user, find_java, give_to_server_user, install, reachable, run

START_SECONDS = 180
SETTINGS = """\
discovery.type: single-node
network.host: 127.0.0.1
http.port: 0
transport.port: 0
node.portsfile: true
cluster.routing.allocation.disk.threshold_enabled: false
"""
OPEN = "xpack.security.enabled: false\n"
SECURED = """\
xpack.security.enabled: true
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: http.key
xpack.security.http.ssl.certificate: http.crt
"""
# Replaces the distribution's own file, which writes its garbage collection log into the shared folder.
# The first compiler alone: a third less processor time to start, and tests are over before the second one pays.
JVM_OPTIONS = """\
-Xms512m
-Xmx512m
-XX:+UseG1GC
-XX:TieredStopAtLevel=1
-XX:+ExitOnOutOfMemoryError
-Djava.io.tmpdir=${ES_TMPDIR}
"""


@dataclass(frozen=True)
class Server:
    """Name a running Elasticsearch, with the CA file and the password of the user `elastic` where it is secured."""

    url: str
    ca_certs: Path | None = None
    password: str | None = None


@contextmanager
def running_server(folder: Path, password: str | None = None) -> Iterator[Server]:
    """Run a server with its data in `folder`; with a password it speaks https and asks for it."""
    process = start(folder, password)
    atexit.register(stop, process)
    try:
        address = wait_for_address(process, folder)
        server = Server(f"http://{address}")
        if password is not None:
            server = Server(f"https://{address}", folder / "config" / "http.crt", password)
        wait_until_healthy(server)
        yield server
    finally:
        stop(process)


def start(folder: Path, password: str | None) -> subprocess.Popen[bytes]:
    """Start the server's process with its own settings, data and logs in `folder`."""
    home = install()
    environment = configure(folder, home, password)
    command = [*as_server_user(), "bash", str(home / "bin" / "elasticsearch")]
    with (folder / "server.log").open("wb") as log:
        # A session of its own: Ctrl-C reaches pytest alone, which then stops the server in good order.
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server; a second call does nothing."""
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()  # the launcher: the server behind it ends when its standard input closes
        process.wait()


def configure(folder: Path, home: Path, password: str | None) -> dict[str, str]:
    """Write the settings of a server in `folder` and return the environment that points to them."""
    config, scratch = folder / "config", folder / "tmp"
    for path in (config, scratch, folder / "logs"):
        path.mkdir(parents=True, exist_ok=True)
    (folder / "logs" / "http.ports").unlink(missing_ok=True)  # of an earlier run on the same data
    environment = {"PATH": os.environ["PATH"], "ES_JAVA_HOME": str(find_java())}
    environment |= {"ES_PATH_CONF": str(config), "ES_TMPDIR": str(scratch)}
    write_settings(folder, home, secured=password is not None)
    give_to_server_user(folder)
    if not reachable(folder.parent):
        raise RuntimeError(f"{folder} is closed to the user that runs Elasticsearch")
    if password is not None:
        keystore = [*as_server_user(), "bash", str(home / "bin" / "elasticsearch-keystore")]
        run([*keystore, "add", "-x", "-f", "bootstrap.password"], environment, password)
    return environment


def write_settings(folder: Path, home: Path, secured: bool) -> None:
    """Write the settings files, and the certificate of a secured server."""
    config = folder / "config"
    shutil.copy(home / "config" / "log4j2.properties", config)
    (config / "jvm.options").write_text(JVM_OPTIONS)
    paths = f'path.data: "{folder / "data"}"\npath.logs: "{folder / "logs"}"\n'
    (config / "elasticsearch.yml").write_text(SETTINGS + paths + (SECURED if secured else OPEN))
    if secured:
        make_certificate(config)


def make_certificate(config: Path) -> None:
    """Make a self-signed certificate for 127.0.0.1, which is its own CA file."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    # Python 3.13 verifies strictly and wants the key usage spelled out.
    usages = ["subjectAltName=IP:127.0.0.1,DNS:localhost", "keyUsage=critical,digitalSignature,keyCertSign"]
    extensions = [word for usage in usages for word in ("-addext", usage)]
    files = ["-keyout", str(config / "http.key"), "-out", str(config / "http.crt")]
    run([*command, *extensions, *files], os.environ)


def wait_for_address(process: subprocess.Popen[bytes], folder: Path) -> str:
    """Return host:port of the port that the server chose, as soon as it has written it down."""
    ports, deadline = folder / "logs" / "http.ports", time.monotonic() + START_SECONDS
    while not ports.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            log = (folder / "server.log").read_text(errors="replace")
            raise RuntimeError(f"Elasticsearch did not start:\n{log[-3000:]}")
        time.sleep(0.1)
    return ports.read_text().split()[0]


def wait_until_healthy(server: Server) -> None:
    """Let the server hold one request until its cluster can be written to."""
    request = urllib.request.Request(f"{server.url}/_cluster/health?wait_for_status=yellow&timeout=60s")
    if server.password is not None:
        token = base64.b64encode(f"elastic:{server.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    context = ssl.create_default_context(cafile=server.ca_certs) if server.ca_certs else None
    urllib.request.urlopen(request, context=context, timeout=90).close()
