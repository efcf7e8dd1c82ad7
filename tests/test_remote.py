"""Write with a model behind a server: a small fake one for faults, and real ones where they are here.

The real ones are llama.cpp's with SmolLM2, and `transformers serve`.
"""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from ragcli.decoder.sampling import Sampling
from ragcli.endpoint import Endpoint
from ragcli.errors import ExitCode, RagcliError, UnreachableError, UsageError
from ragcli.generate import Completion, Options, open_model, open_remote
from ragcli.models import PACKAGED
from tests.gguf import write_gguf
from tests.openai_server import KEY, Fake, Reply, Server, breaks_off, refuses, says
from tests.support import Run, assert_two_lines, command, environment, run_process

OPTIONS = Options(20, Sampling(temperature=0), seed=3)


def test_a_message_is_answered_piece_by_piece(server: Server) -> None:
    generator = server.replies(says("One", " two", usage={"prompt_tokens": 7, "completion_tokens": 2})).open()
    stream = generator.generate("Count.", OPTIONS)
    assert list(stream) == ["One", " two"]
    assert stream.finish() == Completion("One two", 2, "end", 7)
    [(path, body)] = server.requests
    assert path == "/v1/chat/completions" and body["messages"] == [{"role": "user", "content": "Count."}]
    assert (body["model"], body["max_tokens"], body["temperature"], body["seed"]) == ("tiny", 20, 0, 3)
    assert server.handler.keys == [f"Bearer {KEY}"]
    assert (generator.name, generator.context, generator.instructed) == ("tiny", 1000, True)


def test_a_model_that_writes_nothing_is_explained(server: Server, ragcli: Run) -> None:
    server.replies(says(""))
    result = ragcli("generate", "Write a haiku.", "--base-url", server.url)
    assert result.code == 0 and result.out.strip() == "" and "takes the text as finished" in result.err


def test_a_text_is_gone_on_with(server: Server) -> None:
    generator = server.replies(says(" upon a time", ended="length")).open("other", as_text=True)
    assert generator.generate("Once", OPTIONS).finish() == Completion(" upon a time", 2, "length")
    [(path, body)] = server.requests
    assert (path, body["prompt"], body["model"]) == ("/v1/completions", "Once", "other")


@pytest.mark.parametrize(
    "refusal",
    [refuses(404, "not found"), refuses(405), refuses(404, "This is a chat model"), refuses(400, "no chat template")],
)
def test_a_server_with_one_way_is_asked_in_that_way_from_then_on(server: Server, refusal: Reply) -> None:
    generator = server.replies(refusal, says("Yes."), says("No.")).open()
    assert [generator.generate("Is it?", OPTIONS).finish().text for _ in range(2)] == ["Yes.", "No."]
    assert [path for path, _ in server.requests] == ["/v1/chat/completions", "/v1/completions", "/v1/completions"]
    assert not generator.instructed


def test_a_server_that_fails_in_both_ways_gives_its_first_reason(server: Server) -> None:
    generator = server.replies(*[refuses(500, "broken")] * 5, refuses(404)).open()
    with pytest.raises(RagcliError, match="broken"):
        generator.generate("Is it?", OPTIONS).finish()
    assert generator.instructed


def test_stop_strings_end_whatever_the_server_makes_of_them(server: Server) -> None:
    stops = ("\n\n", "b", "c", "d", "END")
    stream = server.replies(says("Yes. E", "ND and", " more")).open().generate("x", OPTIONS._replace(stop=stops))
    assert list(stream) == ["Yes. "] and stream.finish().ended == "stop"
    assert server.requests[0][1]["stop"] == list(stops[:4])  # OpenAI takes no more


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["<think>", "Hm", "m.</thi", "nk>\n\nYes.", " No."], "Yes. No."),
        ([" <th", "ink>never ended"], ""),
        (["<thing> is", " <think>no</think>"], "<thing> is <think>no</think>"),
        (["<th"], "<th"),
    ],
)
def test_what_a_model_thinks_is_not_shown(server: Server, pieces: list[str], shown: str) -> None:
    stream = server.replies(says(*pieces)).open().generate("x", OPTIONS)
    assert "".join(stream) == stream.finish().text == shown


CITY = {"type": "object", "properties": {"city": {"enum": ["Rome", "Paris"]}}, "required": ["city"]}


def test_a_schema_is_sent_to_the_server(server: Server, ragcli: Run, corpus: Path, tmp_path: Path) -> None:
    ragcli("index", corpus)
    file = tmp_path / "city.json"
    file.write_text(json.dumps(CITY))
    server.replies(says('{"city": "Rome"}'))
    by = ("--base-url", server.url, "--schema", file, "--format", "json")
    [answer] = ragcli("ask", "Where does an owl sleep?", *by).objects()
    [written] = ragcli("generate", "Where?", *by).objects()
    assert json.loads(answer["answer"]) == json.loads(written["completions"][0]) == {"city": "Rome"}
    assert answer["sentences"] == []
    for path, body in server.requests:
        sent = body["response_format"]
        assert (path, sent["type"], sent["json_schema"]["schema"]) == ("/v1/chat/completions", "json_schema", CITY)
    model = ("--model", PACKAGED, "--schema", file)
    refused = ragcli("generate", "x", *model)
    assert refused.code == ExitCode.USAGE and "--schema needs" in refused.err
    assert_two_lines(ragcli("ask", "x", *model, "--strict"), ExitCode.USAGE, "--strict", "--schema")
    file.write_text("[]")
    assert_two_lines(ragcli("ask", "x", *model), ExitCode.USAGE, "no JSON Schema")
    assert_two_lines(ragcli("ask", "x", "--schema", "nosuch"), ExitCode.USAGE, "nosuch")


@pytest.mark.usefixtures("smollm2")
def test_smollm2_writes_json_by_a_schema(ragcli: Run, tmp_path: Path) -> None:
    file = tmp_path / "city.json"
    file.write_text(json.dumps(CITY))
    by = ("--model", "smollm2", "--schema", file, "--temperature", "0", "--max-new-tokens", "30")
    assert json.loads(ragcli("generate", "What is the capital of France?", *by).out) == {"city": "Paris"}
    file.write_text('{"type": "nothing"}')
    assert_two_lines(ragcli("generate", "x", *by), ExitCode.ERROR, "llama.cpp says 400", "nothing")


def test_json_by_a_schema_may_have_blank_lines_but_no_end_too_early(
    server: Server, ragcli: Run, corpus: Path, tmp_path: Path
) -> None:
    ragcli("index", corpus, "--no-encoder")
    file = tmp_path / "city.json"
    file.write_text(json.dumps(CITY))
    by = ("--base-url", server.url, "--schema", file)
    server.replies(says('{\n\n"city": "Rome"}'))
    assert json.loads(ragcli("ask", "Where does an owl sleep?", *by, "--format", "json").objects()[0]["answer"])
    server.replies(says('{"city": ', ended="length"))
    assert_two_lines(ragcli("ask", "Where does an owl sleep?", *by), ExitCode.ERROR, "breaks off", "--max-new-tokens")
    written = ragcli("generate", "Where?", *by)
    assert (written.code, written.out) == (ExitCode.ERROR, '{"city": \n') and "breaks off" in written.err


@pytest.mark.parametrize("option", ["--top-k", "--min-p", "--no-repeat-ngram-size", "--repetition-penalty"])
def test_what_a_server_does_not_get_is_refused(ragcli: Run, monkeypatch: Any, option: str) -> None:
    monkeypatch.setenv("RAGCLI_BASE_URL", "http://127.0.0.1:9/v1")
    assert_two_lines(ragcli("generate", "x", option, "1"), ExitCode.USAGE, f"{option} has no effect", "--top-p")


@pytest.mark.parametrize("option", ["--precision=int8", "--no-repeat-ngram-size=3"])
def test_what_llama_cpp_does_not_get_is_refused(ragcli: Run, monkeypatch: Any, option: str, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "model.gguf", {"llama.pooling_type": 1})
    said = f"{option.partition('=')[0]} has no effect on a GGUF file"
    assert_two_lines(ragcli("generate", "x", option, "--model", file), ExitCode.USAGE, said, "Leave it out")
    monkeypatch.setenv("RAGCLI_MODEL", str(file))
    assert_two_lines(ragcli("ask", "x", option), ExitCode.USAGE, said)
    monkeypatch.setenv("RAGCLI_PRECISION", "int8")  # which other models have
    assert_two_lines(ragcli("generate", "x"), ExitCode.ERROR, "not a language model")


def test_a_busy_server_is_asked_again_later_and_later(server: Server) -> None:
    busy = [refuses(503), refuses(429, retry_after="7"), refuses(500), refuses(502)]
    assert server.replies(*busy, says("At last.")).open().generate("x", OPTIONS).finish().text == "At last."
    assert server.pauses == [0.5, 7, 2, 4]


@pytest.mark.parametrize(
    ("status", "reason", "hint"),
    [
        (401, "Incorrect API key", "RAGCLI_API_KEY"),
        (404, "model 'tiny' not found", "model's name"),
        (400, "the request exceeds\nthe context", "Shorten"),
        (400, "no such field", "reports"),
        (429, "quota used up", "later"),
    ],
)
def test_an_error_has_the_servers_reason_and_no_key(server: Server, status: int, reason: str, hint: str) -> None:
    generator = server.replies(refuses(status, reason)).open()
    with pytest.raises(RagcliError) as caught:
        generator.generate("x", OPTIONS).finish()
    assert f"says {status}: {' '.join(reason.split())}" in caught.value.message and hint in caught.value.hint
    assert KEY not in repr(caught.value) + caught.value.hint


def test_an_answer_that_breaks_off_is_no_answer(server: Server) -> None:
    stream = server.replies(breaks_off).open().generate("x", OPTIONS)
    assert next(stream) == "Half"
    with pytest.raises(UnreachableError, match="closed the connection"):
        stream.finish()


@pytest.mark.parametrize("pieces", [[], ["Half"]])
def test_a_server_that_falls_silent_is_given_up(server: Server, pieces: list[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("RAGCLI_TIMEOUT", "0.3")
    done = threading.Event()

    def hangs(fake: Fake, body: dict[str, Any]) -> None:
        if pieces:
            fake.send_response(200)
            fake.end_headers()
            fake.wfile.write(b'data: {"choices": [{"delta": {"content": "Half"}}]}\n\n')
        done.wait(20)
        fake.close_connection = True

    stream = server.replies(hangs).open().generate("x", OPTIONS)
    assert [next(stream) for _ in pieces] == pieces
    with pytest.raises(UnreachableError, match=r"has sent nothing for 0\.3 seconds") as caught:
        stream.finish()
    done.set()
    assert "RAGCLI_TIMEOUT" in caught.value.hint and len(server.requests) == 1 and not server.pauses


def test_a_server_that_never_answers_is_given_up_before_a_model_is_asked(ragcli: Run, monkeypatch: Any) -> None:
    monkeypatch.setattr("ragcli.endpoint._LIST", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        by = ("--base-url", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
        assert_two_lines(ragcli("generate", "x", *by), ExitCode.UNREACHABLE, "nothing for 0.3 seconds")


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "inf"])
def test_a_timeout_is_a_number_of_seconds(ragcli: Run, monkeypatch: Any, seconds: str) -> None:
    monkeypatch.setenv("RAGCLI_TIMEOUT", seconds)
    said = ragcli("generate", "x", "--base-url", "http://127.0.0.1:9/v1")
    assert_two_lines(said, ExitCode.USAGE, f"RAGCLI_TIMEOUT is '{seconds}'")


@pytest.mark.parametrize(
    "event",
    [
        *(5, [], [1], "x", {"choices": 5}, {"choices": [5]}, {"choices": [{"delta": 5}]}, {"choices": "ab"}),
        *({"usage": 5}, {"usage": {"completion_tokens": "many"}}, {"usage": {"completion_tokens": [1]}}),
    ],
)
def test_an_event_of_another_kind_is_named(server: Server, event: Any) -> None:
    stream = server.replies(lambda fake, _: fake.say(200, f"data: {json.dumps(event)}\n\n".encode())).open()
    with pytest.raises(RagcliError, match="as OpenAI's API does"):
        stream.generate("x", OPTIONS).finish()


def test_an_odd_reason_to_end_is_an_end(server: Server) -> None:
    event = {"choices": [{"text": "Yes.", "finish_reason": ["odd"]}]}
    server.replies(lambda fake, _: fake.say(200, f"data: {json.dumps(event)}\n\n".encode()))
    assert server.open().generate("x", OPTIONS).finish() == Completion("Yes.", 1, "end")


def test_a_server_that_has_moved_tells_where(server: Server) -> None:
    server.replies(lambda fake, _: fake.say(301, b"", Location="https://new.example/v1"))
    with pytest.raises(RagcliError, match="says 301") as caught:
        server.open().generate("x", OPTIONS).finish()
    assert caught.value.hint == "Give --base-url the new address: https://new.example/v1"


def test_an_answer_that_cannot_be_unpacked_is_an_error(server: Server) -> None:
    server.replies(lambda fake, _: fake.say(200, b"no gzip", Content_Encoding="gzip"))
    with pytest.raises(RagcliError, match=str(server.url)):
        server.open().generate("x", OPTIONS).finish()


def test_a_prompt_of_broken_characters_is_sent(server: Server) -> None:
    assert server.replies(says("Yes.")).open().generate("a\udcff\ud83d", OPTIONS).finish().text == "Yes."


@pytest.mark.parametrize("sent", [b"<html>", b"data: <html>\n\n", b'data: {"error": {"message": "out of memory"}}\n\n'])
def test_what_is_no_answer_is_said(server: Server, sent: bytes) -> None:
    stream = server.replies(lambda fake, _: fake.say(200, sent)).open().generate("x", OPTIONS)
    with pytest.raises(RagcliError, match=r"not answer in JSON|out of memory"):
        stream.finish()


def test_many_prompts_keep_their_order(server: Server) -> None:
    def echo(fake: Fake, body: dict[str, Any]) -> None:
        says(f"{body['messages'][0]['content']} {body['seed']}")(fake, body)

    found = server.replies(echo).open().generate_all([f"p{n}" for n in range(10)], OPTIONS._replace(rows=2))
    assert [one.text for one in found] == [f"p{n} {seed}" for n in range(10) for seed in (3, 4)]


def test_of_several_models_one_has_to_be_named(server: Server) -> None:
    server.handler.listed = {"data": [{"id": "b"}, {"id": "a", "meta": {"n_ctx_train": 512}}]}
    with pytest.raises(UsageError) as caught:
        server.open()
    assert "--model: a, b" in caught.value.hint
    assert server.open("a").context == 512 and server.open("b").context == 4096


@pytest.mark.parametrize("url", ["localhost:80", "ftp://x/v1", "http://", "http://user:secret@host:port/v1"])
def test_what_is_no_url_is_said_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(url, None)
    assert "secret" not in caught.value.message


def test_the_commands_write_by_a_server(server: Server, ragcli: Run, corpus: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("RAGCLI_API_KEY", KEY)
    ragcli("index", corpus, "--no-encoder")
    server.replies(says("An owl", "\n\nsleeps by day. ", usage={"prompt_tokens": 55, "completion_tokens": 5}))
    by = ("--base-url", server.url, "--format", "json")
    [answer] = ragcli("ask", "When does an owl sleep?", *by).objects()
    assert (answer["answer"], answer["model"], answer["style"]) == ("An owl\n\nsleeps by day.", "tiny", "free")
    assert (answer["prompt_tokens"], answer["new_tokens"]) == (55, 5)
    assert server.requests[0][1]["messages"][0]["content"].endswith("Question: When does an owl sleep?\nAnswer:")
    [written] = ragcli("generate", "Once", *by, "--num-return-sequences", "2").objects()
    assert len(written["completions"]) == 2 and server.requests[1][0] == "/v1/completions"
    [review] = ragcli("review", "the owl", *by).objects()
    assert review["model"] == "tiny"
    assert_two_lines(ragcli("ask", "owl", *by, "--style", "copy"), ExitCode.USAGE, "--style copy", "tiny")
    assert_two_lines(ragcli("ask", "owl", "--base-url", "http://127.0.0.1:9/v1"), ExitCode.UNREACHABLE, "127.0.0.1:9")


def test_ctrl_c_ends_the_request(server: Server) -> None:
    gone = threading.Event()

    def slowly(fake: Fake, _: dict[str, Any]) -> None:
        fake.send_response(200)
        fake.end_headers()
        try:
            while True:
                fake.wfile.write(b'data: {"choices": [{"text": "and "}]}\n\n')
                time.sleep(0.05)
        except OSError:
            gone.set()

    server.replies(slowly)
    line = command("generate", "Once", "--base-url", server.url)
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment({}))
    while not server.requests:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (ExitCode.INTERRUPTED, b"")
    assert gone.wait(10)


SERVE = """
import sys, time, xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.n_ctx, parameters.port, parameters.verbosity, parameters.warmup = 1024, 0, 0, False
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
time.sleep(600)
"""


@contextmanager
def served(file: Path) -> Iterator[str]:
    arguments = [sys.executable, "-c", SERVE, str(file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout
            yield f"{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


def test_a_real_server_answers(ragcli: Run, corpus: Path, smollm2_file: Path) -> None:
    with served(smollm2_file) as url:
        by = ("--base-url", url, "--temperature", "0", "--max-new-tokens", "8", "--format", "json")
        [written] = ragcli("generate", "The capital of France is", *by).objects()
        assert "Paris" in written["completions"][0] and written["new_tokens"] == [8]
        ragcli("index", corpus, "--no-encoder")
        [answer] = ragcli("ask", "When does an owl sleep?", *by).objects()
        assert answer["answer"] and answer["prompt_tokens"] > 20
        [message, text] = (open_remote(url, None, None, as_text) for as_text in (False, True))
        assert (message.instructed, text.instructed) == (True, False)


TEN = [
    *("The capital of France is", "Once upon a time, an owl", "Water boils at", "def add(a, b):", "1, 2, 3, 4,"),
    *("Write a haiku about rain.", "What is a list in Python?", "Name three birds.", "Hello!", "Why is the sky blue?"),
]


@pytest.mark.usefixtures("smollm2")
def test_what_is_written_is_what_llama_cpp_writes_by_itself(smollm2_file: Path) -> None:
    options = Options(20, Sampling(temperature=0))
    message, text = open_model("smollm2"), open_model("smollm2", as_text=True)
    with served(smollm2_file) as url:

        def asks(path: str, **body: Any) -> Any:
            return httpx.post(f"{url.removesuffix('/v1')}/{path}", json=body, timeout=60).json()

        def writes(prompt: str) -> str:
            return str(asks("completion", prompt=prompt, n_predict=20, temperature=0)["content"])

        for prompt in TEN:
            assert text.generate(prompt, options).finish().text == writes(prompt)
            put = asks("apply-template", messages=[{"role": "user", "content": prompt}])["prompt"]
            assert message.generate(prompt, options).finish().text == writes(put)


def test_a_real_server_goes_on_with_the_text_where_there_is_no_chat_template(
    smollm2_file: Path, tmp_path: Path
) -> None:
    file = without_template(smollm2_file, tmp_path)
    with served(file) as url:
        generator = open_remote(url, None, None)
        assert not generator.instructed
        assert generator.generate("The capital of France is", OPTIONS).finish().text.startswith(" Paris")


@pytest.mark.parametrize("lists", [{}, {"owned_by": "llamacpp"}])
def test_a_base_model_behind_any_server_is_asked_as_the_user_says(
    server: Server, ragcli: Run, corpus: Path, lists: dict[str, str]
) -> None:
    ragcli("index", corpus, "--no-encoder")
    server.handler.listed = {"data": [{"id": "tiny", **lists}]}
    server.replies(says(" By day."))
    for more in ([], ["--as-text"]):
        ragcli("ask", "When does an owl sleep?", "--base-url", server.url, *more)
    assert [path for path, _ in server.requests] == ["/v1/chat/completions", "/v1/completions"]


@pytest.mark.usefixtures("smollm2")
def test_smollm2_is_a_model_by_its_name_and_stands_in_for_gpt2(tmp_path: Path) -> None:
    writing = ("--temperature", "0", "--max-new-tokens", "8", "--format", "json")
    offline = {"HF_HOME": str(tmp_path / "empty")}
    named = run_process("generate", "The capital of France is", "--model", "smollm2", *writing, timeout=200)
    assert (named.code, named.err) == (0, "")
    [written] = named.objects()
    assert "Paris" in written["completions"][0] and written["model"] == "smollm2"
    instead = run_process("generate", "The capital of France is", *writing, env=offline, timeout=200)
    assert instead.objects()[0]["completions"] == written["completions"] and "smollm2 writes instead" in instead.err
    measured = run_process("eval", "perplexity", "-", "--format", "json", input=b"A text.", env=offline)
    assert "small GPT-2" in measured.err, measured  # what needs a model's tokens takes one that ragcli runs itself


@pytest.mark.usefixtures("smollm2")
def test_llama_cpp_gets_all_ways_to_sample(ragcli: Run) -> None:
    by = ("--model", "smollm2", "--temperature", "0", "--max-new-tokens", "40")
    plain, varied = (
        ragcli("generate", "The fox and the", *by, *more).out for more in ((), ("--repetition-penalty", "2"))
    )
    assert plain != varied
    free = ("--model", "smollm2", "--temperature", "3", "--seed", "1", "--max-new-tokens", "20")
    by_one, all_of_them = (ragcli("generate", "The fox", *free, "--top-k", k).out for k in ("1", "0"))
    assert by_one == ragcli("generate", "The fox", *by[:4], "--max-new-tokens", "20").out != all_of_them


def test_a_model_without_a_chat_template_goes_on_with_the_text(
    smollm2_file: Path, tmp_path: Path, ragcli: Run, corpus: Path
) -> None:
    ragcli("index", corpus, "--no-encoder")
    file = without_template(smollm2_file, tmp_path)
    generator = open_model(str(file))
    assert (generator.name, generator.instructed, generator.context) == ("base", False, 8192)
    [written] = ragcli("ask", "Is it?", "--template", own_file(tmp_path), "--model", file, "--format", "json").objects()
    assert written["answer"].startswith("Paris")
    os.truncate(file, 60_000_000)
    assert_two_lines(ragcli("generate", "x", "--model", file), ExitCode.ERROR, "not within the file bounds", "again")


def without_template(file: Path, folder: Path) -> Path:
    base = folder / "base"  # as in Ollama's folders, a file's name has no ending
    base.write_bytes(file.read_bytes().replace(b"tokenizer.chat_template", b"tokenizer.chat_temp1ate"))
    return base


def own_file(tmp_path: Path) -> Path:
    path = tmp_path / "capital.jinja"
    path.write_text("---\npassages: optional\n---\nThe capital of France is")
    return path


@pytest.mark.skipif(not importlib.util.find_spec("xllamacpp"), reason="needs the package xllamacpp")
def test_a_model_that_is_larger_than_the_memory_is_refused(ragcli: Run, tmp_path: Path) -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for part in (1, 2):
        os.truncate(write_gguf(tmp_path / f"large-0000{part}-of-00002.gguf"), memory // 2 + 2**30)
    first = tmp_path / "large-00001-of-00002.gguf"
    size, room = f"{(memory // 2 + 2**30) * 2 / 1e9:.0f} GB", f"the memory {memory / 1e9:.0f} GB"
    assert_two_lines(ragcli("generate", "x", "--model", first), ExitCode.ERROR, "large-00001-of-00002.gguf", size, room)


@pytest.mark.skipif(not importlib.util.find_spec("xllamacpp"), reason="needs the package xllamacpp")
def test_a_model_that_does_not_write_is_refused(ragcli: Run, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "encoder.gguf", {"llama.pooling_type": 1})
    assert_two_lines(ragcli("generate", "x", "--model", file), ExitCode.ERROR, "not a language model", "--encoder")


@pytest.mark.skipif(not importlib.util.find_spec("xllamacpp"), reason="needs the package xllamacpp")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello", "is not a GGUF file"),
        (b"GGUF" + bytes(100), "cannot load"),
        (None, "cannot read"),
    ],
)
def test_a_file_that_is_no_model_is_named(ragcli: Run, tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "bad.gguf"
    if content is not None:
        file.write_bytes(content)
    assert_two_lines(ragcli("generate", "x", "--model", file), ExitCode.ERROR, words, "bad.gguf")


@pytest.mark.usefixtures("smollm2")
@pytest.mark.parametrize("seconds", [1.0, 6.0])
def test_ctrl_c_ends_llama_cpp_at_once(seconds: float) -> None:
    line = command("generate", "word" + " word" * 1500, "--model", "smollm2", "--max-new-tokens", "500")
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment({}))
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (ExitCode.INTERRUPTED, b"")
