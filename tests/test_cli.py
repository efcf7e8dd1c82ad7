"""Behave as a good shell tool: results on stdout, all else on stderr, documented exit codes, errors of two lines."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ragcli import __version__
from ragcli.errors import ExitCode
from tests.support import (
    COMMANDS,
    Run,
    assert_two_lines,
    command,
    environment,
    run_process,
    write_lines,
)

DEAD_SERVER = "http://127.0.0.1:9"
HIT_KEYS = ["rank", "id", "title", "text", "score", "start", "end", "metadata"]


def plain(help_text: str) -> str:
    """Undo the lines of a help text."""
    return " ".join(help_text.split())


# Search


def test_search_prints_a_hit_a_line_best_first(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    result = ragcli("search", "owl sleeps at night")
    hits = result.objects()
    assert (result.code, result.err) == (0, "")
    assert [list(hit) for hit in hits] == [HIT_KEYS] * len(hits)
    assert [(hit["rank"], hit["id"]) for hit in hits] == [(1, "owl"), (2, "cat")]
    assert hits[0]["score"] > hits[1]["score"] > 0
    assert hits[0]["metadata"] == {"year": 2005}
    assert (hits[0]["start"], hits[0]["end"]) == (0, len("An owl sleeps by day and hunts by night."))
    assert len(ragcli("search", "owl sleeps at night", "-k", "1").objects()) == 1


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (["year=1999"], ["fox"]),
        (["year>=2005"], ["cat", "owl"]),
        (["year>=2000", "year<2010"], ["owl"]),
        (["title=the OWL"], ["owl"]),
        (["id!=fox"], ["cat", "owl"]),
        (["year=1234"], []),
    ],
)
def test_where_keeps_what_meets_all_conditions(ragcli: Run, corpus: Path, where: list[str], found: list[str]) -> None:
    ragcli("index", corpus)
    conditions = [word for condition in where for word in ("--where", condition)]
    result = ragcli("search", "fox owl cat", *conditions)
    assert sorted(hit["id"] for hit in result.objects()) == found
    assert result.code == (0 if found else 3)


def test_english_is_stemmed_and_title_and_text_count_as_one(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    assert [hit["id"] for hit in ragcli("search", "JUMPED").objects()] == ["fox"]
    titled = write_lines(corpus, {"id": "t", "title": "Unique heading", "text": "Some words."})
    ragcli("index", titled)
    assert [hit["id"] for hit in ragcli("search", "headings").objects()] == ["t"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('fox AND (owl OR "', ["fox", "owl"]),
        ("id:fox", ["fox"]),
        ("fox~2^3", ["fox"]),
        ("+owl -fox", ["fox", "owl"]),
        ("[a TO b]", []),
        ("owl*", ["owl"]),
        ("\\owl", ["owl"]),
        ("/owl/", ["owl"]),
        ("*", []),
    ],
)
def test_a_query_is_plain_text(ragcli: Run, corpus: Path, query: str, found: list[str]) -> None:
    ragcli("index", corpus)
    result = ragcli("search", query)
    assert (result.code, sorted(hit["id"] for hit in result.objects())) == (0 if found else 3, found)


def test_a_dash_reads_the_query_from_standard_input(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    result = run_process("search", "-", input=b"lazy dog\n")
    assert [hit["id"] for hit in result.objects()] == ["fox"]
    assert_two_lines(run_process("search", "-", input=b"\xff\xfe"), 2, "not UTF-8", "iconv")
    assert_two_lines(run_process("search", "-", input=b""), 2, "empty")


# Exit codes, each with its test; 7 comes with `eval`


def test_help_lists_the_exit_codes(ragcli: Run) -> None:
    shown = plain(ragcli("--help").out)
    codes = "0 ok · 1 error · 2 usage · 3 nothing found · 4 abstained · 5 store or model unreachable"
    assert f"Exit codes: {codes} · 6 done with rejects · 7 gate failed · 130 interrupted." in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_an_example(ragcli: Run, name: str) -> None:
    for option in ("--help", "-h"):
        result = ragcli(*name.split(), option)
        assert (result.code, result.err) == (0, "")
        assert f"Example: ragcli {name} " in plain(result.out)


def test_without_a_command_the_help_is_shown(ragcli: Run) -> None:
    assert ragcli() == ragcli("--help")
    assert ragcli("eval") == ragcli("eval", "--help")
    assert "..." not in ragcli().out.partition("Commands:")[2]


def test_version(ragcli: Run) -> None:
    assert ragcli("--version") == (0, f"ragcli {__version__}\n", "")


def test_3_nothing_found(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    for form in ("table", "json"):
        assert ragcli("search", "xylophone", "--format", form) == (3, "", "Nothing found.\n")
    assert_two_lines(ragcli("ask", "xylophone?"), 3, "nothing in the index matches")
    assert_two_lines(ragcli("review", "Xylophone"), 3, "no reviews of 'Xylophone'")


def test_3_a_title_that_is_not_quite_known_gets_a_suggestion(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    assert_two_lines(ragcli("review", "The foxtrot"), 3, "Did you mean the fox")


def test_3_a_title_in_another_index_names_it(ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    for index, file in (
        ("films", corpus),
        ("texts", write_lines(tmp_path / "a.jsonl", {"id": "a", "title": "Another", "text": "A text."})),
    ):
        assert ragcli("index", file, "--index", index).code == 0
    assert_two_lines(ragcli("review", "fox", "--index", "texts"), 3, "It is in another index: --index films.")
    assert "another index" not in ragcli("review", "Xylophone", "--index", "texts").err


def test_one_thing_is_not_many(ragcli: Run, tmp_path: Path) -> None:
    write_lines(tmp_path / "docs" / "a.jsonl", {"id": "a", "text": "A text."})
    (tmp_path / "docs" / "a.exe").write_bytes(b"")
    result = ragcli("index", tmp_path / "docs", "--format", "text")
    assert "1 document, 1 passage in the index" in result.out and "skipped 1 file: 1 ×" in result.err
    assert "knowledge_base: 1 document, 1 passage," in ragcli("doctor").out


def test_4_abstained(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    result = ragcli("ask", "What does an owl do?", "--min-score", "1000", "--format", "json")
    [answer] = result.objects()
    assert (result.code, result.err) == (4, "")
    assert (answer["abstained"], answer["answer"], answer["question"]) == (True, "", "What does an owl do?")
    assert [source["id"] for source in answer["sources"]] == ["owl"]

    text = ragcli("ask", "What does an owl do?", "--min-score", "1000")
    assert text.code == 4 and "The owl" in text.out and len(text.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["index", "search", "ask", "review"])
def test_5_the_store_does_not_answer(ragcli: Run, corpus: Path, name: str) -> None:
    assert_two_lines(ragcli(name, corpus if name == "index" else "owl", "--store", DEAD_SERVER), 5, DEAD_SERVER)


@pytest.mark.parametrize("name", ["generate", "ask", "review"])
def test_5_a_model_that_was_named_is_never_replaced(ragcli: Run, corpus: Path, tmp_path: Path, name: str) -> None:
    ragcli("index", corpus)
    result = run_process(name, "The owl", "--model", "nobody/nothing", env={"HF_HOME": str(tmp_path / "hub")})
    assert_two_lines(result, 5, "nobody/nothing", "--model")


def test_130_interrupted(ragcli: Run, tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "a.jsonl", *({"id": f"d{n}", "text": f"Text number {n}. " * 50} for n in range(6_000))
    )
    process = subprocess.Popen(
        command("index", path),
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    wait_for(tmp_path / "home" / "indexes" / "knowledge_base" / "text" / ".tantivy-writer.lock")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")
    assert ragcli("index", path, "--format", "json").summary()["documents"] == 6_000


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# Errors: two lines on stderr, nothing on stdout, never a traceback

MISTAKES: dict[str, tuple[list[str], int, str]] = {
    "unknown command": (["serach"], 2, "'search'"),
    "unknown option": (["search", "x", "--wher", "y"], 2, "--where"),
    "no query": (["search"], 2, "ragcli search --help"),
    "no file": (["index"], 2, "ragcli index --help"),
    "two queries": (["search", "a", "b"], 2, "ragcli search --help"),
    "option without value": (["search", "x", "-k"], 2, "-k"),
    "k not a number": (["search", "x", "-k", "many"], 2, "-k"),
    "k zero": (["search", "x", "-k", "0"], 2, "-k"),
    "unknown format": (["search", "x", "--format", "xml"], 2, "xml"),
    "unknown language": (["index", "FILE", "--language", "xx"], 2, "xx"),
    "passages too small": (["index", "FILE", "--passage-size", "5"], 2, "--passage-size"),
    "empty query": (["search", " "], 2, "empty"),
    "empty question": (["ask", " "], 2, "the question is empty"),
    "empty title": (["review", ""], 2, "the title is empty"),
    "filter without operator": (["search", "x", "--where", "year"], 2, "FIELD=VALUE"),
    "filter without field": (["search", "x", "--where", "=1999"], 2, "FIELD=VALUE"),
    "unknown field": (["search", "owl", "--where", "colour=red"], 1, "'colour'"),
    "unknown field in ask": (["ask", "owl", "--where", "colour=red"], 1, "year"),
    "no such file": (["index", "missing.jsonl"], 1, "missing.jsonl"),
    "one file of two missing": (["index", "FILE", "missing.jsonl"], 1, "missing.jsonl"),
    "folder without texts": (["index", "FOLDER"], 1, "FOLDER"),
    "file name too long": (["index", "x" * 300], 1, "x" * 300),
    "unreadable file": (["index", "/proc/self/mem"], 1, "/proc/self/mem"),
    "rejects into no folder": (["index", "FILE", "--rejects", "no/such/folder/file"], 1, "no/such/folder/file"),
    "rejects onto a full disk": (["index", "BAD", "--rejects", "/dev/full"], 1, "/dev/full"),
    "no such index": (["search", "x", "--index", "nope"], 1, "ragcli index FILE --index nope"),
    "index name with a slash": (["search", "x", "--index", "../up"], 2, "../up"),
    "index name in capitals": (["index", "FILE", "--index", "Docs"], 2, "Docs"),
    "index name empty": (["search", "x", "--index", ""], 2, "''"),
    "index name too long": (["search", "x", "--index", "a" * 300], 2, "a" * 300),
    "index name not UTF-8": (["search", "x", "--index", "\udcff"], 2, "index name"),
    "unknown store": (["search", "x", "--store", "ftp://host"], 2, "ftp://host"),
    "misspelled store": (["index", "FILE", "--store", "locla"], 2, "locla"),
    "store without host": (["search", "x", "--store", "http://"], 2, "store"),
    "store with a bad port": (["search", "x", "--store", "http://localhost:port"], 2, "store"),
    "dead server": (["search", "x", "--store", DEAD_SERVER], 5, DEAD_SERVER),
    "CA file missing": (
        ["search", "x", "--store", "https://127.0.0.1:9", "--ca-certs", "missing.pem"],
        2,
        "missing.pem",
    ),
    "query not UTF-8": (["search", "\udcff"], 2, "UTF-8"),
    "filter not UTF-8": (["search", "x", "--where", "a=\udcff"], 2, "UTF-8"),
    "file not UTF-8": (["index", "\udcff"], 1, "no such file"),
    "control characters": (["index", "\x1b[2J\x9b1m\r"], 1, "\ufffd[2J\ufffd1m"),
    "model folder missing": (["generate", "x", "--model", "./missing"], 1, "missing"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_two_lines(ragcli: Run, corpus: Path, tmp_path: Path, mistake: str) -> None:
    ragcli("index", corpus)
    (tmp_path / "empty").mkdir()
    paths = {"FILE": corpus, "FOLDER": tmp_path / "empty", "BAD": write_lines(tmp_path / "bad.jsonl", b"bad")}
    arguments, code, word = MISTAKES[mistake]
    result = ragcli(*(paths.get(argument, argument) for argument in arguments))
    assert_two_lines(result, code, str(paths.get(word, word)))


def test_an_argument_that_is_not_utf8_is_answered_by_two_lines(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    assert_two_lines(run_process("search", b"caf\xe9"), 2, "UTF-8")


@pytest.mark.parametrize("name", ["index", "search"])
def test_a_home_that_cannot_be_a_folder(ragcli: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("RAGCLI_HOME", str(corpus))
    assert_two_lines(ragcli(name, corpus if name == "index" else "owl"), 1)


@pytest.mark.parametrize(
    ("line", "package"),
    [
        (["eval", "retrieval", "x"], "ir_measures"),
        (["eval", "compare", "x", "x"], "scipy"),
    ],
)
def test_a_missing_extra_is_named(line: list[str], package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from ragcli.cli import main; sys.exit(main({line!r}))"
    done = subprocess.run([sys.executable, "-c", program], env=environment({}), capture_output=True, text=True)
    assert done.returncode == ExitCode.ERROR
    assert done.stderr.splitlines() == [
        f"Error: this needs the package {package}, which is not installed",
        "Install it: pip install 'ragcli[eval]'.",
    ]


# Settings: flag > environment > ragcli.toml > default


def settings_file(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ragcli.toml").write_bytes(text.encode("latin-1"))
    monkeypatch.chdir(folder)


def test_a_flag_beats_the_environment_which_beats_the_file(
    ragcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in ("knowledge_base", "file", "table", "environment", "flag"):
        ragcli(
            "index", write_lines(tmp_path / f"{index}.jsonl", {"id": index, "text": "The same text."}), "--index", index
        )

    def searched(*options: str) -> str:
        [hit] = ragcli("search", "text", *options).objects()
        return str(hit["id"])

    assert searched() == "knowledge_base"
    settings_file(tmp_path, 'index = "file"', monkeypatch)
    assert searched() == "file"
    settings_file(tmp_path, 'index = "file"\n[search]\nindex = "table"', monkeypatch)
    assert searched() == "table"
    monkeypatch.setenv("RAGCLI_INDEX", "environment")
    assert searched() == "environment"
    assert searched("--index", "flag") == "flag"


def test_a_setting_counts_for_the_commands_that_have_the_option(
    ragcli: Run, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_file(corpus.parent, 'text-field = "title"\nk = 1', monkeypatch)
    assert ragcli("index", corpus).code == 0
    assert len(ragcli("search", "fox owl cat").objects()) == 1


def test_a_command_of_a_group_has_a_table_of_its_own(
    ragcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_text("A few words, and a few more of them.")
    settings_file(tmp_path, "[eval.perplexity]\nwindow = 8\nfail-over = ['perplexity=0']", monkeypatch)
    result = ragcli("eval", "perplexity", "text.txt")
    assert (result.code, result.objects()[0]["settings"]["window"]) == (ExitCode.GATE_FAILED, 8)


def test_settings_nested_without_end_are_an_error(ragcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_file(tmp_path, "k = " + "[" * 20_000, monkeypatch)
    assert_two_lines(ragcli("search", "x"), 1, "cannot read the settings")


def test_the_settings_file_can_be_named(ragcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text('index = "elsewhere"')
    monkeypatch.setenv("RAGCLI_CONFIG", str(tmp_path / "other.toml"))
    assert_two_lines(ragcli("search", "x"), 1, "elsewhere")
    monkeypatch.setenv("RAGCLI_CONFIG", str(tmp_path / "missing.toml"))
    assert_two_lines(ragcli("search", "x"), 1, "missing.toml", "RAGCLI_CONFIG")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("index = ", "ragcli.toml"),
        ("index = '\xff'", "ragcli.toml"),
        ("indexx = 'a'", "'indexx'"),
        ("[search]\npassage_size = 500", "'passage_size'"),
        ("[serach]\nk = 5", "'serach'"),
        ("search = 5", "'search'"),
        ("question = 'x'", "'question'"),
        ("index = 5", "named 5"),
        ("[search]\nk = 'many'", "ragcli.toml"),
        ("where = 'year=1999'", "ragcli.toml"),
        ("[eval]\nk = 5", "'k'"),
        ("[eval.serach]\nk = 5", "'serach'"),
        ("[eval.answers]\nwindow = 5", "'window'"),
        ("eval = 5", "'eval'"),
    ],
)
def test_a_setting_that_cannot_be_meant(
    ragcli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, word: str
) -> None:
    settings_file(tmp_path, text, monkeypatch)
    result = ragcli("search", "x")
    assert_two_lines(result, result.code, word)
    assert result.code in (1, 2)
    assert ragcli("--help").code == ragcli("--version").code == 0


# Pipes


@pytest.fixture
def large(ragcli: Run, tmp_path: Path) -> None:
    """Index enough to fill a pipe several times."""
    texts = ({"id": f"d{n}", "text": f"Owl number {n}. " + "It says nothing. " * 60} for n in range(300))
    ragcli("index", write_lines(tmp_path / "large.jsonl", *texts))


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("arguments", [["search", "owl", "-k", "1"], ["search", "owl", "-k", "300"], ["--help"]])
def test_a_closed_pipe_is_silent(arguments: list[str]) -> None:
    process = subprocess.Popen(command(*arguments), env=environment({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    assert len(process.stdout.read(1)) == 1
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), err) == (0, b"")


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("k", ["1", "300"])
def test_a_full_disk_behind_stdout_is_an_error(k: str) -> None:
    with Path("/dev/full").open("wb") as full:
        result = run_process("search", "owl", "-k", k, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert_two_lines(result, 1, "standard output", "No space left")


def test_closed_standard_streams_are_no_trouble(corpus: Path) -> None:
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        line = f'"$@" {closed}'
        done = subprocess.run(
            ["sh", "-c", line, "sh", *command("index", corpus)], env=environment({}), check=False, capture_output=True
        )
        assert (done.returncode, done.stderr) == (0, b""), closed


def test_a_colour_wish_does_not_turn_a_pipe_into_a_table(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    result = run_process("search", "owl", env={"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"})
    assert [hit["id"] for hit in result.objects()] == ["owl"]


def test_a_table_in_a_pipe_has_no_escape_sequences(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    table = ragcli("search", "owl", "--format", "table")
    assert "The owl" in table.out and "\x1b" not in table.out


# Nothing ever asks


@pytest.mark.parametrize(
    "arguments",
    [
        ["index", "FILE", "--rebuild"],
        ["index", "FILE", "--prune"],
        ["search", "owl"],
        ["ask", "owl", "--min-score", "9e9"],
    ],
)
def test_no_command_waits_for_an_answer(ragcli: Run, corpus: Path, arguments: list[str]) -> None:
    """With an open but silent stdin and no terminal to ask on, every command comes to its end."""
    ragcli("index", corpus)
    silent, _held = os.pipe()
    words = [str(corpus) if word == "FILE" else word for word in arguments]
    result = run_process(*words, stdin=silent, start_new_session=True, timeout=30)
    os.close(silent)
    os.close(_held)
    assert result.code in (0, 4)


def test_only_a_dash_reads_standard_input(ragcli: Run, corpus: Path) -> None:
    result = run_process("index", corpus, "-", input=b'{"id": "in", "text": "From stdin."}')
    assert (result.code, len(ragcli("search", "stdin").objects())) == (0, 1)


def test_an_interrupt_before_the_command_begins_is_silent() -> None:
    code = (
        "import ragcli.client\n"
        "def interrupt(*_): raise KeyboardInterrupt\n"
        "ragcli.client.forward = interrupt\n"
        "from ragcli.__main__ import run\n"
        "run()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_an_empty_stop_is_refused(ragcli: Run) -> None:
    done = ragcli("generate", "Once", "--stop", "")
    assert (done.code, done.out) == (2, "") and "--stop is empty" in done.err
