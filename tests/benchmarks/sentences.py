"""Compare splitters of sentences by pySBD's own test rules, and their time. Prints Markdown rows.

python -m tests.benchmarks.sentences PYSBD [TEXT]

PYSBD is a checkout of github.com/nipunsadvilkar/pySBD, TEXT a file to time them on. A rule counts where all its
sentences are found; white space does not. Those of pysbd, syntok and blingfire are measured that are installed.
"""

import ast
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from ragcli.analysis.sentences import sentence_spans

Splitter = Callable[[str], list[str]]
LANGUAGES = {
    **{"english": "en", "deutsch": "de", "spanish": "es", "italian": "it", "russian": "ru", "danish": "da"},
    **{"french": "fr", "dutch": "nl", "japanese": "ja", "chinese": "zh", "greek": "el", "hindi": "hi", "urdu": "ur"},
    **{"persian": "fa", "burmese": "my", "polish": "pl"},
}


def rules(path: Path) -> dict[str, list[str]]:
    """Return the texts of a file of tests with their sentences; of the English one the golden rules only."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
            name = ast.unparse(node.targets[0])
            if "GOLDEN" in name or "english" not in path.name:
                found |= dict(ast.literal_eval(case) for case in node.value.elts if isinstance(case, ast.Tuple))
    return found


def splitters(language: str) -> Iterator[tuple[str, Splitter]]:
    """Yield the splitters that there are."""
    yield "ragcli", lambda text: [text[start:end] for start, end in sentence_spans(text)]
    if find_spec("pysbd"):
        yield "pysbd", import_module("pysbd").Segmenter(language=language, clean=False).segment
    if find_spec("syntok"):
        segmenter = import_module("syntok.segmenter")
        yield (
            "syntok",
            lambda text: [
                "".join(token.spacing + token.value for token in sentence)
                for paragraph in segmenter.process(text)
                for sentence in paragraph
            ],
        )
    if find_spec("blingfire"):
        blingfire = import_module("blingfire")
        yield "blingfire", lambda text: blingfire.text_to_sentences(text).split("\n")


def bare(sentences: list[str]) -> list[str]:
    """Return sentences without differences in white space."""
    return [" ".join(sentence.split()) for sentence in sentences]


def main(checkout: Path, text: str) -> None:
    """Print how many rules each splitter keeps, and how long it takes."""
    print("| language | rules | splitter | kept |\n|---|---|---|---|")
    for name, language in LANGUAGES.items():
        cases = rules(checkout / "tests" / "lang" / f"test_{name}.py")
        for splitter, split in splitters(language):
            kept = sum(bare(split(case)) == bare(sentences) for case, sentences in cases.items())
            print(f"| {language} | {len(cases)} | {splitter} | {kept} |", flush=True)
    for splitter, split in splitters("en") if text else ():
        started = time.process_time()
        split(text)
        print(f"{splitter}: {1e9 * (time.process_time() - started) / len(text):.0f} ns a character")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="utf-8") if len(sys.argv) > 2 else "")
