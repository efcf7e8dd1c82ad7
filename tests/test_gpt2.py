"""Compare GPT-2 on ONNX Runtime with transformers, damage checkpoints and cache, measure what rounding costs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_torch
from safetensors.torch import save_file as save_torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from ragcli.decoder.families import runs_here
from ragcli.decoder.families.gpt2.smoothquant import Block, smooth
from ragcli.decoder.onnx_model import OnnxModel
from ragcli.decoder.sampling import Sampling
from ragcli.decoder.transformers_model import TransformersModel
from ragcli.errors import ExitCode, RagcliError
from ragcli.generate import LanguageModel, Options, Precision, complete, complete_all, open_language_model
from ragcli.models import PACKAGED, ModelFolder
from ragcli.ort import cache
from ragcli.ort.quantization import BLOCK_4, to_4_bits, to_8_bits
from tests.support import ROOT, Run, assert_two_lines, environment, run_process

VOCAB = 300
SHAPES: dict[str, dict[str, Any]] = {
    "small": {"n_embd": 32, "n_layer": 2, "n_head": 2},
    "odd": {"n_embd": 60, "n_layer": 3, "n_head": 5, "n_inner": 100, "layer_norm_epsilon": 1e-3, "vocab_size": 301},
    "wide": {"n_embd": 128, "n_layer": 1, "n_head": 2, "activation_function": "gelu", "scale_attn_weights": False},
    "untied": {"n_embd": 48, "n_layer": 4, "n_head": 4, "tie_word_embeddings": False, "activation_function": "relu"},
    "by layer": {"n_embd": 64, "n_layer": 3, "n_head": 4, "scale_attn_by_inverse_layer_idx": True},
}
PROMPTS = [np.random.default_rng(i).integers(0, VOCAB, n).tolist() for i, n in enumerate((1, 2, 7, 31, 32, 33, 290))]

Notes = list[str]


def write_gpt2(folder: Path, **config: Any) -> Path:
    """Write a random GPT-2, its biases and norms random as well, with the packaged model's tokenizer cut to size."""
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCAB, "n_positions": 300, "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.2}
    model = GPT2LMHeadModel(GPT2Config(**{**sizes, **config}))
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    write_tokenizer(folder, VOCAB)
    return folder


def write_tokenizer(folder: Path, size: int) -> None:
    content = json.loads((PACKAGED / "tokenizer.json").read_text())
    vocabulary = {token: i for token, i in content["model"]["vocab"].items() if i < size}
    content["model"]["vocab"] = vocabulary
    merges = [merge if isinstance(merge, list) else merge.split(" ") for merge in content["model"]["merges"]]
    content["model"]["merges"] = [merge for merge in merges if "".join(merge) in vocabulary]
    (folder / "tokenizer.json").write_text(json.dumps(content))


@pytest.fixture(scope="module", params=SHAPES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gpt2(tmp_path_factory.mktemp("models") / "model", **SHAPES[request.param])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_gpt2(tmp_path / "small", **SHAPES["small"])


def opened(folder: Path, precision: Precision = "float32", notes: Notes | None = None) -> OnnxModel:
    engine = open_language_model(ModelFolder("model", folder), precision, (notes if notes is not None else []).append)
    assert isinstance(engine, OnnxModel)
    return engine


def transformers_logits(folder: Path, ids: Sequence[int]) -> NDArray[np.float32]:
    """Return the logits (tokens, vocab) that transformers gives."""
    return next(logits_of_each(folder, [ids]))


def logits_of_each(folder: Path, prompts: Sequence[Sequence[int]]) -> Iterator[NDArray[np.float32]]:
    network: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for ids in prompts:
        with torch.inference_mode():
            yield np.asarray(network(torch.tensor([list(ids)])).logits[0].numpy())


# Agreement


def check_logits(folder: Path, prompts: Sequence[Sequence[int]]) -> None:
    expected = [logits[-1] for logits in logits_of_each(folder, prompts)]  # all first: threads of both would collide
    engine = opened(folder)
    for ids, logits in zip(prompts, expected, strict=True):
        np.testing.assert_allclose(engine.prefill(ids, 1)[0], logits, atol=1e-3, rtol=0)


def test_logits_are_those_of_transformers(model: Path) -> None:
    check_logits(model, PROMPTS)


@pytest.mark.parametrize("size", ["small", "packaged", "large"])
def test_logits_of_twenty_prompts_are_those_of_transformers(tmp_path: Path, packaged_gpt2: Path, size: str) -> None:
    large = {"n_embd": 256, "n_layer": 8, "n_head": 4, "initializer_range": 0.04}
    sizes = {"small": SHAPES["small"], "large": large}
    folder = write_gpt2(tmp_path / size, **sizes[size]) if size in sizes else packaged_gpt2
    texts = [json.loads(line)["text"] for line in open_sample()[:20]]
    lengths = np.random.default_rng(0).integers(1, 290, len(texts))
    engine = opened(folder)
    prompts = [engine.encode(text)[:length] for text, length in zip(texts, lengths, strict=True)]
    assert len(prompts) == 20 and len(set(map(len, prompts))) > 10
    check_logits(folder, prompts)


def test_steps_give_what_one_pass_gives_in_each_row(model: Path) -> None:
    engine = opened(model)
    ids = PROMPTS[-1]
    expected = transformers_logits(model, ids)
    engine.prefill(ids[:250], 3)  # the buffers grow on the way
    for n in range(250, 290):
        logits = engine.step([ids[n]] * 3)
        np.testing.assert_allclose(logits, np.repeat(expected[n : n + 1], 3, axis=0), atol=1e-3)


def test_rows_that_part_do_not_mix(small: Path) -> None:
    engine = opened(small)
    prompt, ends = PROMPTS[3], ([5, 6, 7], [8, 9, 10])
    engine.prefill(prompt, 2)
    for pair in zip(*ends, strict=True):
        together = engine.step(pair)
    for row, end in enumerate(ends):
        np.testing.assert_allclose(together[row], transformers_logits(small, [*prompt, *end])[-1], atol=1e-3)


def test_greedy_tokens_are_those_of_transformers(model: Path) -> None:
    engine, prompt = opened(model), PROMPTS[2]
    network: Any = AutoModelForCausalLM.from_pretrained(model)
    network.generation_config.eos_token_id = None
    output = network.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=200, pad_token_id=0)
    ours = [int(engine.prefill(prompt, 1).argmax())]
    while len(ours) < 200:
        ours.append(int(engine.step(ours[-1:]).argmax()))
    assert ours == output[0, len(prompt) :].tolist()


def test_a_second_prompt_knows_nothing_of_the_first(small: Path) -> None:
    engine = opened(small)
    fresh = engine.prefill(PROMPTS[2], 1)
    engine.prefill(PROMPTS[-1], 4)
    engine.step([1, 2, 3, 4])
    np.testing.assert_array_equal(engine.prefill(PROMPTS[2], 1), fresh)


# What the prompt before has read

FIRST = PROMPTS[-1][:260]


def draft(engine: OnnxModel, ids: list[int], wrong: int) -> None:
    engine.prefill(FIRST[:150], 1)
    engine.verify(ids)
    engine.rewind(wrong)


USES: dict[str, Callable[[OnnxModel], object]] = {
    "a prompt": lambda engine: engine.prefill(FIRST, 1),
    "the same": lambda engine: engine.prefill([*FIRST[:200], 1, 2, 3], 1),
    "its beginning": lambda engine: engine.prefill(FIRST[:100], 1),
    "nothing alike": lambda engine: engine.prefill(PROMPTS[-2], 1),
    "rows": lambda engine: (engine.prefill(FIRST, 3), engine.step([1, 2, 3])),
    "prompts": lambda engine: (engine.prefill(FIRST, 1), engine.prefill_all([PROMPTS[-2], FIRST[:9]])),
    "one prompt of many": lambda engine: (engine.prefill_all([FIRST]), engine.step_all([7]), engine.step_all([None])),
    "probabilities": lambda engine: (engine.prefill(FIRST, 1), engine.log_probabilities(PROMPTS[-2], 1)),
    "steps": lambda engine: (engine.prefill(FIRST[:150], 1), engine.step([FIRST[150]]), engine.step([9])),
    "drafts": lambda engine: draft(engine, FIRST[150:155], 2),
    "all right": lambda engine: draft(engine, FIRST[150:155], 0),
    "all wrong": lambda engine: draft(engine, [3, 4, 5], 3),
}


@pytest.mark.parametrize("use", USES)
def test_a_prompt_is_answered_alike_after_whatever_was_read(small: Path, use: str) -> None:
    engine, prompt = opened(small), [*FIRST[:200], 1, 2, 3]
    expected = transformers_logits(small, [*prompt, 5, 6])
    USES[use](engine)
    np.testing.assert_allclose(engine.prefill(prompt, 1)[0], expected[-3], atol=1e-3)
    np.testing.assert_allclose(engine.step([5])[0], expected[-2], atol=1e-3)
    np.testing.assert_allclose(engine.step([6])[0], expected[-1], atol=1e-3)


def test_only_what_differs_is_read(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = opened(small)
    read: list[int] = []
    run_row = engine._runner.run_row

    def counted(row: int, embeddings: NDArray[np.float32], wanted: NDArray[np.int64]) -> NDArray[np.float32]:
        read.append(embeddings.shape[1])
        return run_row(row, embeddings, wanted)

    monkeypatch.setattr(engine._runner, "run_row", counted)
    engine.prefill(FIRST, 1)
    engine.step([7])
    engine.prefill([*FIRST, 7, 8, 9], 1)  # goes on where the last answer ended
    engine.prefill([*FIRST, 7, 8, 9], 1)
    engine.prefill([*FIRST[:100], 1, 2], 1)
    engine.prefill(FIRST[:50], 3)
    engine.prefill(FIRST[:50], 1)
    engine.prefill_all([FIRST[:50], [*FIRST[:40], 7], FIRST[:40], [9]])
    assert read == [256, 4, 2, 1, 2, 1, 50, 50, 1, 1, 1]


def test_prompts_that_begin_alike_give_what_each_gives_alone(small: Path) -> None:
    engine = opened(small)
    engine.end_ids = frozenset()
    texts = ["a b " * 60 + end for end in ("", "the", "x y", "the")]
    options = Options(20, Sampling(temperature=0))
    assert complete_all(engine, texts, options) == [complete(opened(small), text, options)[0] for text in texts]


def test_at_8_bits_a_shared_beginning_changes_no_more_than_other_pieces_do() -> None:
    engine, exact = opened(PACKAGED, "int8"), opened(PACKAGED)
    ids = engine.encode(" ".join(json.loads(line)["text"] for line in open_sample()[:3]))[:300]
    expected, fresh = exact.prefill(ids, 1), engine.prefill(ids, 1)
    engine.prefill(PROMPTS[2], 1)
    engine.prefill([*ids[:170], 1, 2, 3], 1)
    reused = engine.prefill(ids, 1)
    assert np.abs(reused - expected).mean() < 2 * np.abs(fresh - expected).mean()


# Many prompts together

TEXTS = ["The", "a " * 100, "It was the best of times, it was", "b" * 290, "Once upon a time", "x"]


@pytest.mark.parametrize("sampling", [Sampling(temperature=0), Sampling(temperature=1.5, top_k=40)])
@pytest.mark.parametrize(("new", "stop", "ended"), [(1, "", "length"), (60, "", "context"), (60, "e", "stop")])
def test_prompts_together_give_what_each_gives_alone(
    small: Path, sampling: Sampling, new: int, stop: str, ended: str
) -> None:
    engine = opened(small)
    engine.end_ids = frozenset()
    options = Options(new, sampling, seed=3, stop=(stop,))
    together = complete_all(engine, TEXTS, options)
    assert together == [complete(engine, text, options)[0] for text in TEXTS]
    assert ended in {completion.ended for completion in together}


def test_more_prompts_than_a_batch_holds_keep_their_order(small: Path) -> None:
    engine = opened(small)
    texts = [f"{i} and" for i in range(40)]
    options = Options(3, Sampling(temperature=0))
    assert complete_all(engine, texts, options) == [complete(engine, text, options)[0] for text in texts]
    assert complete_all(engine, [], options) == []


def test_another_engine_continues_one_prompt_after_another(small: Path) -> None:
    engine = TransformersModel(ModelFolder("other", small))
    options = Options(5, Sampling(temperature=0), rows=3)
    assert complete_all(engine, TEXTS[:3], options) == complete_all(opened(small), TEXTS[:3], options)


# Checkpoints


def bfloat16(folder: Path) -> None:
    tensors = load_torch(folder / "model.safetensors")
    save_torch({k: v.bfloat16() for k, v in tensors.items()}, folder / "model.safetensors", {"format": "pt"})


def float16(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({k: v.astype(np.float16) for k, v in tensors.items()}, folder / "model.safetensors", {"format": "pt"})


def without_prefix(folder: Path) -> None:
    """Name tensors as the first GPT-2 on the hub does, with its causal masks."""
    tensors = {k.removeprefix("transformer."): v for k, v in load_file(folder / "model.safetensors").items()}
    tensors["h.0.attn.bias"] = np.tri(300, dtype=np.uint8)[np.newaxis, np.newaxis]
    tensors["h.1.attn.masked_bias"] = np.array(-1e4, dtype=np.float32)
    tensors["lm_head.weight"] = tensors["wte.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def sharded(folder: Path) -> None:
    tensors = list(load_file(folder / "model.safetensors").items())
    (folder / "model.safetensors").unlink()
    shards = {"model-1-of-2.safetensors": tensors[:9], "model-2-of-2.safetensors": tensors[9:]}
    for name, part in shards.items():
        save_file(dict(part), folder / name, {"format": "pt"})
    places = {name: shard for shard, part in shards.items() for name, _ in part}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


@pytest.mark.parametrize("update", [bfloat16, float16, without_prefix, sharded])
def test_a_checkpoint_may_be_stored_in_many_ways(small: Path, update: Callable[[Path], None]) -> None:
    update(small)
    for ids in PROMPTS[:4]:
        np.testing.assert_allclose(opened(small).prefill(ids, 1)[0], transformers_logits(small, ids)[-1], atol=1e-3)


def extra_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({**tensors, "score.weight": np.zeros(3, np.float32)}, folder / "model.safetensors", {"format": "pt"})


def misshapen_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.ln_f.bias"] = np.zeros(33, np.float32)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def integer_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.ln_f.bias"] = np.zeros(32, np.int32)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (extra_tensor, "1 tensors that a GPT-2 does not have, such as transformer.score.weight"),
        (misshapen_tensor, "transformer.ln_f.bias does not have the size"),
        (integer_tensor, "unknown type"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 50), "cannot load"),
        (lambda folder: write_tokenizer(folder, 400), "400 tokens, its embedding only 300"),
    ],
)
def test_a_checkpoint_that_is_no_gpt2_is_refused(small: Path, damage: Callable[[Path], None], words: str) -> None:
    damage(small)
    with pytest.raises(RagcliError, match=words) as caught:
        opened(small)
    assert caught.value.hint


@pytest.mark.parametrize(
    "config", [{}, {"model_type": "llama"}, {"activation_function": "silu"}, {"add_cross_attention": True}]
)
def test_what_the_graph_does_not_know_is_left_to_transformers(config: dict[str, Any]) -> None:
    assert runs_here({"model_type": "gpt2"})
    assert not runs_here({"model_type": "gpt2", **config} if config else {})


def test_another_family_runs_at_float32_only(small: Path) -> None:
    config = json.loads((small / "config.json").read_text())
    (small / "config.json").write_text(json.dumps({**config, "activation_function": "silu"}))
    assert not isinstance(open_language_model(ModelFolder("other", small)), OnnxModel)
    with pytest.raises(RagcliError, match="only runs in float32"):
        open_language_model(ModelFolder("other", small), "int8")


# The cache


def engines() -> Path:
    return Path(os.environ["RAGCLI_CACHE"]) / "engines"


def kept() -> list[Path]:
    return sorted(path for path in engines().iterdir() if path.name != "digests")


def test_a_model_is_prepared_once_for_each_checkpoint_and_precision(small: Path) -> None:
    notes: Notes = []
    first = opened(small, "float32", notes).prefill(PROMPTS[3], 1)
    [folder] = kept()
    written = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    again = opened(small, "float32", notes).prefill(PROMPTS[3], 1)
    assert written == {file: file.stat().st_mtime_ns for file in folder.iterdir()} and np.array_equal(first, again)
    opened(small, "int8", notes)
    without_prefix(small)
    opened(small, "float32", notes)
    assert len(kept()) == 3 and not notes


def flip(name: str) -> Callable[[Path], None]:
    def update(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 0xFF
        (folder / name).write_bytes(content)

    return update


def cut(name: str) -> Callable[[Path], None]:
    def update(folder: Path) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:-1])

    return update


def lose(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def other_version(folder: Path) -> None:
    config = json.loads((folder / "facts.json").read_text())
    (folder / "facts.json").write_text(json.dumps({**config, "version": 0}))


def empty_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(b"")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (flip("decoder.onnx"), "damaged"),
        (cut("decoder.onnx"), "damaged"),
        (cut("decoder.bin"), "damaged"),
        (lose("decoder.bin"), "damaged"),
        (lose("facts.json"), "damaged"),
        (cut("facts.json"), "damaged"),
        (other_version, "another version"),
        (empty_file, "damaged"),
    ],
)
def test_what_is_damaged_is_prepared_anew_with_a_note(
    tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    small = write_gpt2(tmp_path / "large", n_embd=128, n_layer=1, n_head=2)  # weights beside the graph
    before = opened(small).prefill(PROMPTS[3], 1)
    [folder] = kept()
    damage(folder)
    notes: Notes = []
    np.testing.assert_array_equal(opened(small, notes=notes).prefill(PROMPTS[3], 1), before)
    assert len(notes) == 1 and words in notes[0] and kept() == [folder]
    opened(small, notes=notes)
    assert len(notes) == 1


@pytest.mark.parametrize("taken", ["cache", "cache/engines", "cache/engines/digests"])
def test_a_cache_that_cannot_be_written_is_done_without(small: Path, taken: str) -> None:
    """A file stands where a folder should be: what not even root can write into."""
    expected = transformers_logits(small, PROMPTS[3])[-1]
    location = engines().parents[1] / taken
    location.parent.mkdir(parents=True, exist_ok=True)
    location.write_text("")
    notes: Notes = []
    np.testing.assert_allclose(opened(small, notes=notes).prefill(PROMPTS[3], 1)[0], expected, atol=1e-3)
    assert ["cannot save" in note for note in notes] == ([] if taken.endswith("digests") else [True])
    assert location.read_text() == ""


def test_a_failed_build_leaves_nothing() -> None:
    def broken(folder: Path) -> None:
        (folder / "decoder.onnx").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        cache.build(engines() / "name", broken)
    assert list(engines().iterdir()) == []


def test_what_a_killed_build_left_is_swept_but_not_what_is_being_written(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from ragcli.ort import cache
def write(folder):
    (folder / "decode.bin").write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)
cache.build(Path(sys.argv[1]), write)
"""
    for name in ("left", "written"):
        killed = subprocess.run([sys.executable, "-c", program, tmp_path / name], env=environment({}), check=False)
        assert killed.returncode == -signal.SIGKILL
    two_hours_ago = time.time() - 7200
    left, written = sorted(tmp_path.iterdir())
    for path in (left / "decode.bin", left, written):
        os.utime(path, (two_hours_ago, two_hours_ago))
    cache.build(tmp_path / "name", lambda folder: None)
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "name", written])


# Rounding


def random_block(width: int = 64, inner: int = 96) -> Block:
    rng = np.random.default_rng(0)

    def draw(*size: int) -> NDArray[np.float32]:
        return rng.standard_normal(size).astype(np.float32)

    d = width
    norm, linear = ((d,), (d,)), ((d, 3 * d), (3 * d,), (d, d), (d,))
    return Block(*(draw(*size) for size in (*norm, *linear, *norm, (d, inner), (inner,), (inner, d), (d,))))


def run_block(block: Block, normed: NDArray[np.float32]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return what the attention adds where each token sees itself only, and what goes into the activation."""
    width = len(block.out)
    values = ((normed * block.ln_1 + block.ln_1_bias) @ block.qkv + block.qkv_bias)[:, -width:]
    return values @ block.out + block.out_bias, (normed * block.ln_2 + block.ln_2_bias) @ block.up + block.up_bias


def test_smoothing_changes_no_function_and_undoes_outliers() -> None:
    block = random_block()
    channels = [3, 17, 40]
    ln_1, bias, qkv = block.ln_1.copy(), block.ln_1_bias.copy(), block.qkv.copy()
    ln_1[channels] *= 50
    bias[channels] *= 50
    qkv[channels] /= 50
    planted = block._replace(ln_1=ln_1, ln_1_bias=bias, qkv=qkv)
    for part, expected in zip(smooth(planted), smooth(block), strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-4)
    normed = np.random.default_rng(1).standard_normal((5, 64)).astype(np.float32)
    for ours, expected in zip(run_block(smooth(block), normed), run_block(block, normed), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-2)


def test_smoothing_leaves_channels_that_are_off() -> None:
    block = random_block()
    block.ln_1[5] = block.ln_1_bias[5] = 0
    block.qkv[6] = 0
    smoothed = smooth(block)
    assert all(np.isfinite(part).all() for part in smoothed)
    assert smoothed.ln_1[5] == 0 and (smoothed.qkv[6] == 0).all()


def test_rounding_to_8_bits_is_off_by_half_a_step_at_most() -> None:
    weight = np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32)
    weight[:, 3] = 0
    values, scale = to_8_bits(weight)
    assert np.abs(values).max(axis=0).tolist() == [127, 127, 127, 0, 127, 127, 127]
    assert (np.abs(values * scale - weight) <= scale / 2 * 1.001).all()


def test_rounding_to_4_bits_is_off_by_half_a_step_at_most() -> None:
    weight = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    packed, scale = to_4_bits(weight)
    assert packed.shape == (3, 2, BLOCK_4 // 2) and scale.shape == (3, 2)
    values = np.stack([packed & 15, packed >> 4], axis=-1).reshape(3, 2, BLOCK_4).astype(np.float32) - 8
    restored = (values * scale[..., np.newaxis]).reshape(3, -1).T
    assert (restored[50:] == 0).all()
    assert (np.abs(restored[:50] - weight) <= np.repeat(scale.T, BLOCK_4, axis=0)[:50] / 2 * 1.001).all()


def plant_outliers(packaged_gpt2: Path, folder: Path) -> Path:
    """Copy the packaged model with a few channels scaled by 50, which the next weights undo: the same function."""
    shutil.copytree(packaged_gpt2, folder)
    tensors, rng = load_file(folder / "model.safetensors"), np.random.default_rng(1)
    for i in range(4):
        for norm, linear in (("ln_1", "attn.c_attn"), ("ln_2", "mlp.c_fc")):
            channels = rng.choice(192, 4, replace=False)
            for kind in ("weight", "bias"):
                tensors[f"transformer.h.{i}.{norm}.{kind}"][channels] *= 50
            tensors[f"transformer.h.{i}.{linear}.weight"][channels] /= 50
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def open_sample() -> list[str]:
    return (ROOT / "sample_data" / "python.jsonl").read_text(encoding="utf-8").splitlines()


def perplexity(engine: LanguageModel) -> float:
    """Return the perplexity of the first sample passages."""
    texts = [engine.encode(json.loads(line)["text"])[: engine.context] for line in open_sample()[:20]]
    found = np.concatenate([engine.log_probabilities(ids, 1) for ids in texts])
    assert len(found) > 2000
    return float(np.exp(-found.mean()))


def test_8_bits_cost_less_than_a_hundredth_of_perplexity_with_outliers_or_without(
    tmp_path: Path, packaged_gpt2: Path
) -> None:
    exact = perplexity(opened(PACKAGED))
    assert perplexity(opened(PACKAGED, "int8")) == pytest.approx(exact, rel=0.01)
    planted = plant_outliers(packaged_gpt2, tmp_path / "planted")
    assert perplexity(opened(planted)) == pytest.approx(exact, rel=1e-3)
    assert perplexity(opened(planted, "int8")) == pytest.approx(exact, rel=0.01)


def test_8_bits_are_as_good_a_token_at_a_time(tmp_path: Path, packaged_gpt2: Path) -> None:
    folder = plant_outliers(packaged_gpt2, tmp_path / "planted")
    exact, engine = opened(folder), opened(folder, "int8")
    text = " ".join(json.loads(line)["text"] for line in open_sample()[:3])
    ids = engine.encode(text)[: engine.context]
    assert len(ids) > 300
    logits = [engine.prefill(ids[:1], 1), *(engine.step([token]) for token in ids[1:-1])]
    scores = np.concatenate(logits).astype(np.float64)
    chosen = scores[range(len(scores)), ids[1:]] - np.log(np.exp(scores).sum(axis=1))
    assert np.exp(-chosen.mean()) == pytest.approx(np.exp(-exact.log_probabilities(ids, 1).mean()), rel=0.01)


def test_8_bits_of_nothing_are_nothing(tmp_path: Path) -> None:
    folder = write_gpt2(tmp_path / "model", **SHAPES["wide"])
    tensors = load_file(folder / "model.safetensors")
    for kind in ("weight", "bias"):
        tensors[f"transformer.h.0.ln_1.{kind}"][:] = 0
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    expected, rounded = (opened(folder, precision).prefill(PROMPTS[3], 1) for precision in ("float32", "int8"))
    np.testing.assert_allclose(rounded, expected, atol=0.05 * np.abs(expected).max())


def test_4_bits_answer_nearly_the_same() -> None:
    assert perplexity(opened(PACKAGED, "int4")) == pytest.approx(perplexity(opened(PACKAGED)), rel=0.1)


# The command line


@pytest.mark.parametrize("precision", ["auto", "float32", "int8", "int4"])
def test_the_precision_is_an_option(small: Path, precision: str) -> None:
    options = ("--model", small, "--precision", precision, "--max-new-tokens", "2", "--seed", "1")
    first = run_process("generate", "Once", *options)
    assert (first.code, first.err, len(kept())) == (0, "", 1)
    second = run_process("generate", "Once", *options)
    assert (second.code, second.out, second.err) == (0, first.out, "")


def test_sampling_and_stops_are_options(small: Path, ragcli: Run) -> None:
    def write(*options: str) -> str:
        fixed = ("--model", small, "--format", "json", "--no-repeat-ngram-size", "0", "--seed", "1")
        [found] = ragcli("generate", "Once", *fixed, *options).objects()
        return str(found["completions"][0])

    drawn = write("--temperature", "3", "--top-k", "0", "--top-p", "1")
    likeliest = write("--temperature", "0")
    assert write("--temperature", "3", "--top-k", "0", "--top-p", "1", "--min-p", "1") == likeliest != drawn
    assert write("--temperature", "0", "--repetition-penalty", "10") != likeliest
    at = len(drawn) // 2
    stop, later = drawn[at : at + 5], drawn[at + 5 : at + 10]
    assert write("--temperature", "3", "--top-k", "0", "--top-p", "1", "--stop", later, "--stop", stop) == drawn[:at]


@pytest.mark.parametrize("command", ["generate", "ask", "review", "eval answers"])
@pytest.mark.parametrize("option", [("--min-p", "1.1"), ("--repetition-penalty", "0.5")])
def test_what_is_out_of_range_is_refused(ragcli: Run, command: str, option: tuple[str, str]) -> None:
    assert_two_lines(ragcli(*command.split(), "x", *option), ExitCode.USAGE, option[0], "range")


def test_the_end_token_ends(small: Path) -> None:
    engine = opened(small)
    assert engine.end_ids == {0} and engine.context == 300
    (small / "generation_config.json").write_text('{"eos_token_id": [5, 6]}')
    assert opened(small).end_ids == {5, 6}
    (small / "generation_config.json").unlink()
    assert opened(small).end_ids == {0}


def test_the_context_can_be_filled_and_not_more(small: Path) -> None:
    engine = opened(small)
    engine.end_ids = frozenset()
    prompt = "a" * 280
    [done] = complete(engine, prompt, Options(10**6, Sampling(temperature=0)))
    assert (done.tokens, done.ended) == (300 - len(engine.encode(prompt)), "context")


def test_each_line_is_a_prompt_of_its_own(ragcli: Run) -> None:
    fixed = ("--model", PACKAGED, "--max-new-tokens", "6", "--temperature", "0", "--precision", "float32")
    prompts = ["Once upon a time", "The cat", "A function is"]
    found = ragcli("generate", "\n\n".join(prompts), "--lines", "--format", "json", *fixed).objects()
    assert [one["prompt"] for one in found] == prompts
    for one in found:
        [alone] = ragcli("generate", one["prompt"], "--format", "json", *fixed).objects()
        assert alone["completions"] == one["completions"]
    texts = [one["completions"][0].strip("\n") for one in found[:2]]
    assert ragcli("generate", "\n".join(prompts[:2]), "--lines", *fixed).out == f"{texts[0]}\n\n{texts[1]}\n"
    assert ragcli("generate", " \n", "--lines", *fixed) == (0, "", "")
    assert_two_lines(ragcli("generate", "x", "--lines", "--num-return-sequences", "2"), ExitCode.USAGE, "--lines")


def test_only_line_ends_part_prompts(ragcli: Run) -> None:
    """U+2028, a form feed and what else str.splitlines knows are text; CRLF ends a line, a BOM is no text."""
    said = "\ufeffOne day\u2028the king\r\nTwo\x0cdays\x85 long\n"
    few = ("--model", PACKAGED, "--max-new-tokens", "1", "--format", "json")
    done = run_process("generate", "-", "--lines", *few, input=said.encode())
    assert [one["prompt"] for one in done.objects()] == ["One day\u2028the king", "Two\x0cdays\x85 long"]
    [one] = run_process("generate", "-", *few, input=b"The sun\r\n").objects()
    assert one["prompt"] == "The sun"


def test_a_blank_at_the_end_of_a_prompt_is_told(ragcli: Run) -> None:
    few = ("--model", PACKAGED, "--max-new-tokens", "1")
    assert "ends with a blank" in ragcli("generate", "The sun ", *few).err
    assert "ends with a blank" not in ragcli("generate", "The sun", *few).err
