"""What a model wrote, tidied: nothing said twice, nothing that breaks off."""

from pathlib import Path

import pytest

from ragcli.answer.tidy import TidyStream, tidied
from tests.openai_server import Server, says
from tests.support import Run, write_lines

STORY = "It is odd, but it is a film about storytelling"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{STORY}{', and it is a film about storytelling' * 4}.", f"{STORY}, and it is a film about storytelling."),
        ("Owls hunt at night. Cats sleep. Owls hunt at night! Owls hunt at night.", "Owls hunt at night. Cats sleep."),
        ("It works offline. [1]\nIt works offline. [2]", "It works offline. [1] [2]"),
        ("1. The owl hunts.\n2. The owl hunts.\n3. The cat sleeps.", "1. The owl hunts.\n3. The cat sleeps."),
        ("No. No. Yes.", "No. No. Yes."),
        (
            "PEP 8 is a guide that asks for a readable style. It asks for a readable style.",
            "PEP 8 is a guide that asks for a readable style.",
        ),
        (
            "Owls hunt mice in the woods. Cats hunt mice in the woods.",
            "Owls hunt mice in the woods. Cats hunt mice in the woods.",
        ),
        ("The points:\n\n* Owls hunt.\n* [3] \n", "The points:\n\n* Owls hunt."),
        ("In 1990 it sold five. In 1991 it sold five.", "In 1990 it sold five. In 1991 it sold five."),
        ("```\nx = x + 1\nx = x + 1\n```\n", "```\nx = x + 1\nx = x + 1\n```"),
        (
            "The old film Harbour is a fine blend of art and science, of wit and grief. Boats sink. "
            "The film is a fine blend of art and science, of wit and grief.",
            "The old film Harbour is a fine blend of art and science, of wit and grief. Boats sink.",
        ),
        ("", ""),
    ],
)
def test_nothing_is_said_twice(text: str, expected: str) -> None:
    assert tidied(text, is_cut=False) == expected


def test_what_was_asked_is_not_repeated() -> None:
    task = "Rewrite this as one short review of the film Up."
    assert tidied(f"A lovely film.\n\n{task}", is_cut=False, asked=[task]) == "A lovely film."
    assert tidied(task, is_cut=False, asked=[task]) == task


def test_a_question_that_is_the_title_of_a_source_is_not_repeated(ragcli: Run, tmp_path: Path, server: Server) -> None:
    title = "FAQ: Why do owls hunt at night?"
    write_lines(tmp_path / "owls.jsonl", {"id": "1", "title": title, "text": "Owls see well in the dark."})
    ragcli("index", tmp_path / "owls.jsonl", "--no-encoder")
    server.replies(says(f"{title}\nOwls see well in the dark. [1]"))
    [answer] = ragcli("ask", "owls dark", "--base-url", server.url, "--format", "json").objects()
    assert answer["answer"] == "Owls see well in the dark."


def test_a_stream_is_tidied_as_the_whole_text() -> None:
    text = "Owls hunt at night [1]. Cats sleep. Owls hunt at night! They see well in the dark. They are al"
    sent: list[str] = []
    stream = TidyStream(sent.append, 2)
    for place, word in enumerate(text.split(" ")):
        stream(f" {word}" if place else word)
    stream.finish("Owls hunt at night. Cats sleep. They see well in the dark.")
    assert sent[0].strip() == "Owls hunt at night."
    assert "".join(sent) == "Owls hunt at night. Cats sleep. They see well in the dark."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Owls hunt at night. They are al", "Owls hunt at night."),
        ("Owls hunt at night. They rest.", "Owls hunt at night. They rest."),
        ("Owls hunt at", "Owls hunt at"),
        ("Owls hunt at night. The extra `torch`", "Owls hunt at night."),
        ('Owls hunt at night. They say "no."', 'Owls hunt at night. They say "no."'),
        ("Use open.\n\n```python\nwith open(", "Use open."),
        ("Use open.\n\n```\nopen(name)\n```", "Use open.\n\n```\nopen(name)\n```"),
    ],
)
def test_a_text_that_was_cut_ends_with_a_whole_sentence(text: str, expected: str) -> None:
    assert tidied(text, is_cut=True) == expected


def test_a_free_answer_is_tidied(server: Server, ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    server.replies(says("An owl sleeps by day.", " An owl sleeps by day.", " It hun", ended="length"))
    [answer] = ragcli("ask", "When does an owl sleep?", "--base-url", server.url, "--format", "json").objects()
    assert answer["answer"] == "An owl sleeps by day." and len(answer["sentences"]) == 1


@pytest.mark.parametrize(("parameters", "stops"), [(135_000_000, ["\n\n"]), (7_000_000_000, [])])
def test_a_model_does_not_go_on_with_another_question(
    server: Server, ragcli: Run, corpus: Path, parameters: int, stops: list[str]
) -> None:
    """After its first paragraph a small model says what is in no source."""
    ragcli("index", corpus)
    server.handler.listed = {"data": [{"id": "tiny", "meta": {"n_params": parameters}}]}
    server.replies(says("By day.", "\nQuestion: What is a cat?\nAnswer: An animal."))
    [answer] = ragcli("ask", "When does an owl sleep?", "--base-url", server.url, "--format", "json").objects()
    assert answer["answer"] == "By day."
    assert server.requests[0][1]["stop"] == [*stops, "\nQuestion:", "\nAnswer:"]


def test_a_model_that_takes_instructions_is_told_to_write_a_review(server: Server, ragcli: Run, tmp_path: Path) -> None:
    ragcli("index", write_lines(tmp_path / "r.jsonl", {"id": "1", "title": "Up", "text": "A lovely film for all."}))
    server.replies(says("Lovely."))
    by = ("--style", "free", "--base-url", server.url)
    ragcli("review", "Up", *by)
    message = server.requests[0][1]["messages"][0]["content"]
    assert message == "A lovely film for all.\n\nRewrite this as one short review of the film Up."
    assert ragcli("review", "Up", *by, "--dry-run").out.strip() == message
