"""The commands on what an index holds."""

import json
from pathlib import Path

import pytest

from tests.support import Run, assert_two_lines, write_lines

ROWS = (
    {"id": "a", "title": "Ants", "text": "Ants walk. " * 200, "year": 1990},
    {"id": "b", "title": "Bees", "text": "Bees fly.\n\nThey hum.", "year": 2000},
)


@pytest.fixture
def index(ragcli: Run, tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    write_lines(folder / "rows.jsonl", *ROWS)
    (folder / "guide.md").write_text("# Guide\n\n## One\n\nFirst.\n\n## Two\n\nSecond.\n", encoding="utf-8")
    assert ragcli("index", folder).code == 0
    return folder


def test_documents_are_listed(ragcli: Run, index: Path) -> None:
    listed = ragcli("list").objects()
    assert [(one["id"].rpartition("/")[2], one["title"], one["passages"]) for one in listed] == [
        ("guide.md#one", "Guide › One", 1),
        ("guide.md#two", "Guide › Two", 1),
        ("a", "Ants", 2),
        ("b", "Bees", 1),
    ]
    assert [one["id"] for one in ragcli("list", "--where", "year>=1995").objects()] == ["b"]
    assert len(ragcli("list", "--source", index / "guide.md").objects()) == 2
    assert len(ragcli("list", "--source", index, "--limit", 1).objects()) == 1
    assert "Bees" in ragcli("list", "--format", "table").out
    for form in ("json", "table"):
        nothing = ragcli("list", "--where", "year>=2090", "--format", form)
        assert nothing == (0, "", "No documents found.\n")


def test_a_document_is_shown(ragcli: Run, index: Path) -> None:
    assert ragcli("show", "b").out == "Bees\nyear: 2000\n\nBees fly.\n\nThey hum.\n"
    [shown] = ragcli("show", "a", "--format", "json").objects()
    assert (shown["text"], len(shown["passages"])) == (ROWS[0]["text"].strip(), 2)  # type: ignore[attr-defined]
    assert_two_lines(ragcli("show", "x"), 3, "no document 'x'", "ragcli list")


def test_a_passage_is_shown_with_those_around_it(ragcli: Run, index: Path) -> None:
    assert ragcli("show", "b", "0-4").out == "[b 0-20]\nBees fly.\n\nThey hum.\n"
    guide = f"{index}/guide.md"
    shown = ragcli("show", f"{guide}#two", "--around", 1).out
    assert shown == f"[{guide}#one 0-6]\nFirst.\n\n[{guide}#two 0-7]\nSecond.\n"
    [found] = ragcli("show", "a", "1500-1510", "--around", 1, "--format", "json").objects()
    assert [(one["id"], one["start"] > 0) for one in found["passages"]] == [("a", False), ("a", True)]
    assert_two_lines(ragcli("show", "b", "500-510"), 3, "ends at 20")
    assert_two_lines(ragcli("show", "b", "x"), 2, "START-END")


def test_documents_are_deleted_by_id_source_and_filter(ragcli: Run, index: Path) -> None:
    assert ragcli("delete", "--where", "year<1995", "--dry-run").out == "a\n"
    assert ragcli("delete", "--where", "year<1995", "--source", index / "guide.md").code == 3
    assert ragcli("delete", "b", "--where", "year<1995").code == 3
    assert ragcli("delete", "--where", "year<1995").out == "a\n"
    done = ragcli("delete", "b", "nobody")
    assert (done.code, done.out) == (0, "b\n") and "no document matches nobody" in done.err
    assert len(ragcli("delete", "--source", index / "guide.md").out.splitlines()) == 2
    assert ragcli("status", "--format", "json").objects()[0]["documents"] == 0
    assert_two_lines(ragcli("delete", "b"), 3, "no document")
    assert_two_lines(ragcli("delete"), 2, "nothing to delete")


def test_what_is_exported_makes_the_same_index(ragcli: Run, index: Path, tmp_path: Path) -> None:
    exported = tmp_path / "out.jsonl"
    exported.write_text(ragcli("export").out, encoding="utf-8")
    assert {**json.loads(exported.read_text(encoding="utf-8").splitlines()[-1])} == ROWS[1]
    assert ragcli("index", exported, "--index", "copy").code == 0
    assert ragcli("export", "--index", "copy").out == exported.read_text(encoding="utf-8")


def test_an_exported_index_is_cut_at_the_same_places(ragcli: Run, tmp_path: Path) -> None:
    items = "\n".join(f"- item {n} " + "word " * n for n in range(24))
    (tmp_path / "a.md").write_text(f"# A\n\nWords. More words.\n\n{items}\n\n" + "Text. " * 300, encoding="utf-8")
    assert ragcli("index", tmp_path / "a.md").code == 0
    exported = write_lines(tmp_path / "out.jsonl", *ragcli("export").objects())
    assert ragcli("index", exported, "--index", "copy").code == 0
    [first], [second] = (
        ragcli("show", f"{tmp_path}/a.md#a", "--format", "json", "--index", name).objects()
        for name in ("knowledge_base", "copy")
    )
    assert len(first["passages"]) > 2
    assert first == second
    bad = write_lines(tmp_path / "bad.jsonl", {"id": "x", "text": "Text.", "_passages": [[3, 900], "x"]})
    assert ragcli("index", bad, "--index", "copy").code == 0
    assert ragcli("show", "x", "--index", "copy").out == "\nText.\n"


def test_status_says_how_an_index_was_built(ragcli: Run, index: Path) -> None:
    [status] = ragcli("status", "--format", "json").objects()
    assert (status["documents"], status["passages"], status["config"]["language"]) == (4, 5, "en")
    assert "year" in status["fields"]
    assert "documents: 4\n" in ragcli("status").out


def test_status_says_which_files_have_changed(ragcli: Run, index: Path) -> None:
    assert "files: 1, the newest of 20" in ragcli("status").out
    assert ragcli("status", "--format", "json").objects()[0]["files"] == {"count": 1, "unchanged": 1}
    (index / "guide.md").write_text("# Other\n\nText.\n", encoding="utf-8")
    [file] = ragcli("status", "--files", "--format", "json").objects()[0]["files"]
    assert (file["name"], file["documents"], file["state"]) == (f"{index}/guide.md", 2, "changed")
    (index / "guide.md").unlink()
    assert "  gone " in ragcli("status", "--files").out
