"""Reading JSON: lines, arrays, objects over several lines; and what is no document."""

import gzip
import json
from pathlib import Path

import pytest

from ragcli.documents import MAX_ID_BYTES, Document, Reject
from ragcli.readers import FieldNames, Input, read_documents
from ragcli.readers.json_lines import MAX_LINE_BYTES


def read(path: Path, fields: FieldNames = FieldNames()) -> list[Document | Reject]:
    return list(read_documents([Input(path, path.name)], fields))


def write(path: Path, *lines: bytes | str) -> Path:
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def test_known_fields_are_taken_and_the_rest_is_metadata(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"id": 7, "title": "T", "text": "x", "year": 2010, "tags": ["a"]}')
    assert read(path) == [Document("7", "T", "x", {"year": 2010, "tags": ["a"]})]


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"_id": "a", "name": 1917, "body": "x", "text": "metadata here"}')
    fields = FieldNames(text="body", title="name", id="_id")
    assert read(path, fields) == [Document("a", "1917", "x", {"text": "metadata here"})]


def test_without_an_id_the_content_gives_one(tmp_path: Path) -> None:
    lines = ('{"text": "x", "a": 1, "b": 2}', '{"b": 2, "a": 1, "text": "x"}', '{"text": "y", "a": 1, "b": 2}')
    first, same, other = (item.id for item in read(write(tmp_path / "a.jsonl", *lines)))
    assert first == same != other


@pytest.mark.parametrize(
    ("line", "doc_id", "reason"),
    [
        (b"{", None, "not JSON"),
        (b"[1]", None, "not a JSON object"),
        (b'"text"', None, "not a JSON object"),
        (b'{"id": "a"}', "a", "no 'text' field"),
        (b'{"id": "a", "text": null}', "a", "no 'text' field"),
        (b'{"id": "a", "text": 5}', "a", "'text' is not a string"),
        (b'{"id": "a", "text": ["x"]}', "a", "'text' is not a string"),
        (b'{"id": "a", "text": " \\n"}', "a", "'text' is empty"),
        (b'{"id": "a", "text": "x", "title": ["t"]}', "a", "'title' is not a string"),
        (b'{"id": "", "text": "x"}', None, "the id is empty"),
        (b'{"id": [1], "text": "x"}', None, "the id is neither"),
        (b'{"id": true, "text": "x"}', None, "the id is neither"),
        (b'{"text": "\xff"}', None, "not UTF-8 (byte 11)"),
        (b'{"text": "\\ud800"}', None, "not JSON"),
        (b'{"text": NaN}', None, "not JSON"),
        (b"[" * 100_000, None, "not JSON"),
    ],
)
def test_a_bad_line_is_a_reject_and_the_next_is_read(
    tmp_path: Path, line: bytes, doc_id: str | None, reason: str
) -> None:
    bad, good = read(write(tmp_path / "a.jsonl", line, '{"id": "b", "text": "x"}'))
    assert isinstance(bad, Reject)
    assert (bad.file, bad.line, bad.id) == ("a.jsonl", 1, doc_id)
    assert bad.reason.startswith(reason)
    assert bad.raw == line.decode(errors="backslashreplace")
    assert good == Document("b", "", "x", {})


def test_an_id_must_fit_into_an_elasticsearch_id(tmp_path: Path) -> None:
    fits, too_long = "é" * (MAX_ID_BYTES // 2), "é" * (MAX_ID_BYTES // 2 + 1)
    path = write(tmp_path / "a.jsonl", *(json.dumps({"id": doc_id, "text": "x"}) for doc_id in (fits, too_long)))
    kept, rejected = read(path)
    assert kept.id == fits
    assert isinstance(rejected, Reject)


def test_an_absurdly_long_line_is_passed_over_without_being_held(tmp_path: Path) -> None:
    long = b'{"text": "' + b"x" * MAX_LINE_BYTES * 2 + b'"}'
    bad, good = read(write(tmp_path / "a.jsonl", long, '{"id": "b", "text": "x"}'))
    assert isinstance(bad, Reject)
    assert bad.reason == "line longer than 16 MiB"
    assert len(bad.raw) == 1000
    assert good.id == "b"


def test_blank_lines_byte_order_mark_and_carriage_returns_do_no_harm(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl", b'\xef\xbb\xbf{"id": "a", "text": "x"}\r', "", "  ", '{"id": "b", "text": "y"}', ""
    )
    assert [item.id for item in read(path)] == ["a", "b"]


def test_gzip_is_told_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "no-suffix"
    path.write_bytes(gzip.compress(b'{"id": "a", "text": "x"}\n'))
    assert read(path) == [Document("a", "", "x", {})]


def test_a_damaged_gzip_file_gives_what_it_holds_and_a_reject(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"id": "%d", "text": "x"}\n' % i for i in range(10_000)))
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    *good, bad = read(path)
    assert good
    assert isinstance(bad, Reject)
    assert "damaged" in bad.reason


# JSON that is no JSON Lines

ONE, TWO = Document("1", "", "One.", {}), Document("2", "", "Two.", {})


@pytest.mark.parametrize(
    "content",
    [
        '[{"id":"1","text":"One."},{"id":"2","text":"Two."}]',
        '[\n{"id":"1","text":"One."},\n{"id":"2","text":"Two."}\n]\n',
        '{\n  "id": "1",\n  "text": "One."\n}\n{\n  "id": "2",\n  "text": "Two."\n}\n',
        '{"id":"1","text":"One."}{"id":"2","text":"Two."}\n',
        '{"id":"1","text":"One."}\r{"id":"2","text":"Two."}\r',
        '\ufeff{"id":"1","text":"One."}\n\ufeff{"id":"2","text":"Two."}\n',
        '\ufeff\n\ufeff[{"id":"1","text":"One."}]\n{"id":"2","text":"Two."}',
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_json_may_have_any_shape(tmp_path: Path, content: str, packed: bool) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    assert read(path) == [ONE, TWO]


def test_utf_16_is_told_by_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"id":"1","text":"One."}\n{"id":"2","text":"Two."}\n'.encode("utf-16"))
    assert read(path) == [ONE, TWO]


def test_after_a_bad_object_of_an_array_the_next_is_read(tmp_path: Path) -> None:
    bad = '{\n    "id": "x",\n    "text": oops\n  }'
    path = write(tmp_path / "a.json", json.dumps([{"id": "1", "text": "One."}], indent=2)[:-2] + f",\n  {bad},")
    path.write_bytes(path.read_bytes() + b'\n  {\n    "id": "2", "text": "Two."\n  }\n]')
    one, reject, two = read(path)
    assert (one, two) == (ONE, TWO)
    assert isinstance(reject, Reject)
    assert (reject.line, reject.reason) == (6, "not JSON: Expecting value")


def test_a_large_array_is_read_in_pieces(tmp_path: Path) -> None:
    rows = [{"id": str(n), "text": "Text é " * 2_000} for n in range(100)]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    assert [item.id for item in read(path)] == [str(n) for n in range(100)]


def test_half_an_array_gives_what_it_holds_and_says_that_it_is_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps([{"id": "1", "text": "One."}, {"id": "2", "text": "Two."}])[:-9])
    one, half, end = read(path)
    assert one == ONE
    assert isinstance(half, Reject) and isinstance(end, Reject)
    assert "the file was cut" in end.reason


def test_an_id_of_any_length_keeps_its_digits(tmp_path: Path) -> None:
    [document] = read(write(tmp_path / "a.jsonl", '{"id": 12345678901234567890123, "text": "x"}'))
    assert document.id == "12345678901234567890123"
    [reject] = read(write(tmp_path / "a.jsonl", '{"id": 7.0, "text": "x"}'))
    assert isinstance(reject, Reject)
