"""Kill, crowd, starve and damage the embedded index: it stays readable, and the next run completes the work."""

import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ragcli.chunking import split_passages
from ragcli.indexing import PASSAGE_SIZE
from ragcli.store import DocumentUpdate, IndexConfig, IndexLocation, Stored, open_store
from ragcli.store_local.folder import make_whole
from tests.support import Result, Run, assert_two_lines, command, environment, run_process, write_lines

DOCUMENTS = 600
# As `python -m ragcli`, but with a commit for every twentieth document instead of every hundred thousandth.
MANY_COMMITS = "import sys; from ragcli import cli, store_local; store_local._COMMIT_EVERY = 20; sys.exit(cli.main())"


def text(number: int, version: str) -> str:
    """Write a document of one to four passages, each with the word `owl` and its version."""
    return " ".join([f"Owl {number} of {version} says that {version} is best."] * (10 + number % 4 * 25))


def write_corpus(path: Path, version: str, documents: int = DOCUMENTS) -> Path:
    """Write documents; every twentieth has a field that no other had before."""
    return write_lines(path, *({"id": f"d{n}", "text": text(n, version), f"f{n // 20}": n} for n in range(documents)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Name the folder of the default index."""
    return tmp_path / "home" / "indexes" / "knowledge_base"


# Killed at any moment

Moment = Callable[[set[Path], float], bool]  # (files that are new since the start, seconds since then) -> now?


def after(seconds: float) -> Moment:
    return lambda new, passed: passed >= seconds


def when(suffix: str, count: int = 1) -> Moment:
    """Wait for so many new files of a kind."""
    return lambda new, passed: sum(path.suffix == suffix for path in new) >= count


def kill_index(path: Path, folder: Path, moment: Moment, program: Sequence[str]) -> None:
    """Index in a process of its own, and kill it when the moment has come, if it is not yet done."""
    before = files_in(folder)
    process = subprocess.Popen(
        [sys.executable, *program, "index", str(path)], env=environment({}), stdout=subprocess.DEVNULL
    )
    start = time.monotonic()
    while process.poll() is None and not moment(files_in(folder) - before, time.monotonic() - start):
        time.sleep(0.001)
    process.kill()
    process.wait(timeout=60)


def files_in(folder: Path) -> set[Path]:
    """List the files of a folder in which another process makes and removes some (rglob would mind)."""
    return {Path(path, name) for path, _, names in os.walk(folder) for name in names}


def check_readable(ragcli: Run, versions: Sequence[str]) -> None:
    """Check that a search works or finds no index, and that each document it finds is whole, and of one version."""
    result = ragcli("search", "owl", "-k", "10000")
    if result.code:
        assert (result.code, result.err) == (3, "Nothing found.\n") or "no index named" in result.err, result
        return
    passages: dict[str, list[Any]] = defaultdict(list)
    for hit in result.objects():
        passages[hit["id"]].append(hit)
    for doc_id, hits in passages.items():
        whole = " ".join(hit["text"] for hit in sorted(hits, key=lambda hit: hit["start"]))
        assert whole in [text(int(doc_id[1:]), version) for version in versions], doc_id


def check_complete(ragcli: Run, path: Path, version: str) -> None:
    """Check that one more run completes the work, passage by passage, and that then there is nothing left to do."""
    summary = ragcli("index", path, "--format", "json").summary()
    passages = sum(len(split_passages(text(n, version), PASSAGE_SIZE)) for n in range(DOCUMENTS))
    assert (summary["documents"], summary["passages"]) == (DOCUMENTS, passages)
    assert ragcli("index", path, "--format", "json").summary()["unchanged"] == DOCUMENTS
    check_readable(ragcli, [version])


MOMENTS = {
    "with the first new segment": when(".store"),
    "with some new segments": when(".store", 4),
    "in a later commit": when(".store", 8),
    "with the new names of fields": when(".new"),
    "with the first deletions": when(".del"),
    "with later deletions": when(".del", 4),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_leaves_a_readable_index_and_the_next_one_completes_it(
    ragcli: Run, folder: Path, tmp_path: Path, moment: str
) -> None:
    """First a new index is killed, then an update of all its documents."""
    for version in ("first", "second"):
        path = write_corpus(tmp_path / f"{version}.jsonl", version)
        for program in (["-m", "ragcli"], ["-c", MANY_COMMITS]):
            kill_index(path, folder, MOMENTS[moment], program)
            check_readable(ragcli, ["first", version])
        check_complete(ragcli, path, version)


@pytest.mark.parametrize("seed", range(2))
def test_killed_again_and_again_it_gets_there(ragcli: Run, folder: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = write_corpus(tmp_path / "a.jsonl", "first")
    for _ in range(4):
        kill_index(path, folder, after(chance.uniform(0.2, 1.2)), ["-c", MANY_COMMITS])
        check_readable(ragcli, ["first"])
    check_complete(ragcli, path, "first")


def test_killed_in_a_commit_that_deletes_the_next_run_goes_on(ragcli: Run, folder: Path, tmp_path: Path) -> None:
    """The file of deletions is there, the commit is not: as on the disk after a kill between these two steps."""
    rows = [{"id": f"d{n}", "text": f"Owl {n}."} for n in range(50)]
    ragcli("index", write_lines(tmp_path / "a.jsonl", *rows))
    less = write_lines(tmp_path / "b.jsonl", *rows[:20])
    before = tmp_path / "before"
    shutil.copytree(folder / "text", before)
    ragcli("index", less, "--prune")
    [deletions] = {path.name for path in (folder / "text").glob("*.del")} - {path.name for path in before.iterdir()}
    shutil.copy(folder / "text" / deletions, before)
    shutil.rmtree(folder / "text")
    before.rename(folder / "text")

    result = ragcli("index", less, "--prune", "--format", "json")
    assert (result.code, result.err) == (0, "")
    assert (result.summary()["deleted"], result.summary()["documents"]) == (30, 20)


def test_killed_with_ids_that_come_twice_the_last_line_wins_in_the_end(
    ragcli: Run, folder: Path, tmp_path: Path
) -> None:
    stale, last = write_corpus(tmp_path / "1.jsonl", "stale"), write_corpus(tmp_path / "2.jsonl", "last")
    path = write_lines(tmp_path / "twice.jsonl", *stale.read_bytes().splitlines(), *last.read_bytes().splitlines())
    for count in (4, 16, 16):
        kill_index(path, folder, when(".store", count), ["-c", MANY_COMMITS])
        assert ragcli("search", "owl").code in (0, 3)
    assert ragcli("index", path, "--format", "json").summary()["documents"] == DOCUMENTS
    check_complete(ragcli, last, "last")


# Kills itself before it does for the nth time what Python tells its auditors of: opens, renames or removes a file.
SELF_KILLING = """
import os, signal, sys
left = int(sys.argv.pop(1))
def audit(event, arguments):
    global left
    named = event in ("open", "os.mkdir", "os.rename", "shutil.rmtree")
    if named and os.environ["RAGCLI_HOME"] in str(arguments[0]) or event in ("os.remove", "os.rmdir"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(audit)
from ragcli import cli
sys.exit(cli.main())
"""


@pytest.mark.parametrize(("options", "stride"), [([], 1), (["--rebuild"], 4)], ids=["new", "rebuild"])
def test_killed_before_any_step_of_making_an_index(
    ragcli: Run, corpus: Path, tmp_path: Path, options: list[str], stride: int
) -> None:
    for step in range(0, 100, stride):
        shutil.rmtree(tmp_path / "home", ignore_errors=True)
        if options:
            ragcli("index", corpus)
        arguments = [sys.executable, "-c", SELF_KILLING, str(step), "index", str(corpus), *options]
        done = subprocess.run(arguments, env=environment({}), check=False, capture_output=True)
        found = ragcli("search", "owl")
        assert found.code in (0, 3) or "no index named" in found.err, (step, found)
        assert ragcli("index", corpus, "--format", "json").summary()["documents"] == 3
        assert len(ragcli("search", "owl").objects()) == 1
        if done.returncode == 0:
            break
    assert step > 10 and done.returncode == 0


# Two at once


@pytest.mark.parametrize("begun", ["empty", "full"])
def test_a_second_writer_is_sent_away_and_readers_are_not(
    ragcli: Run, corpus: Path, tmp_path: Path, begun: str
) -> None:
    """The first writer has nothing committed as yet: in an index that was empty, or that held documents."""
    location = IndexLocation("local", "knowledge_base", tmp_path / "home")
    open_store(location, IndexConfig("en", PASSAGE_SIZE)).close()
    if begun == "full":
        ragcli("index", corpus)
    new = write_lines(tmp_path / "new.jsonl", {"id": "new", "text": "A new one."})
    seen: list[Result] = []

    def meanwhile() -> Iterator[DocumentUpdate]:
        yield DocumentUpdate("mouse", Stored("mouse", "", 1))
        options = ["", "--rebuild", "--dry-run"]
        seen.extend(ragcli("index", new, *filter(None, [option])) for option in options)
        seen.append(ragcli("search", "owl"))

    with open_store(location) as store:
        store.write(meanwhile())
    second_writer, rebuilder, dry_run, reader = seen
    assert_two_lines(second_writer, 1, "being written by another process")
    assert_two_lines(rebuilder, 1, "being written by another process")
    assert (dry_run.code, reader.code) == (0, 3 if begun == "empty" else 0)
    assert ragcli("index", corpus, new, "--format", "json").summary()["documents"] == 4


def test_two_processes_that_make_one_index_at_once(ragcli: Run, corpus: Path) -> None:
    processes = [
        subprocess.Popen(
            command("index", corpus), env=environment({}), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(4)
    ]
    errors = [process.communicate(timeout=60)[1].decode() for process in processes]
    assert all("another process" in error and len(error.splitlines()) == 2 for error in errors if error), errors
    assert ragcli("index", corpus, "--format", "json").summary()["documents"] == 3
    assert len(ragcli("search", "owl fox cat").objects()) == 3


def test_who_makes_an_index_second_may_be_swept_away(tmp_path: Path) -> None:
    folder = tmp_path / "notes"

    def overtaken(work: Path) -> None:
        make_whole(folder, lambda first: (first / "facts.json").touch())
        shutil.rmtree(work)
        (work / "facts.json").touch()

    make_whole(folder, overtaken)
    assert (folder / "facts.json").exists()
    with pytest.raises(FileNotFoundError):
        make_whole(tmp_path / "other", lambda work: (work / "no" / "such").touch())


# A full disk


def small_files() -> None:
    """Let no file of this process grow beyond 20 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_is_an_error_that_leaves_the_index_as_it_was(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    large = write_corpus(tmp_path / "large.jsonl", "first")
    result = run_process("index", large, preexec_fn=small_files)
    assert_two_lines(result, 1, "cannot write index knowledge_base", "Make room")
    assert [hit["id"] for hit in ragcli("search", "owl").objects()] == ["owl"]
    assert ragcli("index", large, "--format", "json").summary()["documents"] == DOCUMENTS + 3


def test_a_full_disk_under_standard_input(corpus: Path, tmp_path: Path) -> None:
    large = write_corpus(tmp_path / "large.jsonl", "first")
    with large.open("rb") as stdin:
        assert_two_lines(run_process("index", "-", stdin=stdin, preexec_fn=small_files), 1, "-", "full")


def test_a_disk_that_is_really_full(ragcli: Run, folder: Path, corpus: Path, tmp_path: Path) -> None:
    """Mount a small file system over the index, in a name space that goes with the process."""
    ragcli("index", corpus)
    large = write_corpus(tmp_path / "large.jsonl", "first")
    as_root = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    script = """
        mount -t tmpfs -o size=120k ragcli "$1" || exit 77
        cp -r "$2/." "$1"; shift 2
        "$@"; code=$?; echo "$code" >&2
        exec "$1" -m ragcli search owl
    """
    copied = tmp_path / "copy"
    shutil.copytree(tmp_path / "home", copied)
    words = ["sh", "-c", script, "sh", str(tmp_path / "home"), str(copied), *map(str, command("index", large))]
    done = subprocess.run([*as_root, *words], env=environment({}), check=False, capture_output=True, text=True)
    if done.returncode in (1, 77) and "Error:" not in done.stderr:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    *error, code = done.stderr.splitlines()
    assert_two_lines(Result(int(code), "", "\n".join(error)), 1, "cannot write index knowledge_base", "Make room")
    assert (done.returncode, done.stdout.count('"id":"owl"')) == (0, 1)


# No permission


def test_an_index_that_may_only_be_read_is_searched(ragcli: Run, folder: Path, corpus: Path, tmp_path: Path) -> None:
    """As root without root's power over permissions, or as anyone else."""
    ragcli("index", corpus)
    more = write_lines(tmp_path / "more.jsonl", {"id": "hen", "text": "A hen lays eggs."})
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    paths = [tmp_path / "home", *(tmp_path / "home").rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)

    def run(*arguments: str | Path) -> Result:
        words = [*powerless, *map(str, command(*arguments))]
        done = subprocess.run(words, env=environment({}), check=False, capture_output=True, text=True)
        return Result(done.returncode, done.stdout, done.stderr)

    try:
        found = run("search", "owl")
        assert (found.code, [hit["id"] for hit in found.objects()]) == (0, ["owl"]), found
        assert_two_lines(run("index", more), 1, "may not be written by you")
        (folder / "facts.json").chmod(0)
        assert_two_lines(run("search", "owl"), 1, "may not be read by you")
    finally:
        for path in paths:
            path.chmod(0o755)


# A damaged index


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: len(content) // 2]


def emptied(content: bytes, chance: random.Random) -> bytes:
    return b""


def noise(content: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(len(content))


def noise_inside(content: bytes, chance: random.Random) -> bytes:
    """Leave the footer whole by which tantivy tells its own files."""
    return chance.randbytes(len(content) - 100) + content[-100:] if len(content) > 100 else noise(content, chance)


def zeros_inside(content: bytes, chance: random.Random) -> bytes:
    return bytes(len(content) - 100) + content[-100:] if len(content) > 100 else bytes(len(content))


def scattered_noise(content: bytes, chance: random.Random) -> bytes:
    """Change each hundredth byte, which makes tantivy panic."""
    changed = bytearray(content)
    for where in chance.sample(range(len(content)), max(1, len(content) // 100)):
        changed[where if len(content) < 100 else where % (len(content) - 100)] = chance.randrange(256)
    return bytes(changed)


def one_bit(content: bytes, chance: random.Random) -> bytes:
    where = chance.randrange(len(content))
    return content[:where] + bytes([content[where] ^ 1 << chance.randrange(8)]) + content[where + 1 :]


DAMAGES = (cut, emptied, noise, noise_inside, zeros_inside, scattered_noise, one_bit)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_index_is_an_error_of_two_lines_or_a_right_answer(
    damage: Callable[[bytes, random.Random], bytes],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Damage a file of each kind in turn; no traceback, and nothing from Rust on stderr (hence capfd)."""
    changed = write_corpus(tmp_path / "b.jsonl", "second", documents=60)
    path = write_corpus(tmp_path / "a.jsonl", "first", documents=55)
    run_quietly(capfd, "index", changed)
    run_quietly(capfd, "index", write_corpus(tmp_path / "c.jsonl", "first", documents=5))  # deletes of the old version
    whole = tmp_path / "home"
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file() and path.stat().st_size)
    kinds = {path.suffix + path.name[:1] * (path.suffix == ".json"): path for path in files}
    assert {".store", ".idx", ".del"} < set(kinds)
    for number, (file, arguments) in enumerate(
        product(kinds.values(), (["search", "owl", "--where", "id!=d1"], ["index", str(path)], ["index", str(changed)]))
    ):
        home = tmp_path / str(number)
        shutil.copytree(whole, home)
        (home / file).write_bytes(damage((whole / file).read_bytes(), random.Random(number)))
        monkeypatch.setenv("RAGCLI_HOME", str(home))
        result = run_quietly(capfd, *arguments)
        if result.code != 0:
            assert_two_lines(result, result.code)
            assert result.code == 3 or "--rebuild" in result.err, (file, result)
        elif arguments[0] == "index":
            assert " · 60 documents" in result.out, (file, result)


@pytest.mark.parametrize("file", ["facts.json", "text/meta.json", "fields.json", "text"])
def test_a_lost_file_is_an_error_that_a_rebuild_mends(ragcli: Run, corpus: Path, folder: Path, file: str) -> None:
    ragcli("index", corpus)
    shutil.rmtree(folder / file) if file == "text" else (folder / file).unlink()
    for arguments in (["search", "owl"], ["index", str(corpus)]):
        assert_two_lines(ragcli(*arguments), 1, "index knowledge_base cannot be read", "--rebuild")
    assert ragcli("index", corpus, "--rebuild").code == 0
    assert len(ragcli("search", "owl").objects()) == 1


@pytest.mark.parametrize("content", [b"null", b"1", b'"a"', b"{}", b'{"language": 1}', b"[1, 2]", b"[[]]", b"\xff"])
@pytest.mark.parametrize("file", ["facts.json", "fields.json"])
def test_a_file_with_something_else_in_it_is_an_error(
    ragcli: Run, corpus: Path, folder: Path, file: str, content: bytes
) -> None:
    ragcli("index", corpus)
    (folder / file).write_bytes(content)
    assert_two_lines(ragcli("search", "owl", "--where", "year=2005"), 1, "index knowledge_base", "--rebuild")


def test_an_index_of_another_version_is_an_error(ragcli: Run, corpus: Path, folder: Path) -> None:
    ragcli("index", corpus)
    config = folder / "facts.json"
    config.write_bytes(re.sub(rb'"version":\d+', b'"version":99', config.read_bytes()))
    for arguments in (["search", "owl"], ["index", str(corpus)]):
        assert_two_lines(ragcli(*arguments), 1, "format 99", "--rebuild")


def run_quietly(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> Result:
    """Run a command line in this process, with all that reaches its file descriptors."""
    from ragcli.cli import main

    capfd.readouterr()
    code = main([str(argument) for argument in arguments])
    return Result(code, *capfd.readouterr())
