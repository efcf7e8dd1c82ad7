"""Conversations: what stands alone is asked alone, what leans is completed, and thanks are no question."""

import json
from pathlib import Path

import pytest

from ragcli.answer.chat import completed
from ragcli.answer.leaning import Leaning, is_courtesy, leaning, without_lead
from ragcli.answer.resolving import resolved, substituted
from tests.support import ROOT, Run, run_process, write_lines

SHOP = (
    {
        "id": "lambda",
        "title": "lambda",
        "text": "A lambda is an anonymous function. A lambda cannot contain statements.",
    },
    {"id": "shop", "title": "shop", "text": "The shop opens at nine and closes at six. On Sundays the shop is closed."},
    {
        "id": "dog",
        "title": "dogs",
        "text": "The animal that barks at night is the miller's dog. The dog is called Rex.",
    },
    {"id": "rain", "title": "weather", "text": "The station on the hill measures rain. It sends the numbers."},
)


@pytest.mark.parametrize(
    "said",
    [
        "Can it contain statements?",
        "Why?",
        "why not",
        "And on Sundays?",
        "What about closing?",
        "how about the miller?",
        "When does it close?",
        "What is its name?",
        "How do I undo it?",
        "How do I create one?",
        "Can you explain more?",
        "Tell me more",
        "For example?",
        "Which one?",
        "Is that possible?",
        "Are they mutable?",
        "它可以包含语句吗？",
        "为什么？",
        "那元组呢？",
        "能举个例子吗？",
        "怎么创建它？",
    ],
)
def test_words_tell_that_a_question_leans(said: str) -> None:
    assert leaning(said) is Leaning.YES


@pytest.mark.parametrize(
    "said",
    [
        "What is a lambda?",
        "Is there a way to delete a file?",
        "Which is the animal that barks at night?",
        "Does the hill station know that it rains?",
        "How much does a lost book cost if one loses it?",
        "So how long does the library lend books?",
        "And how do I convert a string to a number?",
        "Is it possible to overload constructors?",
        "How long does it take to sort a list?",
        "How do companies hire their employees?",
        "What is mortadella and where is it from?",
        "怎样删除文件？",
        "Python 适合做什么？",
    ],
)
def test_words_tell_that_a_question_stands_alone(said: str) -> None:
    assert leaning(said) is Leaning.NO


@pytest.mark.parametrize(
    "said", ["Dogs", "Lambda?", "Who barks?", "What else barks at night?", "列表和它的副本有什么区别？"]
)
def test_of_some_questions_words_do_not_tell(said: str) -> None:
    assert leaning(said) is Leaning.MAYBE


@pytest.mark.parametrize(
    "said", ["thanks", "Yes.", "ok, thank you very much!", "Hello", "got it, thanks", "谢谢！", "好的", "明白了"]
)
def test_thanks_and_yes_are_no_questions(said: str) -> None:
    assert is_courtesy(said)


@pytest.mark.parametrize("said", ["ok?", "Is that good?", "yes men", "thank you notes", "Good Friday", "好人是谁"])
def test_a_question_is_no_courtesy(said: str) -> None:
    assert not is_courtesy(said)


def test_a_long_text_takes_no_long_time() -> None:
    """Neither rule grows with the square of what is said: 10^5 characters of what each looks for."""
    for piece in (
        "谢谢",
        "嗯",
        "is it ",
        "the a ",
        "that ",
        "它",
        "and ",
        "so ",
        "what is ",
        "请问",
        " of the ",
        "， ",
    ):
        leaning(piece * 100_000)
        resolved("Is it?", piece * 100_000)
        resolved("它是？", piece * 100_000)
        without_lead(piece * 100_000)
        substituted("and sets?", piece * 100_000)
        substituted(piece * 100_000, "What is a list?")
        is_courtesy(piece * 100_000)


@pytest.mark.parametrize(
    ("said", "rest", "corrects"),
    [
        ("thanks a lot, and for children?", "and for children?", False),
        ("no, I meant on Sundays", "on Sundays", True),
        ("Sorry, I mean the swimming pool.", "the swimming pool.", True),
        ("no, I meant how do I delete a directory?", "how do I delete a directory?", False),
        ("好的，那周日呢？", "那周日呢？", False),
        ("我是说儿童票", "儿童票", True),
        ("No man is an island", "No man is an island", False),
        ("Good books on hiking", "Good books on hiking", False),
        ("thanks", "thanks", False),
    ],
)
def test_thanks_and_corrections_before_a_question_are_left_out(said: str, rest: str, corrects: bool) -> None:
    assert without_lead(said) == (rest, corrects)


@pytest.mark.parametrize(
    "said",
    [
        "is the train faster?",
        "since when?",
        "what's the difference to an iterator?",
        "what can I use instead?",
        "when would I use one rather than a list?",
        "火车更快吗？",
    ],
)
def test_a_comparison_with_what_was_spoken_of_leans(said: str) -> None:
    assert leaning(said) is Leaning.YES


@pytest.mark.parametrize("said", ["Is a tuple faster than a list?", "Which language is faster?", "Is pi a number?"])
def test_a_whole_comparison_does_not_lean(said: str) -> None:
    assert leaning(said) is not Leaning.YES


@pytest.mark.parametrize(
    ("before", "said", "whole"),
    [
        ("When does the library open?", "and on Sundays?", "When does the library open on Sundays?"),
        ("When does the shop close?", "What about Sundays?", "When does the shop close on Sundays?"),
        ("When does the shop open?", "What about closing?", None),
        ("How long can I keep a book?", "and films?", "How long can I keep films?"),
        ("When does the library close?", "the swimming pool", "When does the swimming pool close?"),
        ("How do I loop over a dictionary?", "How about sets?", "How do I loop over sets?"),
        ("How do I remove duplicates from a list?", "What about tuples?", None),
        ("Which tours does the museum offer?", "the second one", None),
        ("How do I convert a string to a number?", "and the other way round?", None),
        ("Who is the mayor?", "since when?", None),
    ],
)
def test_a_phrase_takes_its_place_in_the_question_before(before: str, said: str, whole: str | None) -> None:
    assert substituted(said, before) == whole


def test_a_question_is_completed_by_the_first_of_its_topic() -> None:
    once = completed("Can it be empty?", "What is a list?")
    assert once == "What is a list? — Can it be empty?"
    assert completed("And why?", once) == "What is a list? — And why?"


@pytest.mark.parametrize(
    ("before", "said", "named"),
    [
        ("What is a lambda?", "Can it contain statements?", "Can a lambda contain statements?"),
        ("Can a lambda contain statements?", "Is it fast?", "Is a lambda fast?"),
        ("Is garbage collection slow?", "Can I turn that off?", None),
        ("Is garbage collection slow?", "Can I stop that?", "Can I stop garbage collection?"),
        ("How do I get rid of the virtual environment?", "Is it safe?", "Is the virtual environment safe?"),
        ("How do I create a virtual environment?", "Where is this one kept?", "Where is a virtual environment kept?"),
        ("What is a context manager?", "What are its methods?", "What are a context manager's methods?"),
        ("What does list.sort() do?", "Does it return the list?", "Does list.sort return the list?"),
        (
            "difference between arguments and parameters",
            "Which of them are named?",
            "Which of arguments and parameters are named?",
        ),
        ("What are the symptoms of flu?", "Is it curable?", "Is flu curable?"),
        ("What are the symptoms of flu?", "Are they grave?", "Are the symptoms of flu grave?"),
        ("Tell me more about Marie Curie.", "Where did she study?", "Where did Marie Curie study?"),
        ("Is it raining?", "Can it rain today?", None),
        ("What is a lambda?", "And on Sundays?", None),
        ("什么是 lambda？", "它可以包含语句吗？", "lambda可以包含语句吗？"),
        ("Python 字符串是可变的吗？", "这个怎么用？", "Python 字符串怎么用？"),
        ("它是什么？", "它可以包含语句吗？", None),
    ],
)
def test_a_pronoun_is_replaced_by_the_subject_before(before: str, said: str, named: str | None) -> None:
    assert resolved(said, before) == named


def test_the_surer_of_both_ways_answers(ragcli: Run, tmp_path: Path) -> None:
    """What has the subject for the pronoun is answered, where both questions together are not."""
    assert ragcli("index", ROOT / "sample_data" / "python.jsonl").code == 0
    said = run_process("chat", "--format", "json", input=b"What is a tuple?\nAre they mutable?\n").objects()
    assert said[1]["question"] == "Are a tuple mutable?"
    assert said[1]["answer"].startswith("Tuples are immutable")


def talk(tmp_path: Path, *said: str) -> list[dict[str, str]]:
    history = tmp_path / "turns.jsonl"
    done = run_process(
        "chat", "--min-confidence", "0", "--format", "json", "--history", history, input="\n".join(said).encode()
    )
    assert done.code == 0, done.err
    assert [json.loads(line) for line in history.read_text().splitlines()] == done.objects()
    return done.objects()


def test_a_conversation_keeps_what_belongs_together(ragcli: Run, tmp_path: Path) -> None:
    assert ragcli("index", write_lines(tmp_path / "shop.jsonl", *SHOP)).code == 0
    turns = talk(
        tmp_path,
        "When does the shop open?",
        "And on Sundays?",
        "thanks",
        "Which animal barks at night?",
        "What is its name?",
    )
    assert [turn["question"] for turn in turns] == [
        "When does the shop open?",
        "When does the shop open? — And on Sundays?",
        "",
        "Which animal barks at night?",
        "Which animal barks at night? — What is its name?",
    ]
    assert "closed" in turns[1]["answer"] and "dog" in turns[4]["answer"]
    assert turns[2]["answer"] == "Ask me anything about the texts." and not turns[2]["sources"]


def test_sources_are_those_of_the_last_question(ragcli: Run, tmp_path: Path) -> None:
    assert ragcli("index", write_lines(tmp_path / "shop.jsonl", *SHOP)).code == 0
    done = run_process("chat", "--format", "json", input=b"/sources\nWhat is a lambda?\nthanks\n/sources\n")
    asked, _, sources = done.objects()
    assert sources["sources"] == asked["sources"]


def test_a_byte_order_mark_is_no_part_of_what_is_said(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    said = run_process("chat", "--format", "json", input="\ufeffWhat sleeps by day?\n".encode())
    assert said.objects()[0]["said"] == "What sleeps by day?"


def test_a_greeting_in_a_pipe_has_its_answer(ragcli: Run) -> None:
    assert ragcli("index", ROOT / "sample_data" / "python_zh.jsonl").code == 0
    done = run_process("chat", input="hello\n列表的价格是多少\n".encode())
    assert done.out.startswith("> hello\nAsk me anything about the texts.\n> 列表的价格是多少\n")
    assert "no answer" in done.err and "no answer" not in done.out
