"""The prompt: passages within a budget, the question never cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragcli.errors import UsageError
from ragcli.prompt import QUESTION, Span, build_prompt
from ragcli.store import Hit


def hit(rank: int, text: str, title: str = "", start: int = 0) -> Hit:
    return Hit(rank, f"d{rank}", title, text, 1 / rank, start, start + len(text), {})


def words(text: str) -> int:
    return len(text.split())


ASKED = "What is it?"
ENDING = QUESTION.ask(ASKED)  # 5 words


def test_passages_are_numbered_best_first_with_the_question_last() -> None:
    prompt = build_prompt([hit(1, "First text.", "Title"), hit(2, "Second\n\n\ntext.")], ASKED, 100, words)
    assert prompt.text == "[1] Title\nFirst text.\n\n[2] Second\ntext.\n\nQuestion: What is it?\nAnswer:"
    assert prompt.tokens == words(prompt.text)
    assert prompt.dropped == ()


def test_what_does_not_fit_is_cut_at_a_sentence_end_from_the_last_passage_on() -> None:
    hits = [hit(1, "One two. Three four."), hit(2, "Five six. Seven eight.", start=10), hit(3, "Nine ten.")]
    prompt = build_prompt(hits, ASKED, 5 + (1 + 4) + (1 + 2), words)
    assert [used.text for used in prompt.used] == ["One two. Three four.", "Five six."]
    assert prompt.used[1].end == 10 + len("Five six.")
    assert prompt.dropped == (
        Span("d2", "", 10 + len("Five six."), 10 + len("Five six. Seven eight.")),
        Span("d3", "", 0, 9),
    )


def test_with_room_for_the_question_only_all_passages_are_dropped() -> None:
    prompt = build_prompt([hit(1, "One two three.")], ASKED, 5, words)
    assert prompt.text == ENDING
    assert prompt.used == ()


def test_a_question_over_the_budget_is_an_error_not_a_shorter_question() -> None:
    with pytest.raises(UsageError, match="5 tokens, the model has room for 4"):
        build_prompt([], ASKED, 4, words)


TEXTS = st.lists(
    st.text(alphabet=st.sampled_from("ab .!\n函。"), min_size=1, max_size=60).filter(lambda t: not t.isspace()),
    max_size=5,
)


@given(TEXTS, st.integers(min_value=5, max_value=80))
def test_the_prompt_keeps_the_budget_and_accounts_for_every_character(texts: list[str], budget: int) -> None:
    hits = [hit(n, text.strip()) for n, text in enumerate(texts, 1)]
    prompt = build_prompt(hits, ASKED, budget, words)
    assert prompt.tokens == words(prompt.text) <= budget
    assert prompt.text.endswith(ENDING)
    kept = {used.id: used.end for used in prompt.used}
    for each in hits:
        assert each.text.startswith(next((used.text for used in prompt.used if used.id == each.id), ""))
        lost = [span for span in prompt.dropped if span.id == each.id]
        assert [(span.start, span.end) for span in lost] == (
            [(kept.get(each.id, 0), each.end)] if kept.get(each.id, 0) < each.end else []
        )
