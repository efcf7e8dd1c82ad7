"""Which of fifty things said in a conversation are asked alone, and which are completed: the right ones?

Run: python -m tests.benchmarks.chat [REWRITES]

REWRITES is a file of lines {"question", "changed"}: whether people wrote a question anew so that it stands alone.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from ragcli.answer.answerer import AskOptions
from ragcli.answer.chat import Conversation
from ragcli.answer.leaning import Leaning, leaning
from ragcli.errors import NothingFoundError
from ragcli.generate import Generator, Options
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Searcher
from ragcli.store import IndexLocation, open_store

ROOT = Path(__file__).parents[2]
SAMPLES = {"en": "python.jsonl", "zh": "python_zh.jsonl"}


def no_model() -> Generator:
    """Raise: sentences of the texts need no model."""
    raise AssertionError("no model is asked")


def understood(turn: dict[str, object], searcher: Searcher) -> tuple[bool, bool]:
    """Return whether the last thing said was completed, and whether it was answered."""
    conversation = Conversation(searcher, no_model, AskOptions(Options(), style="grounded"))
    for before in turn["before"]:  # type: ignore[attr-defined]
        conversation.ask(before)
    try:
        last = conversation.ask(str(turn["said"]))
    except NothingFoundError:
        return False, False
    return last.question != turn["said"], not last.answer.abstained


def main() -> None:
    """Print what was taken wrongly, and the shares that were right."""
    turns = [json.loads(line) for line in Path(__file__).with_name("chat_turns.jsonl").read_text("utf-8").splitlines()]
    right: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as home:
        for language, name in SAMPLES.items():
            location = IndexLocation("local", language, Path(home))
            index_files([ROOT / "sample_data" / name], location, IndexOptions(language=language))
            with open_store(location) as store:
                searcher = Searcher(store)
                for turn in (turn for turn in turns if turn["language"] == language):
                    completed, answered = understood(turn, searcher)
                    kind = f"{language} {'leans' if turn['leans'] else 'alone'}"
                    right[kind] += completed == turn["leans"]
                    right["words alone"] += (leaning(turn["said"]) is Leaning.YES) == turn["leans"]
                    right["answered"] += answered
                    if completed != turn["leans"]:
                        print(f"{kind}: {turn['said']}  (after {turn['before'][-1]})")
    print(dict(right), f"of {len(turns)}")
    for path in sys.argv[1:]:
        lines = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
        print(Counter((line["changed"], leaning(line["question"]).name) for line in lines))


if __name__ == "__main__":
    main()
