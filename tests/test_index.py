"""Load documents from the command line: what is counted, what is written, and what becomes of bad lines."""

import gzip
import io
import json
import os
import sys
import threading
import uuid
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from ragcli.readers.json_lines import MAX_LINE_BYTES
from tests.support import SUMMARY_KEYS, Run, assert_two_lines, run_process, snapshot, write_lines

NOTHING = {"added": 0, "updated": 0, "unchanged": 0, "deleted": 0, "rejected": 0}
SENTENCE = "Sentence number {} of this document speaks of {}. "


def long_text(word: str, sentences: int = 100) -> str:
    return "".join(SENTENCE.format(n, word) for n in range(sentences)).strip()


# Run again, it writes only what changed


def test_the_summary_is_one_line_of_text_or_one_json_object(ragcli: Run, corpus: Path) -> None:
    text = ragcli("index", corpus)
    counts = "3 read, 3 added, 0 updated, 0 unchanged, 0 deleted, 0 rejected · 3 documents, 3 passages in the index"
    assert (text.code, text.err, text.out.splitlines()[0].rpartition(" · ")[0]) == (0, "", counts)

    as_json = ragcli("index", corpus, "--index", "other", "--format", "json")
    assert list(as_json.objects()[0]) == SUMMARY_KEYS
    assert as_json.summary() == {"read": 3, **NOTHING, "added": 3, "documents": 3, "passages": 3}


def test_a_second_run_writes_nothing(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    before = snapshot(tmp_path / "home")
    again = ragcli("index", corpus, "--format", "json")
    assert again.summary() == {"read": 3, **NOTHING, "unchanged": 3, "documents": 3, "passages": 3}
    assert snapshot(tmp_path / "home") == before


def test_only_new_and_changed_documents_are_written(ragcli: Run, tmp_path: Path) -> None:
    one, two, three = ({"id": f"d{n}", "text": f"Text number {n}."} for n in range(3))
    ragcli("index", write_lines(tmp_path / "a.jsonl", one, two))
    changed = {"id": "d1", "text": "Another text."}
    result = ragcli("index", write_lines(tmp_path / "b.jsonl", one, changed, three), "--format", "json")
    expected = {"read": 3, **NOTHING, "added": 1, "updated": 1, "unchanged": 1, "documents": 3, "passages": 3}
    assert result.summary() == expected


@pytest.mark.parametrize("update", [{"title": "Other"}, {"year": 2000}, {"text": "Same words. "}])
def test_any_change_of_title_metadata_or_text_is_an_update(ragcli: Run, tmp_path: Path, update: dict[str, Any]) -> None:
    document = {"id": "d", "title": "Title", "text": "Same words.", "year": 1999}
    ragcli("index", write_lines(tmp_path / "a.jsonl", document))
    result = ragcli("index", write_lines(tmp_path / "a.jsonl", document | update), "--format", "json")
    assert result.summary() == {"read": 1, **NOTHING, "updated": 1, "documents": 1, "passages": 1}


def test_a_changed_text_leaves_no_passage_of_the_old_one(ragcli: Run, tmp_path: Path) -> None:
    first = ragcli(
        "index", write_lines(tmp_path / "a.jsonl", {"id": "d", "text": long_text("whales")}), "--format", "json"
    )
    assert first.summary()["passages"] > 3
    short = write_lines(tmp_path / "a.jsonl", {"id": "d", "text": "It is short, and about sparrows."})
    second = ragcli("index", short, "--format", "json")
    assert second.summary() == {"read": 1, **NOTHING, "updated": 1, "documents": 1, "passages": 1}
    assert ragcli("search", "whales").code == 3
    assert [hit["id"] for hit in ragcli("search", "sparrows").objects()] == ["d"]


def test_passages_map_back_to_their_document(ragcli: Run, tmp_path: Path) -> None:
    text = f"  \n{long_text('naïve 𝒳 whales')}\r\n\n{'x' * 3000} {long_text('日本')}\t"
    ragcli("index", write_lines(tmp_path / "a.jsonl", {"id": "d", "text": text}))
    hits = sorted(ragcli("search", "sentence number", "-k", "100").objects(), key=lambda hit: hit["start"])
    assert len(hits) > 5
    for hit in hits:
        assert hit["text"] == text[hit["start"] : hit["end"]]
    assert all(left["end"] <= right["start"] for left, right in pairwise(hits))


def test_several_files_are_one_input(ragcli: Run, tmp_path: Path) -> None:
    files = [write_lines(tmp_path / f"{n}.jsonl", {"text": f"Text number {n}."}) for n in range(3)]
    assert ragcli("index", *files, "--format", "json").summary()["documents"] == 3


def test_indexes_are_apart(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus, "--index", "animals")
    assert_two_lines(ragcli("search", "owl"), 1, "knowledge_base", "ragcli index FILE")
    assert ragcli("search", "owl", "--index", "animals").code == 0


# Ids


def test_of_one_id_twice_the_last_line_wins_and_a_warning_says_so(ragcli: Run, tmp_path: Path) -> None:
    lines = [
        {"id": "d", "text": "First version."},
        {"id": "e", "text": "Bystander."},
        {"id": "d", "text": "Last version."},
    ]
    path = write_lines(tmp_path / "a.jsonl", *lines)
    first = ragcli("index", path, "--format", "json")
    assert first.summary() == {"read": 3, **NOTHING, "added": 2, "unchanged": 1, "documents": 2, "passages": 2}
    assert "more than once" in first.err and "last" in first.err and len(first.err.splitlines()) == 1
    assert [hit["text"] for hit in ragcli("search", "version").objects()] == ["Last version."]

    before = snapshot(tmp_path / "home")
    assert ragcli("index", path, "--format", "json").summary()["unchanged"] == 3
    assert snapshot(tmp_path / "home") == before


def test_a_number_and_its_digits_are_the_same_id(ragcli: Run, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", {"id": 7, "text": "A number."}, {"id": "7", "text": "Its digits."})
    assert ragcli("index", path, "--format", "json").summary()["documents"] == 1


def test_a_document_without_an_id_gets_a_stable_one(ragcli: Run, tmp_path: Path) -> None:
    ragcli("index", write_lines(tmp_path / "a.jsonl", {"text": "No id at all.", "year": 1, "place": "x"}))
    [first] = ragcli("search", "id").objects()
    other_order = write_lines(tmp_path / "b.jsonl", {"place": "x", "year": 1, "text": "No id at all.", "id": None})
    assert ragcli("index", other_order, "--format", "json").summary()["unchanged"] == 1
    assert [hit["id"] for hit in ragcli("search", "id").objects()] == [first["id"]]
    assert first["id"].isalnum()


# What the input no longer holds


def test_prune_deletes_what_the_input_no_longer_holds(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    rest = write_lines(tmp_path / "rest.jsonl", *corpus.read_bytes().splitlines()[:2])
    assert ragcli("index", rest, "--format", "json").summary()["documents"] == 3
    pruned = ragcli("index", rest, "--prune", "--format", "json")
    assert pruned.summary() == {"read": 2, **NOTHING, "unchanged": 2, "deleted": 1, "documents": 2, "passages": 2}
    assert ragcli("search", "cat").code == 3


def test_a_dry_run_lists_what_prune_would_delete_and_writes_nothing(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    before = snapshot(tmp_path / "home")
    other = write_lines(
        tmp_path / "other.jsonl", corpus.read_bytes().splitlines()[1], {"id": "new", "text": "A new text."}
    )

    text = ragcli("index", other, "--prune", "--dry-run")
    assert text.out.splitlines()[:2] == ["would delete cat", "would delete fox"]
    as_json = ragcli("index", other, "--prune", "--dry-run", "--format", "json").objects()[0]
    assert sorted(as_json["deletable"]) == ["cat", "fox"]
    assert [as_json[key] for key in ("read", "added", "unchanged", "deleted", "documents")] == [2, 1, 1, 2, 3]
    assert snapshot(tmp_path / "home") == before


@pytest.mark.parametrize("option", ["--dry-run", "--rebuild"])
def test_a_dry_run_creates_and_drops_no_index(ragcli: Run, corpus: Path, tmp_path: Path, option: str) -> None:
    summary = ragcli("index", corpus, "--dry-run", option, "--format", "json").objects()[0]
    assert (summary["added"], summary["deletable"]) == (3, [])
    assert not (tmp_path / "home").exists()
    ragcli("index", corpus)
    before = snapshot(tmp_path / "home")
    ragcli("index", corpus, "--dry-run", option)
    assert snapshot(tmp_path / "home") == before


def test_prune_with_an_empty_input_is_refused(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    before = snapshot(tmp_path / "home")
    assert_two_lines(ragcli("index", write_lines(tmp_path / "empty.jsonl"), "--prune"), 1, "--prune")
    assert snapshot(tmp_path / "home") == before


def test_prune_spares_a_document_whose_line_is_bad(ragcli: Run, tmp_path: Path) -> None:
    ragcli("index", write_lines(tmp_path / "a.jsonl", {"id": "a", "text": "Good."}, {"id": "b", "text": "Better."}))
    broken = write_lines(tmp_path / "a.jsonl", {"id": "a", "text": "Good."}, {"id": "b", "text": None})
    result = ragcli("index", broken, "--prune", "--format", "json")
    assert result.summary() == {"read": 2, **NOTHING, "unchanged": 1, "rejected": 1, "documents": 2, "passages": 2}


UNREADABLE = {
    "cut": b'{"id": "d3", "text": "Docu',
    "not JSON": b"cat, dog",
    "not UTF-8": b'{"id": "d3", "text": "caf\xe9"}',
    "no object": b'["d3", "Three"]',
    "too long": b'{"id": "d3", "text": "' + b"y" * 17_000_000 + b'"}',
    "neither id nor text": b'{"name": "d3"}',
}


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_prune_deletes_nothing_where_a_lines_id_is_unknown(ragcli: Run, tmp_path: Path, line: bytes) -> None:
    rows = [{"id": f"d{i}", "text": f"Document {i}."} for i in range(5)]
    ragcli("index", write_lines(tmp_path / "a.jsonl", *rows))
    half = tmp_path / "half.jsonl"
    half.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows[:3]) + line)

    dry = ragcli("index", half, "--prune", "--dry-run", "--format", "json").objects()[0]
    assert (dry["deletable"], dry["deleted"], dry["rejected"]) == ([], 0, 1)
    result = ragcli("index", half, "--prune", "--format", "json")
    assert (result.code, result.summary()["deleted"], result.summary()["documents"]) == (6, 0, 5)
    assert "--prune deleted nothing" in result.err


@pytest.mark.parametrize("value", [b"NaN", b"-Infinity", b"1e400", b'"half \\ud83d"'])
def test_prune_spares_a_document_with_a_value_that_json_does_not_have(
    ragcli: Run, tmp_path: Path, value: bytes
) -> None:
    rows = [{"id": f"d{i}", "text": f"Document {i}."} for i in range(3)]
    ragcli("index", write_lines(tmp_path / "a.jsonl", *rows))
    path = write_lines(tmp_path / "b.jsonl", rows[0], b'{"id": "d1", "text": "Document 1.", "weight": %b}' % value)
    result = ragcli("index", path, "--prune", "--format", "json")
    assert (result.code, result.summary()["deleted"], result.summary()["documents"]) == (6, 1, 2)
    assert f"{path}:2: not JSON: 'weight' is " in result.err


def test_prune_deletes_nothing_where_the_end_of_a_file_is_lost(ragcli: Run, tmp_path: Path) -> None:
    rows = [{"id": f"d{i}", "text": f"Document {i} {uuid.uuid4()}."} for i in range(500)]
    path = write_lines(tmp_path / "a.jsonl", *rows)
    ragcli("index", path)
    packed = gzip.compress(path.read_bytes())
    for left in (len(packed) // 2, len(packed) - 4):  # in the middle, and in the checksum at the end
        (tmp_path / "cut.jsonl.gz").write_bytes(packed[:left])
        result = ragcli("index", tmp_path / "cut.jsonl.gz", "--prune", "--format", "json")
        assert (result.code, result.summary()["deleted"], result.summary()["documents"]) == (6, 0, 500)
        assert "--prune deleted nothing" in result.err


def test_an_empty_input_makes_no_index_whose_language_nothing_tells(ragcli: Run, tmp_path: Path) -> None:
    result = ragcli("index", write_lines(tmp_path / "empty.jsonl"), "--format", "json")
    assert result.summary() == {"read": 0, **NOTHING, "documents": 0, "passages": 0}
    assert_two_lines(ragcli("search", "anything"), 1, "no index")
    ragcli("index", write_lines(tmp_path / "zh.jsonl", {"id": "d", "text": "函数返回一个值。"}))
    assert [hit["id"] for hit in ragcli("search", "函数").objects()] == ["d"]


# Bad lines never stop a run

BAD_LINES = {
    "not JSON": (b'{"text": "no end', "not JSON"),
    "two objects": (b'{"text": "a"} {"text": "b"}', "not JSON"),
    "lone surrogate": (b'{"text": "\\ud800"}', "not JSON"),
    "NaN": (b'{"text": "a", "score": NaN}', "not JSON"),
    "not UTF-8": (b'{"text": "caf\xe9"}', "not UTF-8 (byte 14)"),
    "a list": (b'["text"]', "not a JSON object"),
    "a string": (b'"text"', "not a JSON object"),
    "no text": (b'{"title": "t"}', "no 'text' field"),
    "text null": (b'{"text": null}', "no 'text' field"),
    "text a number": (b'{"text": 1}', "'text' is not a string"),
    "text a list": (b'{"text": ["a"]}', "'text' is not a string"),
    "text empty": (b'{"text": ""}', "'text' is empty"),
    "text blank": (b'{"text": " \\n\\t\\u3000"}', "'text' is empty"),
    "title a list": (b'{"text": "a", "title": []}', "'title' is not a string"),
    "id empty": (b'{"text": "a", "id": ""}', "the id is empty"),
    "id a list": (b'{"text": "a", "id": [1]}', "the id is neither"),
    "id a fraction": (b'{"text": "a", "id": 1.5}', "the id is neither"),
    "id true": (b'{"text": "a", "id": true}', "the id is neither"),
    "id long": (json.dumps({"text": "a", "id": "é" * 300}).encode(), "the id is longer than"),
    "deep": (b'{"text": "a", "deep": %b%b}' % (b"[" * 400, b"]" * 400), "nested"),
}


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_bad_line_is_counted_described_and_kept(ragcli: Run, tmp_path: Path, bad: str) -> None:
    line, reason = BAD_LINES[bad]
    path = write_lines(
        tmp_path / "a.jsonl", {"id": "d1", "text": "Good one."}, line, {"id": "d3", "text": "Good three."}
    )
    rejects = tmp_path / "rejects.jsonl"
    result = ragcli("index", path, "--rejects", rejects, "--format", "json")
    assert result.code == 6
    assert result.summary() == {"read": 3, **NOTHING, "added": 2, "rejected": 1, "documents": 2, "passages": 2}
    assert result.err.startswith(f"rejected {path}:2: {reason}") and len(result.err.splitlines()) == 1
    [kept] = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
    assert list(kept) == ["file", "line", "id", "reason", "raw"]
    assert (kept["file"], kept["line"], kept["raw"]) == (str(path), 2, line.decode("utf-8", "backslashreplace"))
    assert kept["reason"].startswith(reason)
    assert len(ragcli("search", "good").objects()) == 2


def test_an_absurdly_long_line_is_a_bad_line(ragcli: Run, tmp_path: Path) -> None:
    long = b'{"text": "%b"}' % (b"word " * (MAX_LINE_BYTES // 5 + 1))
    path = write_lines(tmp_path / "a.jsonl", {"text": "Good one."}, long, {"text": "Good three."})
    result = ragcli("index", path, "--rejects", tmp_path / "rejects.jsonl", "--format", "json")
    assert result.code == 6
    assert result.summary() == {"read": 3, **NOTHING, "added": 2, "rejected": 1, "documents": 2, "passages": 2}
    assert result.err == f"rejected {path}:2: line longer than {MAX_LINE_BYTES // 2**20} MiB\n"
    assert len(json.loads((tmp_path / "rejects.jsonl").read_bytes())["raw"]) == 1000


def test_of_many_bad_lines_the_first_ten_are_shown_and_all_are_kept(ragcli: Run, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", *[b"bad"] * 12)
    result = ragcli("index", path, "--rejects", tmp_path / "rejects.jsonl")
    assert [line.split(": ")[0] for line in result.err.splitlines()[:10]] == [
        f"rejected {path}:{n}" for n in range(1, 11)
    ]
    assert result.err.splitlines()[10:] == ["… and 2 more; --rejects FILE keeps them all"]
    assert len((tmp_path / "rejects.jsonl").read_bytes().splitlines()) == 12


def test_bad_lines_are_rejected_in_a_dry_run_as_well(ragcli: Run, tmp_path: Path) -> None:
    assert ragcli("index", write_lines(tmp_path / "a.jsonl", b"bad"), "--dry-run").code == 6


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_are_no_trouble(ragcli: Run, tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    lines = [mark + b'{"text": "One."}\r', b"", b"  \t\r", 2 * mark, 2 * mark + b'{"text": "Two."}\r']
    path = write_lines(tmp_path / "a.jsonl", *lines)
    assert ragcli("index", path, "--format", "json").summary() == {
        "read": 2, **NOTHING, "added": 2, "documents": 2, "passages": 2,
    }  # fmt: skip


def test_a_last_line_without_its_end_counts(ragcli: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "One."}\n{"text": "Two."}')
    assert ragcli("index", path, "--format", "json").summary()["added"] == 2


def test_the_rejects_file_is_never_one_of_the_inputs(ragcli: Run, corpus: Path) -> None:
    before = corpus.read_bytes()
    assert_two_lines(ragcli("index", corpus, "--rejects", corpus), 2, str(corpus))
    assert corpus.read_bytes() == before


def test_a_file_name_that_is_not_utf8_can_be_rejected_from(ragcli: Run, tmp_path: Path) -> None:
    path = write_lines(Path(os.fsdecode(bytes(tmp_path) + b"/\xff.jsonl")), b"bad")
    result = run_process("index", bytes(path), "--rejects", tmp_path / "rejects.jsonl")
    assert (result.code, len(result.err.splitlines())) == (6, 1)
    assert json.loads((tmp_path / "rejects.jsonl").read_bytes())["line"] == 1


# Where documents come from


def test_gzip_is_recognised_by_its_content(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(corpus.read_bytes()))
    assert ragcli("index", packed, "--format", "json").summary()["added"] == 3


def test_a_damaged_gzip_gives_what_it_holds(ragcli: Run, tmp_path: Path) -> None:
    lines = b"".join(json.dumps({"text": f"Text {n}: {os.urandom(20).hex()}"}).encode() + b"\n" for n in range(1000))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(lines)[:-5000])
    result = ragcli("index", path, "--format", "json")
    summary = result.summary()
    assert (result.code, summary["rejected"]) == (6, 1) and 0 < summary["added"] < 1000
    assert f"{path}:{summary['added'] + 1}: the compressed file is damaged" in result.err


def test_a_folder_stands_for_its_jsonl_files(ragcli: Run, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    write_lines(folder / "a.jsonl", {"text": "One."})
    write_lines(folder / "notes.png", b"no document")
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "Two."}\n'))
    assert ragcli("index", folder, "--format", "json").summary() == {
        "read": 2, **NOTHING, "added": 2, "documents": 2, "passages": 2,
    }  # fmt: skip


def test_a_dash_is_standard_input(ragcli: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(corpus.read_bytes() + b"bad\n")))
    result = ragcli("index", "-", "--format", "json")
    assert (result.code, result.summary()["added"]) == (6, 3)
    assert result.err.startswith("rejected -:4: ")


def test_a_pipe_can_be_named_as_a_file(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(corpus.read_bytes()))
    writer.start()
    result = ragcli("index", pipe, "--format", "json")
    writer.join()
    assert result.summary()["added"] == 3


def test_other_field_names_can_be_given(ragcli: Run, tmp_path: Path) -> None:
    record = {"uid": 5, "headline": "Weather", "body": "It rains.", "text": "kept", "id": "kept", "title": "kept"}
    fields = ["--text-field", "body", "--title-field", "headline", "--id-field", "uid"]
    assert ragcli("index", write_lines(tmp_path / "a.jsonl", record), *fields).code == 0
    [hit] = ragcli("search", "rain").objects()
    assert (hit["id"], hit["title"], hit["text"]) == ("5", "Weather", "It rains.")
    assert hit["metadata"] == {"text": "kept", "id": "kept", "title": "kept"}


def test_title_and_id_are_filtered_by_the_names_of_their_fields(ragcli: Run, tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "a.jsonl",
        {"sku": "0815", "name": "Mug", "text": "A cup of tea."},
        {"sku": "0816", "name": "Pot", "text": "A pot of tea."},
    )
    ragcli("index", path, "--title-field", "name", "--id-field", "sku")
    for condition in ("name=mug", "title=mug", "sku=0815", "id=0815", "name<n", "sku!=0816"):
        assert [hit["id"] for hit in ragcli("search", "tea", "--where", condition).objects()] == ["0815"], condition
    assert ragcli("search", "tea", "--where", "nmae=mug").err.splitlines()[1].endswith("name, sku.")


# The index keeps the settings it was made with


@pytest.mark.parametrize("option", [("--language", "ja"), ("--passage-size", "500")])
def test_other_settings_than_the_index_has_are_an_error(ragcli: Run, corpus: Path, option: tuple[str, str]) -> None:
    ragcli("index", corpus)
    assert_two_lines(ragcli("index", corpus, *option), 1, "--language en --passage-size 1200", "--rebuild")
    assert ragcli("search", "owl").code == 0
    assert ragcli("index", corpus, "--rebuild", *option).code == 0
    assert ragcli("index", corpus, *option).code == 0
    assert_two_lines(ragcli("index", corpus, "--language", "en", "--passage-size", "1200"), 1, " ".join(option))


def test_rebuild_starts_anew(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    rest = write_lines(tmp_path / "rest.jsonl", {"text": "Alone."})
    result = ragcli("index", rest, "--rebuild", "--format", "json")
    assert result.summary() == {"read": 1, **NOTHING, "added": 1, "documents": 1, "passages": 1}


def test_a_rebuild_from_nothing_keeps_the_index(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    result = ragcli("index", write_lines(tmp_path / "empty.jsonl"), "--rebuild", "--format", "json")
    assert (result.code, result.summary()["documents"]) == (0, 3)
    assert "contains no document" in result.err and ragcli("search", "owl").code == 0


@pytest.mark.parametrize("failing", ["missing file", "no documents"])
def test_a_rebuild_that_cannot_be_done_drops_nothing(ragcli: Run, corpus: Path, tmp_path: Path, failing: str) -> None:
    ragcli("index", corpus)
    arguments = ["missing.jsonl"] if failing == "missing file" else [write_lines(tmp_path / "empty.jsonl"), "--prune"]
    assert ragcli("index", *arguments, "--rebuild").code == 1
    assert ragcli("search", "owl").code == 0


@pytest.mark.parametrize(
    ("text", "query", "language"),
    [
        ("関数は値を返します。", "関数", "ja"),
        ("函数返回一个值。", "函数", "zh"),
        ("함수는 값을 반환합니다.", "함수", "ko"),
    ],
)
def test_the_language_is_detected_when_the_index_is_made(
    ragcli: Run, tmp_path: Path, text: str, query: str, language: str
) -> None:
    path = write_lines(tmp_path / "a.jsonl", {"id": "d", "text": text})
    ragcli("index", path)
    assert [hit["id"] for hit in ragcli("search", query).objects()] == ["d"]
    assert ragcli("index", path, "--language", language).code == 0
    assert_two_lines(ragcli("index", path, "--language", "en"), 1, f"--language {language}")


# The default encoder


def vectors_of(ragcli: Run, *arguments: str | Path) -> bool:
    """Index, and tell whether the index can be searched by meaning."""
    assert ragcli("index", *arguments).code == 0
    return ragcli("search", "owl", "--mode", "semantic").code == 0


def test_a_new_english_index_can_be_searched_by_meaning(
    ragcli: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAGCLI_NO_ENCODER")
    assert vectors_of(ragcli, corpus)
    assert ragcli("search", "bird of prey", "-k", "1").objects()[0]["id"] == "owl"
    assert ragcli("index", corpus, "--format", "json").summary()["unchanged"] == 3


def test_a_new_chinese_index_can_be_searched_by_meaning(
    ragcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAGCLI_NO_ENCODER")
    texts = {"restore": "恢复已删除的文件", "width": "调整图像大小", "daily": "每天记录一篇日记"}
    path = write_lines(tmp_path / "zh.jsonl", *({"id": key, "text": f"{text}。"} for key, text in texts.items()))
    assert vectors_of(ragcli, path)
    assert ragcli("search", "误删的东西怎么找回来", "-k", "1").objects()[0]["id"] == "restore"


def test_an_index_without_vectors_keeps_none(ragcli: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAGCLI_NO_ENCODER")
    assert not vectors_of(ragcli, corpus, "--no-encoder")
    assert not vectors_of(ragcli, corpus)
    assert vectors_of(ragcli, corpus, "--rebuild")


def test_other_languages_and_large_inputs_get_no_vectors(
    ragcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAGCLI_NO_ENCODER")
    japanese = write_lines(tmp_path / "ja.jsonl", {"id": "owl", "text": "フクロウは昼に眠り、夜に狩りをする。" * 3})
    assert not vectors_of(ragcli, japanese)
    large = write_lines(tmp_path / "en.jsonl", {"id": "owl", "text": "The owl sleeps by day. " * 100_000})
    result = ragcli("index", large, "--rebuild")
    assert result.code == 0 and "--encoder minilm --rebuild" in result.err
