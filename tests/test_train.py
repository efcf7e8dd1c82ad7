"""Training as a command: a model that every command finds, the same after a kill, and what it refuses."""

import json
import math
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from ragcli.callbacks import Callbacks
from ragcli.errors import RagcliError
from ragcli.generate import open_language_model
from ragcli.models import find_model, trained_folder
from ragcli.settings import data_home
from ragcli.store import LOCAL, IndexLocation
from ragcli.train.checkpoint import lock_folder
from ragcli.train.config import TrainConfig
from ragcli.train.data import END
from ragcli.train.loop import StepReport
from ragcli.train.model import open_model, write_model
from ragcli.train.prepare import Passages, prepare
from ragcli.train.run import run
from tests.support import ROOT, Run, assert_two_lines, command, environment, run_process, write_lines
from tests.tiny_gpt2 import ANIMALS, CONTEXT, sentences

pytestmark = pytest.mark.usefixtures("one_thread")


def options(model: Path, *more: str) -> list[str]:
    """Return the options of a training of a second or two."""
    fast = ["--no-compile", "--batch-size", "2", "--context", "32", "--learning-rate", "0.01"]
    return ["--model", str(model), *fast, *(more or ("--max-steps", "6"))]


def trained(name: str) -> dict[str, Any]:
    """Read what a training tells of itself."""
    told: dict[str, Any] = json.loads((home() / name / "training.json").read_text())
    return told


def home() -> Path:
    return data_home() / "models"


# The command


def test_a_trained_model_has_learnt_and_is_found_by_its_name(ragcli: Run, tiny: Path, texts: Path) -> None:
    result = ragcli("train", texts, "--output", "farm", *options(tiny, "--epochs", "4"), "--format", "json")
    [done] = result.objects()
    assert result.code == 0 and done["after"] < 0.8 * done["before"]
    folder = home() / "farm"
    told = trained("farm")
    assert told["held_out_bits_per_byte"] == {"before": done["before"], "after": done["after"]}
    assert told["command"].startswith("ragcli train ") and told["settings"]["--seed"] == 0
    assert len(told["data"]["texts.jsonl"]) == 64 and told["step"] == done["steps"] == told["curve"][-1]["step"]
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert not {path.name for path in folder.iterdir()} & {"unfinished", "training.safetensors"}
    assert len((folder / "held_out.jsonl").read_text().splitlines()) == told["texts"]["held_out"] == 2

    written = ragcli("generate", "The fox", "--model", "farm", "--max-new-tokens", "5", "--format", "json")
    assert written.code == 0 and written.objects()[0]["model"] == "farm"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("The fox of house 1").input_ids
    assert ids == Tokenizer.from_file(str(tiny / "tokenizer.json")).encode("The fox of house 1").ids
    engine = open_language_model(find_model("farm", allow_fallback=False), "float32")
    with torch.no_grad():
        assert np.allclose(model(torch.tensor([ids])).logits[0, -1], engine.prefill(ids, 1)[0], atol=1e-3)


def test_a_folder_comes_before_a_trained_name_and_that_before_the_hub(
    ragcli: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(open_model(find_model(str(tiny), allow_fallback=False), 0.0), home() / "gpt3")
    assert find_model("gpt3", allow_fallback=False).path == home() / "gpt3"
    monkeypatch.chdir(tmp_path)
    write_model(open_model(find_model(str(tiny), allow_fallback=False), 0.0), tmp_path / "gpt3")
    assert find_model("gpt3", allow_fallback=False).path == Path("gpt3")


def test_questions_are_learnt_with_passages(ragcli: Run, tiny: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "documents.jsonl", *({"id": f"d{n}", "text": sentences(n)} for n in range(12)))
    questions = [{"id": f"q{n}", "question": f"Who sleeps in house {n}?", "doc_id": f"d{n}"} for n in range(12)]
    lines = [{**question, "answers": [ANIMALS[n % 8]]} for n, question in enumerate(questions)]
    asked = write_lines(tmp_path / "qa.jsonl", *lines)
    more = ("--max-steps", "4", "--format", "json", "--context", str(CONTEXT))
    [done] = ragcli("train", asked, "--output", "asked", *options(tiny, *more)).objects()
    told = trained("asked")["texts"]
    assert (told["documents"], told["held_out"], told["left_out"]) == (11, 1, 0)
    assert done["before"] > done["after"] > 0


def test_a_new_model_and_an_extended_one(ragcli: Run, texts: Path, tmp_path: Path) -> None:
    size = ("--layers", "2", "--heads", "2", "--width", "16", "--vocabulary", "300", "--context", "32")
    new = ragcli("train", texts, "--output", "new", "--from-scratch", *size, "--no-compile", "--max-steps", "5")
    assert new.code == 0
    chinese = write_lines(
        tmp_path / "zh.jsonl", *({"text": f"列表推导式{n}是处理序列中元素的紧凑方法。"} for n in range(20))
    )
    more = ("--extend-vocabulary", "30", "--max-steps", "5", "--format", "json")
    [done] = ragcli("train", chinese, "--output", "zh", *options(home() / "new", *more)).objects()
    assert done["tokens_per_character"] < 0.6 * done["unextended"]["tokens_per_character"]
    config = json.loads((home() / "zh" / "config.json").read_bytes())
    assert (config["vocab_size"], config["n_layer"], config["n_positions"]) == (330, 2, 32)
    assert ragcli("generate", "列表", "--model", "zh", "--max-new-tokens", "3").code == 0


def test_a_dry_run_writes_nothing_and_says_what_the_data_are(ragcli: Run, tiny: Path, tmp_path: Path) -> None:
    lines = [{"id": str(n), "text": sentences(n)} for n in range(10)]
    path = write_lines(tmp_path / "a.jsonl", *lines, {"id": "again", "text": sentences(3)}, b"{}")
    result = ragcli("train", path, "--dry-run", *options(tiny, "--epochs", "2"), "--format", "json")
    [told] = result.objects()
    assert (told["documents"], told["held_out"], told["duplicates"], told["rejected"]) == (9, 1, 1, 1)
    assert told["tokens"] > told["longest"] > 32 and told["cut"] == 1.0 and told["seconds"] > 0
    assert told["steps"] == told["rows"]  # two epochs of batches of two
    assert 1 < told["tokens_per_word"] < 3 and 0 <= told["badly_split"] < 1
    assert not home().exists()
    assert "words split badly" in ragcli("train", path, "--dry-run", *options(tiny)).out
    assert "stands in" not in ragcli("train", path, "--dry-run", "--context", "32", "--batch-size", "2").err


def test_a_recipe_names_files_and_options(
    ragcli: Run, tiny: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "recipe.toml"
    lines = ['files = ["texts.jsonl"]', f'model = "{tiny}"', "max-steps = 2", "compile = false", "context_length = 32"]
    recipe.write_text("\n".join(["[train]", *lines]))
    monkeypatch.setenv("RAGCLI_CONFIG", str(recipe))
    monkeypatch.chdir(tmp_path)
    assert ragcli("train", "--output", "cooked").code == 0
    assert trained("cooked")["step"] == 2


# Interrupted


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("text", "openstax/documents.jsonl.gz"), ("cloze", "small-text"),
        ("answers", "small-cloze"), ("both", "small-mean"),
    ],
)  # fmt: skip
def test_the_packages_recipes_are_settings(
    ragcli: Run, monkeypatch: pytest.MonkeyPatch, name: str, missing: str
) -> None:
    """Without their data they get as far as the first file, or the model that the one before makes."""
    monkeypatch.setenv("RAGCLI_CONFIG", str(ROOT / "recipes" / "small_gpt2" / f"{name}.toml"))
    assert missing in ragcli("train", "--output", "x").err


def weights(name: str) -> dict[str, torch.Tensor]:
    return load_file(home() / name / "model.safetensors")


# Kills itself in its second checkpoint, when the state of the training has its place and the model has not.
SELF_KILLING = """
import os, signal, sys
left = 10
def audit(event, arguments):
    global left
    if event == "os.rename" and os.environ["RAGCLI_HOME"] in str(arguments[0]):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(audit)
from ragcli.cli import main
sys.exit(main())
"""


def start(*arguments: str, itself: bool) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-c", SELF_KILLING, "train"] if itself else command("train")
    return subprocess.Popen([*words, *arguments], env=environment({}), stderr=subprocess.PIPE, stdout=subprocess.PIPE)


def wait_for_line(process: "subprocess.Popen[bytes]", beginning: bytes) -> None:
    assert process.stderr
    seen = b""
    for line in process.stderr:
        seen += line
        if line.startswith(beginning):
            return
    raise AssertionError(seen)


LONG = ("--max-steps", "120", "--dropout", "0.1", "--save-minutes", "0.005")


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGINT, None])
def test_a_training_that_was_stopped_goes_on_to_the_same_loss(
    ragcli: Run, tiny: Path, texts: Path, way: signal.Signals | None
) -> None:
    process = start(str(texts), "--output", "stopped", *options(tiny, *LONG), itself=way is None)
    if way:
        wait_for_line(process, b"step ")
        process.send_signal(way)
    out, err = process.communicate(timeout=60)
    assert process.returncode == (130 if way == signal.SIGINT else -signal.SIGKILL) and out == b""
    assert (b"continue with --resume" in err) == (way == signal.SIGINT)
    assert ragcli("generate", "The", "--model", "stopped", "--max-new-tokens", "2").code == 0

    resumed = ragcli("train", texts, "--output", "stopped", "--resume", *options(tiny, *LONG), "--format", "json")
    ragcli("train", texts, "--output", "whole", *options(tiny, *LONG))
    after = trained("whole")["held_out_bits_per_byte"]
    assert resumed.code == 0 and trained("stopped")["step"] == 120
    assert trained("stopped")["held_out_bits_per_byte"]["after"] == pytest.approx(after["after"], rel=0.001)
    assert after["after"] < 0.9 * after["before"]
    for name, tensor in weights("whole").items():
        assert torch.allclose(weights("stopped")[name], tensor, atol=1e-3), name
    assert_two_lines(
        ragcli("train", texts, "--output", "stopped", "--resume", *options(tiny, *LONG)), 2, "no training to resume"
    )


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(ragcli: Run, tiny: Path, texts: Path) -> None:
    result = ragcli("train", texts, "--output", "begun", *options(tiny, "--learning-rate", "1e30"))
    assert result.code == 1 and "the loss is not finite in step 2" in result.err and "--learning-rate" in result.err
    assert all(torch.isfinite(tensor).all() for tensor in weights("begun").values())
    assert (home() / "begun" / "training.safetensors").is_file()
    assert ragcli("generate", "The", "--model", "begun", "--max-new-tokens", "2").code == 0


@pytest.fixture
def begun(tiny: Path, texts: Path) -> Path:
    """Leave a training of six steps after its third, by Ctrl-C."""

    def press(report: StepReport) -> None:
        if report.step == 3:
            signal.raise_signal(signal.SIGINT)

    plan = TrainConfig((texts,), context=32, batch=2, rate=0.01, steps=6, compile=False)
    passages = Passages(IndexLocation(LOCAL, "x", texts.parent))
    folder = find_model(str(tiny), allow_fallback=False)
    done = run(plan, folder, passages, home() / "begun", callbacks=Callbacks(press))
    assert (done.interrupted, done.steps) == (True, 3)
    return home() / "begun"


def test_other_data_or_settings_are_not_resumed(
    ragcli: Run, tiny: Path, texts: Path, begun: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in begun.iterdir()}
    more = ("--seed", "5", "--max-steps", "7")
    result = ragcli("train", texts, "--output", "begun", "--resume", *options(tiny, *more))
    assert_two_lines(result, 2, "--seed 0 → 5", "--max-steps 6 → 7", "rows ")
    assert "texts.jsonl" not in result.err
    other = write_model_copy(tiny, tmp_path / "other")
    assert_two_lines(ragcli("train", texts, "--output", "begun", "--resume", *options(other)), 2, "model.safetensors ")
    write_lines(texts, *({"id": f"t{n}", "text": sentences(n + 1)} for n in range(40)))
    changed = ragcli("train", texts, "--output", "begun", "--resume", *options(tiny))
    assert_two_lines(changed, 2, "texts.jsonl ", "rows ")
    assert {path: path.stat().st_mtime_ns for path in begun.iterdir()} == before


def write_model_copy(model: Path, folder: Path) -> Path:
    """Write a model that differs in one weight."""
    opened = open_model(find_model(str(model), allow_fallback=False), 0.0)
    with torch.no_grad():
        opened.model.transformer.wpe.weight[0, 0] += 1
    write_model(opened, folder)
    return folder


def small_files() -> None:
    """Let no file of this process grow beyond 30 kB: the model has 60, a checkpoint three times as much."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))


def test_a_full_disk_is_an_error_and_the_last_checkpoint_stays_good(
    ragcli: Run, tiny: Path, texts: Path, begun: Path
) -> None:
    before = {path.name: path.read_bytes() for path in begun.iterdir()}
    result = run_process("train", texts, "--output", "begun", "--resume", *options(tiny), preexec_fn=small_files)
    assert result.code == 1 and "cannot write the checkpoint" in result.err and "add --resume" in result.err
    assert {path.name: path.read_bytes() for path in begun.iterdir()} == before
    assert ragcli("train", texts, "--output", "begun", "--resume", *options(tiny)).code == 0
    assert trained("begun")["step"] == 6


def test_minutes_end_a_training(ragcli: Run, tiny: Path, texts: Path) -> None:
    started = time.monotonic()
    assert ragcli("train", texts, "--output", "short", *options(tiny, "--max-minutes", "0.02")).code == 0
    assert trained("short")["step"] > 1 and trained("short")["seconds"] == pytest.approx(1.2, abs=1)
    assert time.monotonic() - started < 30


# Bad input


def no_gpt2(folder: Path, tiny: Path) -> Path:
    write_model(open_model(find_model(str(tiny), allow_fallback=False), 0.0), folder)
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "llama"}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


Mistake = Callable[[Path, Path], list[str]]
MISTAKES: dict[str, tuple[Mistake, int, str]] = {
    "no such file": (lambda tmp, tiny: ["nowhere.jsonl"], 1, "no such file"),
    "standard input": (lambda tmp, tiny: ["-"], 2, "standard input"),
    "empty file": (lambda tmp, tiny: [write(tmp, "")], 1, "contain no text"),
    "blank file": (lambda tmp, tiny: [write(tmp, " \n\n")], 1, "contain no text"),
    "one document": (lambda tmp, tiny: [write(tmp, "One line.")], 2, "none is left for validation"),
    "all nearly held out": (lambda tmp, tiny: [write(tmp, f"a b c d e f{END}a b c d e F ")], 2, "no document is left"),
    "not UTF-8": (lambda tmp, tiny: [write(tmp, b"caf\xe9 \xff")], 1, "cannot read"),
    "no GPT-2": (lambda tmp, tiny: [write(tmp), "--model", str(no_gpt2(tmp / "l", tiny))], 1, "model_type gpt2"),
    "no model": (lambda tmp, tiny: [write(tmp), "--model", "no/such/one/here"], 1, "no folder"),
    "long context": (lambda tmp, tiny: [write(tmp), "--context", "1000"], 2, "longer than the model's"),
    "short context": (lambda tmp, tiny: [write(tmp), "--context", "1"], 2, "too short to predict"),
    "heads": (lambda tmp, tiny: [write(tmp), "--from-scratch", "--width", "10"], 2, "not a multiple"),
    "nothing to join": (
        lambda tmp, tiny: [write(tmp, f"1{END}2"), "--extend-vocabulary", "5"],
        1,
        "no word that the tokenizer splits",
    ),
    "default's name": (lambda tmp, tiny: [write(tmp), "--output", "gpt2"], 2, "default model's name"),
    "no name": (lambda tmp, tiny: [write(tmp), "--output", "a b"], 2, "not a model's name"),
}


def write(folder: Path, content: str | bytes = f"One fox.{END}Two owls.{END}Three cats.") -> str:
    path = folder / "a.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_and_leave_nothing(ragcli: Run, tiny: Path, tmp_path: Path, name: str) -> None:
    words, code, told = MISTAKES[name]
    given = words(tmp_path, tiny)
    output = [] if "--output" in given else ["--output", "x"]
    model = [] if {"--model", "--from-scratch"} & set(given) else ["--model", str(tiny)]
    assert_two_lines(ragcli("train", *given, *output, *model, "--no-compile"), code, told)
    assert not home().exists()


def test_an_output_that_is_there_is_not_overwritten(ragcli: Run, tiny: Path, tmp_path: Path) -> None:
    assert_two_lines(
        ragcli("train", write(tmp_path), "--output", f"{tmp_path}/", *options(tiny)), 2, "exists", "--resume"
    )
    assert_two_lines(ragcli("train", write(tmp_path), *options(tiny)), 2, "no name", "--output")
    result = ragcli("train", write(tmp_path), "--output", "x", "--resume", *options(tiny))
    assert_two_lines(result, 2, "no training to resume")


def test_two_trainings_do_not_write_one_model(ragcli: Run, tiny: Path, texts: Path) -> None:
    with lock_folder(trained_folder("film")):
        assert_two_lines(ragcli("train", texts, "--output", "film", *options(tiny)), 1, "another training", "--output")
    assert ragcli("train", texts, "--output", "film", *options(tiny)).code == 0
    assert sorted(path.name for path in (data_home() / "models").iterdir()) == ["film"]


def test_texts_shorter_than_the_context_and_no_validation(ragcli: Run, tiny: Path, tmp_path: Path) -> None:
    given = [write(tmp_path, "One fox."), "--val-split", "0", "--model", str(tiny), "--no-compile", "--max-steps", "2"]
    [done] = ragcli("train", *given, "--output", str(tmp_path / "out"), "--format", "json").objects()
    assert (done["before"], done["after"], done["steps"]) == (None, None, 2)
    assert find_model(str(tmp_path / "out"), allow_fallback=False)


def test_weights_that_are_no_numbers_are_refused(ragcli: Run, tiny: Path, tmp_path: Path) -> None:
    broken = open_model(find_model(str(tiny), allow_fallback=False), 0.0)
    with torch.no_grad():
        broken.model.transformer.wpe.weight.fill_(math.nan)
    write_model(broken, tmp_path / "broken")
    result = ragcli("train", write(tmp_path), "--output", "x", *options(tmp_path / "broken"))
    assert result.code == 1 and "its weights are damaged" in result.err


def test_a_context_without_room_for_any_question_is_refused(tiny: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "documents.jsonl", *({"id": f"d{n}", "text": sentences(n)} for n in range(2)))
    asked = [{"id": str(n), "question": f"Who {n}?", "answers": ["nobody"], "doc_id": f"d{n}"} for n in range(2)]
    path = write_lines(tmp_path / "qa.jsonl", *asked)
    passages = Passages(IndexLocation(LOCAL, "x", tmp_path))
    folder = find_model(str(tiny), allow_fallback=False)
    with pytest.raises(RagcliError, match="no question has its answer"):
        prepare(TrainConfig((path,)), folder, passages, print)
    write_lines(path, *({**question, "answers": ["sleeps"]} for question in asked))
    assert len(prepare(TrainConfig((path,)), folder, passages, print).training.rows.tokens) == 1
    with pytest.raises(RagcliError, match="no question has its answer"):
        prepare(TrainConfig((path,), context=101), folder, passages, print)
