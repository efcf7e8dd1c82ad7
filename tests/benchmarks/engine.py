"""Measure the engines on GPT-2's 124 M size with random weights, each in its own process, in turn. Prints Markdown.

python -m tests.benchmarks.engine [--runs 5] [--new 100] [--engines int8 int4 float32 transformers ctranslate2 llama]

The peers need the packages ctranslate2, and xllamacpp and gguf for llama.cpp.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

PROMPT = 512
OURS = ("int8", "int4", "float32")
ENGINES = (*OURS, "transformers", "ctranslate2", "llama")
BYTES = {"int8": 1 + 4 / 768, "int4": 0.5 + 4 / 32, "float32": 4}  # a weight, its share of the scales included
WEIGHTS, STATE = 124e6, 2 * 12 * 768 * 4  # weights read for a token; bytes of keys and values read for each position

Generate = Callable[[Sequence[int], int], object]


def open_ours(folder: Path, precision: Any) -> Generate:
    """Open our engine and return the bare greedy loop over it."""
    from ragcli.generate import Batching, open_language_model
    from ragcli.models import ModelFolder

    engine = open_language_model(ModelFolder("gpt2", folder), precision)
    assert isinstance(engine, Batching)

    def generate(ids: Sequence[int], new: int) -> object:
        logits = engine.prefill_all([ids], new)  # reads all, even where the prompt is the one before
        for _ in range(new - 1):
            logits = engine.step_all([int(logits[0].argmax())])
        return logits

    return generate


def open_transformers(folder: Path) -> Generate:
    """Open the model in float32 with transformers."""
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.generation_config.eos_token_id = None
    return lambda ids, new: model.generate(
        torch.tensor([list(ids)]), do_sample=False, min_new_tokens=new, max_new_tokens=new, pad_token_id=0
    )


def open_ctranslate2(folder: Path) -> Generate:
    """Open the model in int8 with CTranslate2; `folder` holds its conversion."""
    import ctranslate2

    generator = ctranslate2.Generator(str(folder / "ctranslate2"), compute_type="int8", intra_threads=os.cpu_count())
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    limits = {"sampling_topk": 1, "include_prompt_in_result": False, "end_token": [], "cache_static_prompt": False}
    return lambda ids, new: generator.generate_batch(
        [[tokens[i] for i in ids]], max_length=new, min_length=new, **limits
    )


def open_llama(folder: Path) -> Generate:
    """Open the model at Q8_0 with llama.cpp; `folder` holds its conversion."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(folder / "q8_0.gguf")
    parameters.n_ctx, parameters.n_parallel, parameters.verbosity = 1024, 1, 0
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = os.cpu_count()
    server = xllamacpp.Server(parameters)
    fixed = {"temperature": 0, "ignore_eos": True, "cache_prompt": False}
    return lambda ids, new: server.handle_completions({"prompt": list(ids), "n_predict": new, **fixed})


def measure(engine: str, folder: Path, new: int) -> None:
    """Print what one engine takes, as JSON: called in a process of its own."""
    started = time.perf_counter()
    opened = {"transformers": open_transformers, "ctranslate2": open_ctranslate2, "llama": open_llama}
    generate = opened[engine](folder) if engine in opened else open_ours(folder, engine)
    loaded = time.perf_counter() - started
    ids = np.random.default_rng(0).integers(0, 50000, PROMPT).tolist()
    generate(ids[:8], 1)
    times = [(timed(generate, ids, 1), timed(generate, ids, new + 1)) for _ in range(3)]
    # The best of three: what else runs on the machine only ever adds.
    prefill, whole = (min(column) for column in zip(*times, strict=True))
    found = {"load": loaded, "prefill": prefill, "rate": new / (whole - prefill), "memory": peak_mib()}
    print(json.dumps(found))


def peak_mib() -> float:
    """Return this process's peak memory in MiB; getrusage would count what its parent had before."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def timed(generate: Generate, ids: Sequence[int], new: int) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    generate(ids, new)
    return time.perf_counter() - started


def run(engine: str, folder: Path, new: int) -> dict[str, float]:
    """Measure an engine in a process of its own, and the read bandwidth right after it."""
    worker = [sys.executable, "-m", "tests.benchmarks.engine", "--worker", engine, "--folder", str(folder)]
    done = subprocess.run([*worker, "--new", str(new)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found: dict[str, float] = json.loads(done.stdout)
    found["bandwidth"] = read_bandwidth()
    if engine in OURS:
        read = WEIGHTS * BYTES[engine] + STATE * (PROMPT + new / 2)
        found["share"] = found["rate"] * read / found["bandwidth"]
    return found


def read_bandwidth() -> float:
    """Return the bytes a second that all processors together read from memory: the best of five passes."""
    parts = np.array_split(np.ones(1 << 27, dtype=np.float32), os.cpu_count() or 1)
    best = 0.0
    for _ in range(5):
        threads = [threading.Thread(target=part.max) for part in parts]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        best = max(best, 4 * (1 << 27) / (time.perf_counter() - started))
    return best


def convert(folder: Path) -> None:
    """Write CTranslate2's form of the model."""
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(folder)).convert(str(folder / "ctranslate2"), quantization="int8")


def report(results: dict[str, list[dict[str, float]]]) -> None:
    """Print the medians, and the medians of the ratios within each round."""
    print("| engine | load | prefill | decode | share of bandwidth | peak memory |\n|---|---|---|---|---|---|")
    for engine, rounds in results.items():
        middle = {key: statistics.median(found[key] for found in rounds) for key in rounds[0]}
        share = f"{middle['share']:.0%} of {middle['bandwidth'] / 1e9:.0f} GB/s" if "share" in middle else ""
        print(
            f"| {engine} | {middle['load']:.2f} s | {1e3 * middle['prefill']:.0f} ms | {middle['rate']:.0f} tok/s "
            f"| {share} | {middle['memory']:.0f} MiB |"
        )
    print("\n| ratio within a round | prefill time | decode rate |\n|---|---|---|")
    for engine in (name for name in OURS if name in results):
        for peer in (name for name in results if name not in OURS):
            cells = (ratio(results, engine, peer, key) for key in ("prefill", "rate"))
            print(f"| {engine} / {peer} | {' | '.join(cells)} |")


def ratio(results: dict[str, list[dict[str, float]]], engine: str, peer: str, key: str) -> str:
    """Return the median of a ratio over all rounds, and its range."""
    ratios = sorted(a[key] / b[key] for a, b in zip(results[engine], results[peer], strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--new", type=int, default=100)
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="Keep the model and what is prepared of it here.")
    given = parser.parse_args()
    if given.worker:
        measure(given.worker, given.folder, given.new)
        return
    from tests.benchmarks.gpt2_124m import write_gpt2  # not in a worker: it loads torch

    with tempfile.TemporaryDirectory() as temporary:
        folder = write_gpt2(given.folder or Path(temporary))
        os.environ["RAGCLI_CACHE"] = str(folder / "cache")
        if "ctranslate2" in given.engines and not (folder / "ctranslate2").exists():
            convert(folder)
        if "llama" in given.engines and not (folder / "q8_0.gguf").exists():
            from tests.benchmarks.gguf_124m import write_gguf

            write_gguf(folder, folder / "q8_0.gguf")
        for engine in set(OURS) & set(given.engines):
            run(engine, folder, 1)  # prepares the model
        results: dict[str, list[dict[str, float]]] = {engine: [] for engine in given.engines}
        for _ in range(given.runs):
            for engine in given.engines:
                results[engine].append(run(engine, folder, given.new))
        report(results)


if __name__ == "__main__":
    main()
