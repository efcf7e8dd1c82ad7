"""Reading documents and cutting them into passages."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ragcli import documents
from ragcli.documents import (
    Document,
    FieldNames,
    Input,
    Reject,
    content_hash,
    find_inputs,
    read_documents,
    split_passages,
)
from ragcli.errors import RagcliError


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
    fits, too_long = "é" * (documents.MAX_ID_BYTES // 2), "é" * (documents.MAX_ID_BYTES // 2 + 1)
    path = write(tmp_path / "a.jsonl", *(json.dumps({"id": doc_id, "text": "x"}) for doc_id in (fits, too_long)))
    kept, rejected = read(path)
    assert kept.id == fits
    assert isinstance(rejected, Reject)


def test_an_absurdly_long_line_is_passed_over_without_being_held(tmp_path: Path) -> None:
    long = b'{"text": "' + b"x" * documents.MAX_LINE_BYTES * 2 + b'"}'
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


def test_a_folder_stands_for_its_jsonl_files(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl.gz", "notes.txt"):
        (tmp_path / name).touch()
    assert [item.path.name for item in find_inputs([tmp_path])] == ["a.jsonl.gz", "b.jsonl"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(RagcliError, match=r"no \.jsonl"):
        find_inputs([tmp_path / "empty"])
    with pytest.raises(RagcliError, match="no such file"):
        find_inputs([tmp_path / "missing"])


@given(st.text(), st.text(min_size=1), st.text(), st.text(min_size=1))
def test_the_hash_tells_title_from_text(title: str, text: str, other_title: str, other_text: str) -> None:
    same = (title, text) == (other_title, other_text)
    assert (content_hash(title, text, {}) == content_hash(other_title, other_text, {})) is same
    assert content_hash(title, text, {}) != content_hash(title, text, {"a": 1})


TEXTS = st.text(alphabet=st.sampled_from("ab. \n!函数。"), min_size=1, max_size=400).filter(
    lambda text: not text.isspace()
)


@given(TEXTS, st.integers(min_value=1, max_value=100))
@example("aaa  a", 2)
def test_passages_are_pieces_of_the_text_that_lose_only_white_space(text: str, size: int) -> None:
    passages = split_passages(text, size)
    assert all(text[start : start + len(piece)] == piece for start, piece in passages)
    assert all(0 < len(piece) <= size and piece == piece.strip() for _, piece in passages)
    assert "".join("".join(piece.split()) for _, piece in passages) == "".join(text.split())
    ends = [start + len(piece) for start, piece in passages]
    assert all(end <= start for end, (start, _) in zip(ends, passages[1:], strict=False))


def test_passages_end_at_sentence_ends() -> None:
    text = "One two three. Four five six. Seven eight nine."
    assert [piece for _, piece in split_passages(text, 30)] == ["One two three. Four five six.", "Seven eight nine."]
    assert split_passages(text, 1000) == [(0, text)]


def test_an_endless_sentence_is_cut_between_words() -> None:
    passages = split_passages("word " * 5_000, 1_000)
    assert {len(piece) for _, piece in passages} == {999}
    assert len(passages) == 25
    assert [len(piece) for _, piece in split_passages("函" * 2_500, 1_000)] == [1_000, 1_000, 500]
