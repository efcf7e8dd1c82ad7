"""Cutting documents into passages."""

from hypothesis import example, given
from hypothesis import strategies as st

from ragcli.chunking import split_passages
from ragcli.documents import content_hash


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


def test_what_belongs_together_is_cut_only_where_it_does_not_fit() -> None:
    table = "- a: 1. One\n- b: 2. Two\n- c: 3. Three"
    text = f"A first sentence. A second one.\n\n{table}\n\nThe end."
    start = text.index(table)
    whole = ((start, start + len(table)),)
    assert [piece for _, piece in split_passages(text, 45, whole)] == [
        "A first sentence. A second one.",
        table,
        "The end.",
    ]
    narrow = [piece for _, piece in split_passages(text, 25, whole)]
    assert narrow[-2:] == ["- a: 1. One\n- b: 2. Two", "- c: 3. Three\n\nThe end."]


@given(TEXTS, st.integers(1, 100), st.lists(st.integers(0, 400), max_size=6, unique=True))
def test_passages_lose_only_white_space_whatever_belongs_together(text: str, size: int, cuts: list[int]) -> None:
    at = sorted(min(cut, len(text)) for cut in cuts)
    whole = [(a, b) for a, b in zip(at[::2], at[1::2], strict=False) if text[a:b].strip()]
    whole = [(a + len(text[a:b]) - len(text[a:b].lstrip()), a + len(text[a:b].rstrip())) for a, b in whole]
    passages = split_passages(text, size, whole)
    assert all(0 < len(piece) <= size and piece == piece.strip() for _, piece in passages)
    assert "".join("".join(piece.split()) for _, piece in passages) == "".join(text.split())
    spans = [(start, start + len(piece)) for start, piece in passages]
    assert not any(a < cut < b for a, b in whole if b - a <= size for span in spans for cut in span)
