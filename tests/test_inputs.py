"""Finding input files, and keeping copies of streams."""

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ragcli.errors import RagcliError
from ragcli.readers import Input, find_inputs
from ragcli.readers.spool import rereadable
from tests.support import ROOT, Run, assert_two_lines, environment, write_lines


def names(folder: Path) -> list[str]:
    return [item.path.relative_to(folder).as_posix() for item in find_inputs([folder])]


def test_a_folder_stands_for_the_files_in_it_and_in_its_folders(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl.gz", "c.ndjson", "D.JSONL", "sub/deep/e.jsonl", ".hidden.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == ["D.JSONL", "a.jsonl.gz", "b.jsonl", "c.ndjson", "sub/deep/e.jsonl"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(RagcliError, match="empty"):
        find_inputs([tmp_path / "empty"])
    with pytest.raises(RagcliError, match="no such file"):
        find_inputs([tmp_path / "missing"])


def test_a_loop_of_links_and_a_folder_with_a_files_name_stop_nothing(ragcli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    write_lines(folder / "z.jsonl", {"id": "z", "text": "Last."})
    write_lines(folder / "x.jsonl" / "y.jsonl", {"id": "y", "text": "Inside."})
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    (folder / "up").symlink_to(folder)
    assert ragcli("index", folder, "--format", "json").summary()["added"] == 2


def test_what_a_run_writes_is_no_input(ragcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "texts"
    write_lines(folder / "a.jsonl", {"id": "a", "text": "Good."}, b"bad")
    monkeypatch.setenv("RAGCLI_HOME", str(folder / "home"))
    write_lines(folder / "home" / "chat.jsonl", {"text": "An answer of long ago."})
    for _ in range(2):
        result = ragcli("index", folder, "--rejects", folder / "rejects.jsonl", "--format", "json")
        assert (result.summary()["read"], result.summary()["rejected"]) == (2, 1)


def test_a_device_is_refused(ragcli: Run) -> None:
    assert_two_lines(ragcli("index", "/dev/zero"), 1, "/dev/zero is neither a file nor a pipe")


def test_zeros_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO())))
    monkeypatch.setattr(sys.stdin.buffer, "read", Zeros().read, raising=False)
    with pytest.raises(RagcliError, match="zero bytes"), rereadable([Input(Path("-"), "-")]):
        pass


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files have no names here")
def test_a_killed_run_leaves_no_copy_of_its_input(tmp_path: Path) -> None:
    here = environment({"TMPDIR": str(tmp_path), "RAGCLI_HOME": str(tmp_path / "home")})
    command = [sys.executable, "-m", "ragcli", "index", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=here, cwd=ROOT) as process:
        assert process.stdin
        process.stdin.write(b'{"text": "x"}\n' * 300_000)
        time.sleep(0.5)
        process.terminate()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
