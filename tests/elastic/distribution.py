"""Fetch the Elasticsearch distribution, add the analyzers it lacks, and keep both between test sessions."""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

VERSION = "8.19.0"
ARTIFACT = f"org.elasticsearch.distribution.integ-test-zip:elasticsearch:{VERSION}:zip"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
ANALYZERS = Path(__file__).parent / "analyzers"
SERVER_USER = "nobody"


class MissingToolError(RuntimeError):
    """Say that Java or Maven is not installed."""


def install() -> Path:
    """Return the folder of the unpacked server with its plugin, made first where the cache lacks it."""
    java, cache = find_java(), cache_folder()
    home = cache / f"elasticsearch-{VERSION}-{fingerprint()}"
    if home.is_dir():
        return home
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        unpacked = unpack(fetch(Path(scratch), java))
        add_analyzers(unpacked, java, Path(scratch) / "classes")
        for path in (unpacked, *unpacked.rglob("*")):
            path.chmod(0o755)  # zipfile drops the modes, and a strict umask would hide the files from the server's user
        put_in_place(unpacked, home)
    return home


def put_in_place(unpacked: Path, home: Path) -> None:
    """Rename the finished folder into the cache, unless another session was first."""
    try:
        unpacked.rename(home)
    except OSError:
        if not home.is_dir():
            raise


def fetch(folder: Path, java: Path) -> Path:
    """Copy the server's zip into `folder` with Maven, under the user's own Maven settings."""
    if not shutil.which("mvn"):
        raise MissingToolError("Maven (mvn) is needed to fetch Elasticsearch")
    command = ["mvn", "-q", "-B", COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"]
    run(command, {"JAVA_HOME": str(java), **os.environ}, cwd=folder)
    return folder / f"elasticsearch-{VERSION}.zip"


def unpack(archive: Path) -> Path:
    """Unpack the zip beside itself and return the server's folder."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(archive.parent)
    return archive.parent / f"elasticsearch-{VERSION}"


def add_analyzers(home: Path, java: Path, classes: Path) -> None:
    """Compile the analyzers against the server's own jars and install them as a stable plugin."""
    plugin = home / "plugins" / "ragcli-analyzers"
    plugin.mkdir(parents=True)
    sources = [str(source) for source in sorted(ANALYZERS.glob("*.java"))]
    run([str(java / "bin" / "javac"), "-cp", str(home / "lib" / "*"), "-d", str(classes), *sources], os.environ)
    run([str(java / "bin" / "jar"), "cf", str(plugin / "analyzers.jar"), "-C", str(classes), "."], os.environ)
    for name in ("stable-plugin-descriptor.properties", "named_components.json"):
        shutil.copy(ANALYZERS / name, plugin)


def fingerprint() -> str:
    """Return a short hash of the plugin's files, so that a changed source is compiled again."""
    files = sorted(path for path in ANALYZERS.iterdir() if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]


def find_java() -> Path:
    """Return the home of a Java 17 development kit: the server runs on it and javac compiles the plugin."""
    named = [os.environ.get("ES_JAVA_HOME"), os.environ.get("JAVA_HOME")]
    homes = [Path(home) for home in named if home]
    homes += [Path(javac).resolve().parent.parent for javac in [shutil.which("javac")] if javac]
    homes += sorted(Path("/usr/lib/jvm").glob("*"))
    for home in homes:
        if is_java_17_kit(home) and reachable(home):
            return home
    raise MissingToolError("a Java 17 development kit is needed to run Elasticsearch (JAVA_HOME)")


def is_java_17_kit(home: Path) -> bool:
    """Tell whether `home` holds a Java 17 with a compiler."""
    release = home / "release"
    return (home / "bin" / "javac").exists() and release.exists() and 'JAVA_VERSION="17' in release.read_text()


def cache_folder() -> Path:
    """Return the folder that keeps unpacked servers: in the user's cache, else where the server's user can read."""
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = (own if reachable(own) else Path(tempfile.gettempdir())) / "ragcli-tests"
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():  # in a shared place somebody else could have laid a server out for us
        raise RuntimeError(f"{folder} belongs to another user; set XDG_CACHE_HOME to a folder of your own")
    folder.chmod(0o755)
    return folder


def reachable(folder: Path) -> bool:
    """Tell whether `folder` and all above it are there and let the server's user pass."""
    path = (folder, *folder.parents)
    return os.geteuid() != 0 or all(step.is_dir() and step.stat().st_mode & 0o001 for step in path)


def as_server_user() -> list[str]:
    """Return the command prefix that drops root, which Elasticsearch refuses, and ends the server with its parent."""
    if not shutil.which("setpriv"):
        return []  # not Linux: the context manager and atexit alone stop the server
    user = pwd.getpwnam(SERVER_USER)
    drop = ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return ["setpriv", "--pdeathsig", "TERM", *(drop if os.geteuid() == 0 else [])]


def give_to_server_user(folder: Path) -> None:
    """Let the server's user own `folder` and all in it; without root that user is ourselves."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(SERVER_USER)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)


def run(command: list[str], environment: Mapping[str, str], text: str = "", cwd: Path | None = None) -> None:
    """Run a command with `text` on its standard input, and show what it printed only if it fails."""
    done = subprocess.run(
        command,
        check=False,
        env=environment,
        input=text,
        cwd=cwd,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-3000:]}")
