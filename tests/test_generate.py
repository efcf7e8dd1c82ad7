"""Generate with a scripted engine, and with a tiny random GPT-2 on both real ones."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from ragcli.decoder.sampling import Sampling
from ragcli.decoder.transformers_model import TransformersModel, _place
from ragcli.errors import ExitCode, RagcliError
from ragcli.generate import (
    Completion,
    LanguageModel,
    Options,
    complete,
    count_tokens,
    new_seed,
    open_language_model,
)
from ragcli.generate.detokenize import Detokenizer, StopFilter
from ragcli.models import ModelFolder

GREEDY = Sampling(temperature=0, no_repeat_ngram_size=0)
TEXTS = [
    "Once upon a time there was a function.",
    "The cat sat on the mat. 列表推导式很方便。",
    "Ça va? Привет! 🙂👩‍🚀",
]
CONTEXT = 64


class FakeEngine:
    """Write a script, byte by byte; where that is forbidden, the letter z."""

    def __init__(self, script: str | bytes, context: int = 1000, end_ids: frozenset[int] = frozenset({0})) -> None:
        self.name, self.context, self.end_ids = "fake", context, end_ids
        self.script = script if isinstance(script, bytes) else script.encode()
        self.at = 0
        self.steps: list[list[int]] = []

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(ids).decode(errors="replace")

    def prefill(self, prompt_ids: Sequence[int], rows: int) -> NDArray[np.float32]:
        self.at = 0
        self.steps = [list(prompt_ids)]
        return self.logits(rows)

    def step(self, token_ids: Sequence[int]) -> NDArray[np.float32]:
        self.steps.append(list(token_ids))
        self.at += 1
        return self.logits(len(token_ids))

    def log_probabilities(self, ids: Sequence[int], start: int) -> NDArray[np.float32]:
        raise NotImplementedError

    def logits(self, rows: int) -> NDArray[np.float32]:
        logits = np.zeros((rows, 256), dtype=np.float32)
        logits[:, ord("z")] = 50
        logits[:, self.script[self.at % len(self.script)]] = 100
        return logits


def write(
    engine: LanguageModel, prompt: str = "p", emit: Callable[[str], None] | None = None, **options: Any
) -> Completion:
    """Complete greedily with one row."""
    return complete(engine, prompt, Options(**{"sampling": GREEDY, **options}), emit)[0]


# The loop, with the scripted engine


def test_an_end_token_ends_and_is_no_part_of_the_text() -> None:
    assert write(FakeEngine("Yes.\0and more")) == Completion("Yes.", 4, "end")


def test_the_number_of_tokens_ends() -> None:
    engine = FakeEngine("abcdef")
    assert write(engine, max_new_tokens=4) == Completion("abcd", 4, "length")
    assert engine.steps == [[ord("p")], [ord("a")], [ord("b")], [ord("c")]]


def test_one_token_needs_no_step_and_none_needs_no_engine() -> None:
    engine = FakeEngine("abc")
    assert write(engine, max_new_tokens=1) == Completion("a", 1, "length") and len(engine.steps) == 1
    assert write(FakeEngine("abc"), max_new_tokens=0) == Completion("", 0, "length")


@pytest.mark.parametrize(("new", "ended"), [(3, "length"), (4, "context"), (99, "context")])
def test_the_context_ends(new: int, ended: str) -> None:
    assert write(FakeEngine("abcdef", context=10), "seven!!", max_new_tokens=new) == Completion("abc", 3, ended)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [10, 11, 5000])
def test_a_prompt_that_fills_the_context_is_refused(length: int) -> None:
    with pytest.raises(RagcliError, match=rf"{length} tokens.* 10 ") as caught:
        write(FakeEngine("abc", context=10), "p" * length)
    assert "Shorten" in caught.value.hint


def test_an_empty_prompt_begins_with_the_end_token_or_is_refused() -> None:
    engine = FakeEngine("a\0", end_ids=frozenset({7, 0}))
    assert write(engine, "").text == "a" and engine.steps[0] == [0]
    with pytest.raises(RagcliError, match="prompt is empty"):
        write(FakeEngine("abc", end_ids=frozenset()), "")


def test_bytes_that_are_no_text_become_a_replacement() -> None:
    engine = FakeEngine("a\0")
    write(engine, "p\udcff\ud800")
    assert bytes(engine.steps[0]).decode() == "p\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd"
    assert count_tokens(engine, "\udcff") == len(b"\xef\xbf\xbd") * 3


def test_an_ngram_of_the_prompt_may_come_once_more() -> None:
    sampling = Sampling(temperature=0, no_repeat_ngram_size=2)
    assert write(FakeEngine("ab-ab"), "ab ab ab ", sampling=sampling, max_new_tokens=5).text == "ab-az"


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (("\n\n",), Completion("one\ntwo", 9, "stop")),
        (("\n",), Completion("one", 4, "stop")),
        (("three", "wo"), Completion("one\nt", 7, "stop")),
        (("o",), Completion("", 1, "stop")),
        (("absent", ""), Completion("one\ntwo\n\nthree", 14, "end")),
        (("three!",), Completion("one\ntwo\n\nthree", 14, "end")),
    ],
)
def test_a_stop_string_ends_and_no_part_of_it_is_told(stop: tuple[str, ...], expected: Completion) -> None:
    pieces: list[str] = []
    assert write(FakeEngine("one\ntwo\n\nthree\0"), emit=pieces.append, stop=stop) == expected
    assert "".join(pieces) == expected.text and all(pieces)


def test_pieces_are_whole_characters_as_early_as_they_can_be() -> None:
    pieces: list[str] = []
    text = "naïve 列表 🙂"
    assert write(FakeEngine(f"{text}\0"), emit=pieces.append).text == text
    assert pieces == list(text)


def test_half_a_character_at_the_end_is_told_as_a_replacement() -> None:
    pieces: list[str] = []
    assert write(FakeEngine("a🙂"), emit=pieces.append, max_new_tokens=3) == Completion("a\ufffd", 3, "length")
    assert pieces == ["a", "\ufffd"]


def test_what_was_held_back_is_told_when_the_first_row_ends_not_when_all_do() -> None:
    told: list[tuple[str, int]] = []

    class TwoRows(FakeEngine):
        def logits(self, rows: int) -> NDArray[np.float32]:
            logits = super().logits(rows)
            if self.at == 1:
                logits[0, 0] = 200  # the first row ends, with "<" held back
            return logits

    engine = TwoRows("<bcdef")
    rows = complete(
        engine, "p", Options(6, GREEDY, rows=2, stop=("<end>",)), lambda text: told.append((text, engine.at))
    )
    assert rows == [Completion("<", 1, "end"), Completion("<bcdef", 6, "length")]
    assert told == [("<", 1)]


def test_weights_that_are_no_numbers_are_refused() -> None:
    class Broken(FakeEngine):
        def logits(self, rows: int) -> NDArray[np.float32]:
            return np.full((rows, 256), np.nan, dtype=np.float32)

    with pytest.raises(RagcliError, match="damaged"):
        write(Broken("a"))


def test_new_seeds_differ_and_are_short() -> None:
    seeds = {new_seed() for _ in range(50)}
    assert len(seeds) > 40 and all(0 <= seed < 10**9 for seed in seeds)


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3), st.data())
def test_stop_filter_cuts_where_the_first_complete_stop_begins(
    text: str, stops: list[str], data: st.DataObject
) -> None:
    stop_filter, told = StopFilter(stops), ""
    for letter in text:
        told += stop_filter.add(letter)
        if stop_filter.stopped:
            break
    told += stop_filter.flush()
    ends = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    first = min(ends, default=None)
    cut = min(at for end, at in ends if end == first[0]) if first else len(text)
    assert told == text[:cut] and stop_filter.stopped == bool(ends)


# Streams of real tokenizers


def byte_level() -> Tokenizer:
    """Train a byte-level BPE tokenizer as GPT-2 has it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def sentencepiece_like() -> Tokenizer:
    """Train a tokenizer as Llama has it: blanks as ▁, bytes for unknown characters, the first blank dropped."""
    tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token=tokens[0], fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=tokens, initial_alphabet=list("▁abc"))
    tokenizer.train_from_iterator(TEXTS[:1], trainer)
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = []  # the bytes are plain tokens
    return Tokenizer.from_str(json.dumps(state))


TOKENIZERS = {"byte-level": byte_level(), "sentencepiece": sentencepiece_like()}
texts = st.text(st.one_of(st.sampled_from("ab c."), st.sampled_from("é列🙂👩\u200d🚀\ufffd")), max_size=25)


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(deadline=None)
@given(text=texts, data=st.data())
def test_pieces_make_the_text_that_follows_the_prompt(kind: str, text: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[kind]
    ids = tokenizer.encode(text).ids
    split = data.draw(st.integers(0, len(ids)))
    prompt, whole = tokenizer.decode(ids[:split]), tokenizer.decode(ids)
    assume(whole.startswith(prompt) and not prompt.endswith("\ufffd"))  # a prompt is whole characters
    detokenizer = Detokenizer(tokenizer.decode, ids[:split])
    pieces = [detokenizer.add(token) for token in ids[split:]]
    assert "".join([*pieces, detokenizer.flush()]) == whole[len(prompt) :]
    assert "\ufffd" in text or not any("\ufffd" in piece for piece in pieces)


@given(st.lists(st.integers(1, 299), max_size=40))
def test_pieces_of_any_tokens_make_what_they_decode_to_at_once(ids: list[int]) -> None:
    tokenizer = TOKENIZERS["byte-level"]
    detokenizer = Detokenizer(tokenizer.decode, [])
    assert "".join([*map(detokenizer.add, ids), detokenizer.flush()]) == tokenizer.decode(ids)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_blank_after_the_prompt_is_kept(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    before, whole = tokenizer.encode("Once").ids, tokenizer.encode("Once upon a time").ids
    detokenizer = Detokenizer(tokenizer.decode, before)
    assert "".join(map(detokenizer.add, whole[len(before) :])) == " upon a time"


def test_streaming_decodes_each_token_a_few_times_only() -> None:
    tokenizer, decoded = TOKENIZERS["byte-level"], 0

    def decode(ids: Sequence[int]) -> str:
        nonlocal decoded
        decoded += len(ids)
        return tokenizer.decode(ids)

    ids = tokenizer.encode(" ".join(TEXTS) * 50).ids
    detokenizer = Detokenizer(decode, [])
    for token in ids:
        detokenizer.add(token)
    assert decoded < 10 * len(ids)


# Both engines, with a tiny random model

ENGINES: dict[str, Callable[[ModelFolder], LanguageModel]] = {
    "transformers": TransformersModel,
    "gpt2": lambda folder: open_language_model(folder, "float32"),
}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a GPT-2 of 2 layers and 64 positions, random weights, its own tokenizer."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=300,
        n_positions=CONTEXT,
        n_embd=32,
        n_layer=2,
        n_head=2,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    byte_level().save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session", params=ENGINES)
def open_as(request: pytest.FixtureRequest) -> Callable[[ModelFolder], LanguageModel]:
    """Return how to open one of the engines."""
    return ENGINES[request.param]


@pytest.fixture(scope="session")
def engine(tiny: Path, open_as: Callable[[ModelFolder], LanguageModel]) -> LanguageModel:
    return open_as(ModelFolder("tiny", tiny))


def reference(folder: Path, ids: list[int], new: int) -> list[int]:
    """Return what transformers itself generates greedily, end token included."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    output = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=new, pad_token_id=0)
    return list(output[0, len(ids) :].tolist())


@pytest.mark.parametrize("prompt", TEXTS)
def test_greedy_is_what_transformers_generates(engine: LanguageModel, tiny: Path, prompt: str) -> None:
    ids = engine.encode(prompt)[-10:]
    expected = reference(tiny, ids, 50)
    ours = [int(engine.prefill(ids, 1).argmax())]
    while len(ours) < len(expected):
        ours.append(int(engine.step(ours[-1:]).argmax()))
    assert ours == expected


def test_text_is_what_transformers_generates(engine: LanguageModel, tiny: Path) -> None:
    expected = reference(tiny, engine.encode("Once upon a time"), 40)
    completion = write(engine, "Once upon a time", max_new_tokens=40)
    assert completion.text == engine.decode(expected)
    assert completion.tokens == len(expected) - expected.count(0)


def test_logits_of_cached_steps_are_those_of_one_pass(engine: LanguageModel) -> None:
    ids = engine.encode(TEXTS[0])
    whole = engine.prefill(ids, 2)
    engine.prefill(ids[:3], 2)
    for token in ids[3:]:
        stepped = engine.step([token, token])
    assert whole.shape == stepped.shape == (2, 300) and stepped.dtype == np.float32
    np.testing.assert_allclose(stepped, whole, atol=1e-4)


def test_log_probabilities_are_those_of_transformers(engine: LanguageModel, tiny: Path) -> None:
    ids = (engine.encode(" ".join(TEXTS)) * 2)[:CONTEXT]
    model: Any = AutoModelForCausalLM.from_pretrained(tiny)
    with torch.inference_mode():
        expected = model(torch.tensor([ids])).logits[0, :-1].log_softmax(-1)[range(len(ids) - 1), ids[1:]]
    for start in (1, 5, len(ids) - 1, len(ids)):
        ours = engine.log_probabilities(ids, start)
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, expected[start - 1 :], atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_what_the_cpu_gives(tiny: Path) -> None:
    ours, exact = (
        TransformersModel(ModelFolder("tiny", tiny)),
        open_language_model(ModelFolder("tiny", tiny), "float32"),
    )
    assert ours._model.device.type == "cuda"
    ids = exact.encode(TEXTS[0])
    np.testing.assert_allclose(ours.prefill(ids, 2), exact.prefill(ids, 2), atol=1e-3)
    np.testing.assert_allclose(ours.step([5, 6]), exact.step([5, 6]), atol=1e-3)
    np.testing.assert_allclose(ours.log_probabilities(ids, 1), exact.log_probabilities(ids, 1), atol=1e-3)


def test_a_model_too_large_for_the_gpu_is_named(tiny: Path) -> None:
    class Large:
        def to(self, _: str) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")

    with pytest.raises(RagcliError, match="cannot load tiny onto the GPU: CUDA out of memory"):
        _place(Large(), ModelFolder("tiny", tiny))


def test_same_seed_same_text_and_another_seed_another(engine: LanguageModel) -> None:
    first, again, other = (complete(engine, "Once", Options(20, seed=seed))[0].text for seed in (1, 1, 2))
    assert first == again != other


def test_a_row_does_not_depend_on_the_number_of_rows(engine: LanguageModel) -> None:
    few, many = (complete(engine, "Once", Options(20, seed=3, rows=rows)) for rows in (2, 5))
    assert many[:2] == few
    assert len({completion.text for completion in many}) == 5


def test_only_the_first_row_is_told(engine: LanguageModel) -> None:
    pieces: list[str] = []
    rows = complete(engine, "列表", Options(40, seed=3, rows=3), pieces.append)
    assert "".join(pieces) == rows[0].text


def test_the_context_can_be_filled_to_the_last_position(
    tiny: Path, open_as: Callable[[ModelFolder], LanguageModel]
) -> None:
    engine = open_as(ModelFolder("endless", tiny))
    engine.end_ids = frozenset()
    prompt = "a" * (CONTEXT - 5)
    assert engine.context == CONTEXT and count_tokens(engine, prompt) == CONTEXT - 5
    assert write(engine, prompt, max_new_tokens=5)[1:3] == (5, "length")
    assert write(engine, prompt, max_new_tokens=6)[1:3] == (5, "context")
    assert write(engine, prompt + "a" * 4)[1:3] == (1, "context")
    with pytest.raises(RagcliError, match=rf"{CONTEXT} tokens"):
        write(engine, prompt + "a" * 5)


def test_an_empty_prompt_continues_the_end_of_text(engine: LanguageModel) -> None:
    assert engine.end_ids == {0}
    assert write(engine, "").text == write(engine, "<|endoftext|>").text


def change_config(**updates: object) -> Callable[[Path], None]:
    """Return a function that changes a folder's config.json."""

    def update(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **updates}))

    return update


def lose_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def cut_weights(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-1])


def grow_tokenizer(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"word{i}" for i in range(40)])
    tokenizer.save(str(folder / "tokenizer.json"))


def damage_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")


def nonsense_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text("[")


REMOTE_CODE = {"model_type": "own", "auto_map": {"AutoConfig": "c.Config", "AutoModelForCausalLM": "m.Model"}}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (change_config(architectures=["BertForMaskedLM"]), "not a causal language model but BertForMaskedLM"),
        (change_config(model_type="t5", architectures=None), "cannot load"),
        (change_config(model_type="nonesuch"), "cannot load"),
        (change_config(**REMOTE_CODE), "custom code"),
        (change_config(n_head="two"), "cannot load"),
        (change_config(n_head=0), "cannot load"),
        (change_config(activation_function="none"), "cannot load"),
        (change_config(n_layer=3), "lacks 12 of its tensors"),
        (change_config(n_embd=64), "does not have the size of config.json"),
        (lose_tensor, "lacks 1 of its tensors, such as transformer.h.1.mlp.c_fc.weight"),
        (cut_weights, "cannot load"),
        (grow_tokenizer, "tokens, its embedding only 300"),
        (damage_tokenizer, "tokenizer.json is damaged"),
        (nonsense_tokenizer, "cannot load the tokenizer"),
    ],
)
def test_a_folder_that_cannot_run_is_refused(
    tiny: Path,
    tmp_path: Path,
    open_as: Callable[[ModelFolder], LanguageModel],
    damage: Callable[[Path], None],
    words: str,
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    damage(folder)
    with pytest.raises(RagcliError) as caught:
        open_as(ModelFolder("broken", folder))
    assert words in caught.value.message and caught.value.hint and "\n" not in caught.value.message
    assert caught.value.exit_code == ExitCode.ERROR


def test_a_tokenizer_is_taken_as_it_is(
    tiny: Path, tmp_path: Path, open_as: Callable[[ModelFolder], LanguageModel]
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    digits = pre_tokenizers.Digits(individual_digits=True)  # transformers' GPT-2 tokenizer would drop it
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.enable_truncation(5)
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    text = "The cat sat on 12 mats and a mat"
    assert open_as(ModelFolder("own", folder)).encode(text) == tokenizer.encode(text).ids


def test_a_tokenizer_in_the_old_files_is_converted(
    tiny: Path, tmp_path: Path, engine: LanguageModel, open_as: Callable[[ModelFolder], LanguageModel]
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    (folder / "merges.txt").write_text("\n".join(" ".join(merge) for merge in model["merges"]))
    assert open_as(ModelFolder("old", folder)).encode(TEXTS[1]) == engine.encode(TEXTS[1])


def run_python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, from the root of the repository."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_library_keeps_quiet(tiny: Path) -> None:
    program = """
import sys
from pathlib import Path
from ragcli.generate import Options, complete, open_language_model
from ragcli.models import ModelFolder
assert not {"torch", "transformers"} & set(sys.modules)
complete(open_language_model(ModelFolder("tiny", Path(sys.argv[1]))), "a " * 20, Options(100))
"""
    done = run_python(program, str(tiny))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_missing_library_is_named() -> None:
    program = """
import sys
sys.modules["torch"] = None
from pathlib import Path
from ragcli.errors import RagcliError
from ragcli.generate import open_language_model
from ragcli.models import ModelFolder
try:
    open_language_model(ModelFolder("tiny", Path(".")))
except RagcliError as error:
    print(error.message, error.hint)
"""
    done = run_python(program)
    assert "not a GPT-2 and needs the package torch" in done.stdout and "pip install" in done.stdout, done.stderr
