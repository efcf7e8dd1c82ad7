"""A second run over files reads only those that changed."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.elastic.server import Server
from tests.support import Run
from tests.tiny_encoders import write_encoder

GUIDE = "# Guide\n\n## One\n\nFirst text.\n\n## Two\n\nSecond text.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "guide.md").write_text(GUIDE, encoding="utf-8")
    (folder / "other.md").write_text("# Other\n\nThird text.\n", encoding="utf-8")
    for path in folder.iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return folder


def counts(ragcli: Run, *arguments: Any) -> dict[str, int]:
    summary = ragcli("index", *arguments, "--format", "json").summary()
    names = ("added", "updated", "unchanged", "deleted", "rejected", "documents")
    return {name: summary[name] for name in names if summary[name]}


def test_what_did_not_change_is_not_read(ragcli: Run, folder: Path) -> None:
    assert counts(ragcli, folder) == {"added": 3, "documents": 3}
    (folder / "guide.md").write_text(GUIDE.replace("First", "Fir5t"), encoding="utf-8")
    os.utime(folder / "guide.md", (1_000_000_000, 1_000_000_000))  # same size, same time: taken for the same
    assert counts(ragcli, folder) == {"unchanged": 3, "documents": 3}
    os.utime(folder / "guide.md")
    assert counts(ragcli, folder) == {"updated": 1, "unchanged": 2, "documents": 3}
    os.utime(folder / "other.md")
    assert counts(ragcli, folder) == {"unchanged": 3, "documents": 3}


def test_a_folder_on_a_server_is_kept_in_step(ragcli: Run, folder: Path, elasticsearch: Server) -> None:
    at = ("--store", elasticsearch.url, "--index", "folder-test")
    assert counts(ragcli, folder, *at, "--rebuild") == {"added": 3, "documents": 3}
    (folder / "guide.md").write_text(GUIDE.replace("## Two", "## Three"), encoding="utf-8")
    (folder / "other.md").unlink()
    assert counts(ragcli, folder, *at) == {"added": 1, "unchanged": 1, "deleted": 1, "documents": 3}
    assert counts(ragcli, folder, *at, "--prune") == {"unchanged": 2, "deleted": 1, "documents": 2}


def test_a_name_that_is_no_text_is_remembered_as_others(ragcli: Run, folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.md")).write_text("# Bad\n\nText.\n", encoding="utf-8")
    (folder / "a\nb\x1b[31m.md").write_text("# Worse\n\nText.\n", encoding="utf-8")
    assert counts(ragcli, folder) == {"added": 5, "documents": 5}
    assert counts(ragcli, folder) == {"unchanged": 5, "documents": 5}
    shown = ragcli("status", "--files").out + ragcli("list", "--format", "table").out
    assert "\x1b" not in shown


def test_sections_that_a_file_no_longer_has_are_deleted(ragcli: Run, folder: Path) -> None:
    counts(ragcli, folder)
    (folder / "guide.md").write_text(GUIDE.replace("## Two", "## Three"), encoding="utf-8")
    assert counts(ragcli, folder) == {"added": 1, "unchanged": 2, "deleted": 1, "documents": 3}
    assert counts(ragcli, folder) == {"unchanged": 3, "documents": 3}


def test_prune_deletes_what_stood_in_files_that_are_gone(ragcli: Run, folder: Path) -> None:
    counts(ragcli, folder)
    (folder / "other.md").unlink()
    assert counts(ragcli, folder) == {"unchanged": 2, "documents": 3}
    assert counts(ragcli, folder, "--prune") == {"unchanged": 2, "deleted": 1, "documents": 2}


def test_a_renamed_file_keeps_its_vectors(ragcli: Run, folder: Path, tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "encoder")
    counts(ragcli, folder, "--encoder", encoder)
    (folder / "other.md").rename(folder / "another.md")
    encoder.rename(tmp_path / "away")  # nothing is left that could encode
    assert counts(ragcli, folder, "--prune") == {"added": 1, "unchanged": 2, "deleted": 1, "documents": 3}


def test_an_index_that_something_else_changed_is_compared_with_all_files(ragcli: Run, folder: Path) -> None:
    counts(ragcli, folder)
    assert counts(ragcli, folder / "guide.md", "--prune") == {"unchanged": 2, "deleted": 1, "documents": 2}
    assert counts(ragcli, folder) == {"added": 1, "unchanged": 2, "documents": 3}
    assert counts(ragcli, folder, "--rebuild") == {"added": 3, "documents": 3}
