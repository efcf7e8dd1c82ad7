"""Finding input files, and keeping copies of streams."""

import bz2
import gzip
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import time
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from ragcli.documents import Reject
from ragcli.errors import RagcliError
from ragcli.readers import FieldNames, Input, Selection, find_files, find_inputs, read_documents
from ragcli.readers.spool import rereadable
from tests.support import ROOT, Run, assert_two_lines, command, environment, write_lines


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


def found(folder: Path, **choice: Any) -> list[str]:
    files = find_files([folder], Selection(**choice)).inputs
    return [item.path.relative_to(folder).as_posix() for item in files]


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("Some text.", encoding="utf-8")
    return folder


def test_a_folder_is_read_but_for_what_is_hidden_ignored_or_no_text(tmp_path: Path) -> None:
    folder = tree(
        tmp_path / "repo",
        *("a.md", "LICENSE", "x.png", "conf.yml", ".hidden.md", ".git/x.md", "node_modules/m.md", "docs/b.rst"),
        *("build/out.md", "docs/draft.md", "docs/keep.tmp.md", "docs/c.tmp.md"),
    )
    (folder / ".gitignore").write_text("build/\n*.tmp.md\n", encoding="utf-8")
    (folder / "docs" / ".gitignore").write_text("!keep.tmp.md\n", encoding="utf-8")
    (folder / "docs" / ".ragcliignore").write_text("draft.md\n", encoding="utf-8")
    assert found(folder) == ["LICENSE", "a.md", "docs/b.rst", "docs/keep.tmp.md"]
    assert [item.path.name for item in find_files([folder / "docs"], Selection()).inputs] == ["b.rst", "keep.tmp.md"]
    reasons = {one.file.rpartition("/")[2]: one.reason for one in find_files([folder], Selection()).skipped}
    assert reasons["x.png"] == "no text: .png"
    assert reasons["conf.yml"].startswith("no reader for .yml; --include")
    assert reasons["build"] == "ignored by .gitignore or .ragcliignore"


def test_patterns_choose_files(tmp_path: Path) -> None:
    folder = tree(tmp_path / "f", "a.md", "b.yml", "sub/c.md", "sub/d.txt", "old/e.md")
    assert found(folder, include=("*.md", "*.yml")) == ["a.md", "b.yml", "old/e.md", "sub/c.md"]
    assert found(folder, exclude=("old/", "*.txt")) == ["a.md", "sub/c.md"]
    assert found(folder, include=("sub/**",), exclude=("*.txt",)) == ["sub/c.md"]


def test_links_to_folders_are_followed_on_demand_and_once(tmp_path: Path) -> None:
    folder = tree(tmp_path / "f", "a/x.md")
    tree(tmp_path / "g", "y.md")
    (folder / "a" / "up").symlink_to(folder)
    (folder / "b").symlink_to(tmp_path / "g")
    assert found(folder) == ["a/x.md"]
    assert found(folder, follow_symlinks=True) == ["a/x.md", "b/y.md"]


def test_a_folder_of_documents_is_indexed(ragcli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "guide.md").write_text("# Guide\n\n## Install\n\nRun the **installer**.\n", encoding="utf-8")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4")
    (folder / "x.png").write_bytes(b"\x89PNG")
    (folder / "package.json").write_text('{"name": "x"}', encoding="utf-8")
    result = ragcli("index", folder, "--rejects", tmp_path / "rejects.jsonl", "--format", "json")
    assert (result.code, result.summary()["added"], result.summary()["rejected"]) == (6, 1, 1)
    assert "skipped 2 files: 1 × JSON without a field 'text'; 1 × no text: .png" in result.err
    assert f"rejected {folder}/bad.pdf: damaged" in result.err
    kept = [json.loads(line)["file"] for line in (tmp_path / "rejects.jsonl").read_bytes().splitlines()]
    assert kept == [f"{folder}/x.png", f"{folder}/bad.pdf", f"{folder}/package.json"]
    [hit] = ragcli("search", "installer").objects()
    assert (hit["title"], hit["text"]) == ("Guide › Install", "Run the installer.")
    assert hit["metadata"] == {"source": f"{folder}/guide.md", "heading": "Guide › Install", "line": 3}


def test_json_in_a_folder_that_holds_no_documents_is_one_line(ragcli: Run, tmp_path: Path) -> None:
    """An array of names is left out, and JSON with comments is one reject, not one for each line."""
    (tmp_path / "names.json").write_text('[\n  "one",\n  "two"\n]\n')
    (tmp_path / "settings.json").write_text('{\n  // no JSON\n  "a": 1,\n  "b": 2\n}\n')
    (tmp_path / "a.json").write_text('{"id": "a", "text": "Moons turn."}\nnot JSON\n{"id": "b", "text": "Suns."}\n')
    result = ragcli("index", tmp_path, "--no-encoder")
    assert "skipped 1 file: 1 × JSON without a field 'text'" in result.err
    assert "4 read, 2 added, 0 updated, 0 unchanged, 0 deleted, 2 rejected" in result.out + result.err


def test_prune_spares_a_file_that_could_not_be_read(ragcli: Run, tmp_path: Path) -> None:
    folder = tree(tmp_path / "docs", "a.md", "b.ipynb", "c.md")
    (folder / "b.ipynb").write_text('{"cells": [{"cell_type": "markdown", "source": "Text."}]}', encoding="utf-8")
    assert ragcli("index", folder, "--format", "json").summary()["added"] == 3
    (folder / "b.ipynb").write_text("{", encoding="utf-8")
    (folder / "c.md").unlink()
    result = ragcli("index", folder, "--prune", "--format", "json")
    assert (result.code, result.summary()["deleted"], result.summary()["documents"]) == (6, 1, 2)


def test_a_folder_with_nothing_to_read_is_an_error(ragcli: Run, tmp_path: Path) -> None:
    assert_two_lines(ragcli("index", tmp_path), 1, "there is nothing to read in", "--include")


ROWS = [{"id": f"d{number}", "text": f"Document {number}."} for number in range(9)]
LINES = b"".join(orjson.dumps(row) + b"\n" for row in ROWS)
PACKED = gzip.compress(LINES)


def packed(*members: bytes) -> bytes:
    """Return a tar archive of JSON Lines files."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for number, content in enumerate(members):
            entry = tarfile.TarInfo(f"{number}.jsonl")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()


def zipped(method: int) -> bytes:
    """Return a zip archive of one JSON Lines file, whose packed content is damaged."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        archive.writestr("a.jsonl", LINES)
    content = bytearray(whole.getvalue())
    content[45:60] = b"\xff" * 15
    return bytes(content)


DAMAGED = {
    "array.json": b"[" + b",\n".join(LINES.splitlines()[:5]),
    "quote.csv": b'id,text\nd0,Document 0.\nd1,"Document 1.\nd2,Document 2.\n',
    "members.jsonl.gz": gzip.compress(LINES[:100]) + PACKED[:40],
    "behind.jsonl.gz": PACKED + b"behind",
    "sum.jsonl.gz": PACKED[:-6] + b"\0\0" + PACKED[-4:],
    "deflate.zip": zipped(zipfile.ZIP_DEFLATED),
    "lzma.zip": zipped(zipfile.ZIP_LZMA),
    "cut.tar": packed(LINES, LINES)[:1536],
    "cut.jsonl.bz2": bz2.compress(LINES)[:60],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_prune_deletes_nothing_where_a_file_is_damaged(ragcli: Run, tmp_path: Path, name: str) -> None:
    whole, damaged = tmp_path / "whole.jsonl", tmp_path / name
    whole.write_bytes(LINES)
    damaged.write_bytes(DAMAGED[name])
    ragcli("index", whole, "--language", "en")
    some = write_lines(tmp_path / "some.jsonl", ROWS[0])
    result = ragcli("index", some, damaged, "--prune", "--format", "json")
    assert (result.code, result.summary()["deleted"], result.summary()["documents"]) == (6, 0, len(ROWS)), result
    assert result.summary()["rejected"] == 1
    assert "--prune deleted nothing" in result.err


def test_a_cut_database_is_not_read_as_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE notes (id, text)")
        database.executemany("INSERT INTO notes VALUES (?, ?)", [(n, f"Note {n}.") for n in range(50)])
        database.commit()
    path.write_bytes(path.read_bytes()[:-1000])
    [item] = read_documents([Input(path, "a.db")], FieldNames(query="SELECT id, text FROM notes"))
    assert isinstance(item, Reject)
    assert "cut" in item.reason


def test_prune_deletes_nothing_where_a_link_leads_nowhere(ragcli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    write_lines(folder / "b.jsonl", {"id": "b", "text": "Text."})
    (tmp_path / "elsewhere").write_bytes(LINES)
    (folder / "link.jsonl").symlink_to(tmp_path / "elsewhere")
    assert ragcli("index", folder, "--language", "en", "--format", "json").summary()["documents"] == 1 + len(ROWS)
    (tmp_path / "elsewhere").unlink()
    result = ragcli("index", folder, "--prune", "--format", "json")
    assert result.summary()["documents"] == 1 + len(ROWS)
    assert "--prune deleted nothing" in result.err


def test_prune_deletes_nothing_where_a_folder_cannot_be_read(ragcli: Run, tmp_path: Path) -> None:
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root reads everything, and setpriv is missing")
    folder = tmp_path / "docs"
    write_lines(folder / "b.jsonl", {"id": "b", "text": "Text."})
    write_lines(folder / "inside" / "a.jsonl", *ROWS)
    assert ragcli("index", folder, "--language", "en", "--format", "json").summary()["documents"] == 1 + len(ROWS)
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    words = [*powerless, *command("index", folder, "--prune", "--format", "json")]
    (folder / "inside").chmod(0)
    try:
        done = subprocess.run(words, env=environment({}), capture_output=True, check=True)
    finally:
        (folder / "inside").chmod(0o755)
    assert json.loads(done.stdout)["documents"] == 1 + len(ROWS)
    assert b"--prune deleted nothing" in done.stderr
