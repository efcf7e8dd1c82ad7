"""Prompts by templates: those of the package and one's own, what they see, and what they may not do."""

import json
from pathlib import Path

import pytest

from ragcli.errors import ExitCode
from ragcli.models import PACKAGED
from ragcli.store import Hit
from ragcli.templates import find_template
from tests.openai_server import Server, says
from tests.support import Run, assert_two_lines, run_process, write_lines

HITS = [Hit(1, "owl", "The owl", "Owls hunt.", 1.0, 0, 10, {}), Hit(2, "cat", "The cat", "Cats sleep.", 1.0, 0, 11, {})]


def own(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / "home" / "templates" / f"{name}.jinja"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "hits", "ends"),
    [
        ("qa", HITS, "[2] The cat\nCats sleep.\n\nQuestion: Who hunts?\nAnswer:"),
        ("review", HITS, "- Owls hunt.\n- Cats sleep.\n\nWrite a new review of Who hunts? in 4 sentences."),
        ("summary", [], "Summarize this text in 3 sentences:\n\nWho hunts?\n\nSummary:"),
        ("summary", HITS, "[2] The cat\nCats sleep.\n\nSummary:"),
        ("translate", [], "Text: Where is the station?\nChinese: 车站在哪里？\n\nText: Who hunts?\nChinese:"),
        ("message", HITS, "Who hunts?"),
        ("dialogue", HITS, "[2] The cat\nCats sleep.\n\n\nUser: Hi\nAssistant: Hello\nUser: Who hunts?\nAssistant:"),
    ],
)
def test_each_task_has_a_template(name: str, hits: list[Hit], ends: str) -> None:
    assert ends in find_template(name).after([("Hi", "Hello")]).render(hits, "Who hunts?")


def test_templates_are_listed_and_shown_and_ones_own_go_before_the_packages(ragcli: Run, tmp_path: Path) -> None:
    path = own(tmp_path, "qa", "---\ndescription: My own\nmodel: gpt2\n---\n{{ question }}!\n")
    listed = {one["name"]: one for one in ragcli("template", "list", "--format", "json").objects()}
    assert set(listed) == {"dialogue", "message", "qa", "review", "summary", "translate"}
    assert (listed["qa"]["path"], listed["qa"]["description"], listed["qa"]["model"]) == (str(path), "My own", "gpt2")
    assert ragcli("template", "show", "qa").out == path.read_text()
    assert "dialogue     Go on with a conversation" in ragcli("template", "list", "--format", "table").out
    assert_two_lines(ragcli("template", "show", "nosuch"), ExitCode.USAGE, "nosuch", "summary")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ nosuch }}", "'nosuch' is undefined"),
        ("---\nstop: x\n---\n\n{% if %}", "line 5"),
        ("{{ question / 0 }}", "fails"),
        ("---\ncolour: red\n---\n", "unknown colour"),
        ("---\nstyle: grounded\n---\n", "style grounded"),
        ("---\nstop: [\n---\n", "cannot read"),
        ("---\n- a\n---\n", "not a mapping"),
    ],
)
def test_what_a_template_cannot_do_is_said(ragcli: Run, tmp_path: Path, text: str, words: str) -> None:
    path = own(tmp_path, "bad", text)
    result = ragcli("generate", "x", "--template", path, "--model", PACKAGED)
    assert_two_lines(result, ExitCode.ERROR, words, "bad")


def test_ask_writes_the_prompt_by_a_template_and_trims_it(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    own(
        tmp_path,
        "short",
        "---\nvalues: {mark: '-'}\n---\n{% for p in passages %}{{ mark }}{{ p.text }}\n{% endfor %}{{ text }}",
    )
    asked = ("ask", "When does an owl sleep?", "--template", "short", "--model", PACKAGED, "--dry-run")
    assert ragcli(*asked).out.splitlines()[0] == "-An owl sleeps by day and hunts by night."
    assert ragcli(*asked, "--set", "mark=*").out.startswith("*An owl")
    trimmed = ragcli(*asked, "--max-new-tokens", "1010")
    assert trimmed.out == "When does an owl sleep?\n" and "not in the prompt" in trimmed.err
    assert_two_lines(ragcli(*asked, "--set", "mark"), ExitCode.USAGE, "--set mark")
    assert_two_lines(ragcli("ask", "owl", "--set", "a=b"), ExitCode.USAGE, "--set", "--template")
    assert_two_lines(ragcli(*asked, "--style", "grounded"), ExitCode.USAGE, "--style grounded")


def test_a_template_names_the_model_the_style_and_the_stops(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    own(tmp_path, "mine", f"---\nmodel: {PACKAGED}\nstyle: copy\n---\n{{{{ passages | length }}}} {{{{ text }}}}")
    [answer] = ragcli("ask", "owl sleep", "--template", "mine", "--format", "json").objects()
    assert (answer["style"], Path(answer["model"]).name) == ("copy", "small_gpt2")


def test_translations_are_sent_as_a_message_and_end_at_the_templates_stop(server: Server, ragcli: Run) -> None:
    server.replies(says("Eulen jagen.", "\n\nText: more"))
    by = ("--base-url", server.url, "--template", "translate", "--set", "to=German")
    assert ragcli("generate", "Owls hunt.", *by).out == "Eulen jagen.\n"
    [(path, body)] = server.requests
    message = body["messages"][0]["content"]
    assert path == "/v1/chat/completions" and message.endswith("Text: Owls hunt.\nGerman:")
    assert "Wo ist der Bahnhof?" in message and "车站" not in message
    assert len(ragcli("generate", "Owls.\nCats.", "--lines", "--format", "json", *by).objects()) == 2


def test_a_dialogue_has_the_turns_before(server: Server, ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    server.replies(says("By day."), says("Always."))
    line = ("chat", "--template", "dialogue", "--base-url", server.url, "--format", "json")
    result = run_process(*line, input=b"When does the owl sleep?\nAnd the cat?\n")
    assert [json.loads(line)["answer"] for line in result.out.splitlines()] == ["By day.", "Always."]
    first, second = (body["messages"][0]["content"] for _, body in server.requests)
    assert first.endswith("\nUser: When does the owl sleep?\nAssistant:") and "An owl sleeps by day" in first
    assert "User: When does the owl sleep?\nAssistant: By day.\nUser: " in second


@pytest.mark.parametrize("said", [b"Who are you?", b"Zzyzx qwrt?"])
def test_a_dialogue_needs_no_passages(server: Server, ragcli: Run, corpus: Path, said: bytes) -> None:
    ragcli("index", corpus)
    server.handler.listed = {"data": [{"id": "tiny", "meta": {"n_params": 135_000_000}}]}
    server.replies(says("A friend."))
    line = ("chat", "--template", "dialogue", "--base-url", server.url, "--format", "json")
    [answer] = map(json.loads, run_process(*line, input=said + b"\n").out.splitlines())
    assert (answer["answer"], answer["sentences"], answer["abstained"]) == ("A friend.", [], False)
    message = server.requests[0][1]["messages"][0]["content"]
    assert "[1]" not in message and message.endswith(f"User: {said.decode()}\nAssistant:")


@pytest.mark.parametrize("said", ["The answer to the question is:", "[6]\n[7]\n[8]"])
def test_an_answer_that_says_nothing_becomes_the_sentences_of_the_texts(
    server: Server, ragcli: Run, corpus: Path, said: str
) -> None:
    ragcli("index", corpus)
    server.replies(says(said))
    by = ("--template", "qa", "--base-url", server.url, "--format", "json")
    [answer] = ragcli("ask", "When does an owl sleep?", *by).objects()
    assert (answer["style"], "An owl sleeps by day" in answer["answer"]) == ("grounded", True)


def test_a_review_by_a_template(server: Server, ragcli: Run, tmp_path: Path) -> None:
    ragcli("index", write_lines(tmp_path / "r.jsonl", {"id": "1", "title": "Up", "text": "A lovely film for all."}))
    server.replies(says("Lovely."))
    by = ("--template", "review", "--set", "sentences=2", "--base-url", server.url)
    [review] = ragcli("review", "Up", *by, "--format", "json").objects()
    assert review["answer"] == "Lovely." and review["style"] == "free"
    assert "- A lovely film for all." in server.requests[0][1]["messages"][0]["content"]


def test_of_a_small_models_review_only_what_the_reviews_say_is_kept(
    server: Server, ragcli: Run, tmp_path: Path
) -> None:
    texts = (
        "A lovely and clever film that moved everybody in the cinema.",
        "The animated balloons are wonderful, and the music is beautiful throughout the film.",
        "The story drags a little in the middle, and the villain is weak.",
    )
    reviews = ({"id": str(n), "title": "Up", "text": text} for n, text in enumerate(texts))
    ragcli("index", write_lines(tmp_path / "r.jsonl", *reviews), "--no-encoder")
    server.handler.listed = {"data": [{"id": "tiny", "meta": {"n_params": 135_000_000}}]}
    by = ("--base-url", server.url)
    one, another, *_ = ragcli("review", "Up", *by, "--dry-run").out.split("\n\n")
    server.replies(says(f"{one} {another} It is an example of itself in a museum."), says(f"It eats museums. {one}"))
    [review] = ragcli("review", "Up", *by, "--format", "json").objects()
    assert (review["answer"], len(review["sentences"])) == (f"{one} {another}", 2)
    composed, instead = ragcli("review", "Up"), ragcli("review", "Up", *by)
    assert instead.out == composed.out and "not supported by the texts" in instead.err
    assert ragcli("review", "Up", *by, "--template", "review").out.startswith("It eats museums.")


NOTES = "Owls hunt mice at night. Owls sleep in old trees by day. It rained on Monday. Mice fear owls at night."


def test_a_summary_by_a_template(server: Server, ragcli: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(NOTES)
    server.replies(says("Owls hunt mice at night. Bread is made of flour and water."))
    by = ("--template", "summary", "--base-url", server.url, "--format", "json")
    [summary] = ragcli("summarize", file, *by, "--sentences", "2").objects()
    assert [one["verdict"] for one in summary["sentences"]] == ["supported", "unsupported"]
    assert (summary["style"], summary["query"], len(summary["sources"])) == ("free", "", 1)
    ragcli("summarize", file, *by, "--set", "sentences=7", "--query", "owls", "--temperature", "0.5")
    first, second = (body for _, body in server.requests)
    asked = [body["messages"][0]["content"] for body in (first, second)]
    assert NOTES in asked[0] and "Summarize in 2 sentences what these texts say:" in asked[0]
    assert 'Summarize in 7 sentences what these texts say on "owls":' in asked[1]
    assert (first["temperature"], second["temperature"]) == (0, 0.5)
    file.write_text(" ")
    assert ragcli("summarize", file, *by).code == ExitCode.NOTHING_FOUND
    assert_two_lines(ragcli("summarize", file, "--model", PACKAGED), ExitCode.USAGE, "--model", "--template")


def test_a_small_model_summarizes_the_most_important_sentences(server: Server, ragcli: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(NOTES)
    server.handler.listed = {"data": [{"id": "tiny", "meta": {"n_params": 135_000_000}}]}
    server.replies(says("Owls hunt."))
    by = ("--template", "summary", "--base-url", server.url, "--format", "json")
    [summary] = ragcli("summarize", file, *by, "--sentences", "1").objects()
    assert len(summary["sources"]) == 2 and "Monday" not in str(summary["sources"])


def test_what_the_index_says_is_summarized_by_a_template(server: Server, ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    server.replies(says("It sleeps by day [1]."))
    by = ("--template", "summary", "--base-url", server.url, "--format", "json")
    [summary] = ragcli("summarize", "--query", "owl", "-k", "1", *by).objects()
    [sentence] = summary["sentences"]
    assert (summary["answer"], sentence["cited"], sentence["source"]) == ("It sleeps by day.", [1], 1)
