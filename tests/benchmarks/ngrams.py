"""Measure a 5-gram model with Kneser-Ney smoothing (KenLM) on texts, over the tokens of a GPT-2, to compare it with.

python -m tests.benchmarks.ngrams KENLM MODEL HELD_OUT TEXTS... --train FILES... [--where CONDITION...]

KENLM is the folder of its programs `lmplz` and `query`. It learns what `ragcli train` learns: the documents of FILES
but those of HELD_OUT, the `held_out.jsonl` beside the model. Prints bits a byte of each of TEXTS, JSON Lines.
"""

import argparse
import json
import math
import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer

from ragcli.filters import parse_filter
from ragcli.train.data import read_texts

_TOTAL = re.compile(rb"Total: (-?[\d.]+) OOV: (\d+)")


def write_tokens(tokenizer: Tokenizer, texts: Iterable[str], path: Path) -> None:
    """Write the token ids of each text on a line."""
    with path.open("w", encoding="utf-8") as file:
        for text in texts:
            file.write(" ".join(map(str, tokenizer.encode(text).ids)) + "\n")


def bits_per_byte(kenlm: Path, model: Path, tokenizer: Tokenizer, texts: list[str], folder: Path) -> float:
    """Return -log2 p(text and its end) / bytes over all texts."""
    write_tokens(tokenizer, texts, folder / "texts")
    with (folder / "texts").open("rb") as file:
        command: list[str | Path] = [kenlm / "query", "-v", "sentence", model]
        told = subprocess.run(command, stdin=file, check=True, capture_output=True).stdout
    found = _TOTAL.findall(told)
    if len(found) != len(texts):
        raise ValueError(f"{len(found)} texts of {len(texts)} were measured")
    return -sum(float(total) for total, _ in found) / math.log10(2) / sum(len(text.encode()) for text in texts)


def main() -> None:
    """Train the 5-gram model and measure it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kenlm", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("texts", nargs="+", type=Path)
    parser.add_argument("--train", nargs="+", type=Path, required=True)
    parser.add_argument("--where", nargs="*", default=[])
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    held = {json.loads(line)["id"] for line in options.held_out.read_text(encoding="utf-8").splitlines()}
    texts = read_texts(options.train, [parse_filter(where) for where in options.where]).texts
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tokens(tokenizer, (text.text for text in texts if text.id not in held), folder / "train")
        with (folder / "train").open("rb") as given, (folder / "arpa").open("wb") as arpa:
            command: list[str | Path] = [options.kenlm / "lmplz", "-o", "5", "-S", "4G", "-T", folder]
            subprocess.run(command, stdin=given, stdout=arpa, check=True)
        for path in options.texts:
            held_texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
            found = bits_per_byte(options.kenlm, folder / "arpa", tokenizer, held_texts, folder)
            print(f"{path.stem}: {found:.3f} bits a byte", flush=True)


if __name__ == "__main__":
    main()
