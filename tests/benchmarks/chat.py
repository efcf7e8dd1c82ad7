"""Which of a hundred things said in a conversation are asked alone, and which are completed: the right ones?

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
from ragcli.answer.leaning import Leaning, leaning, without_lead
from ragcli.errors import NothingFoundError
from ragcli.generate import Generator, Options
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Searcher
from ragcli.store import IndexLocation, open_store

SAMPLES, HERE = Path(__file__).parents[2] / "sample_data", Path(__file__).parent
TEXTS = {
    "en": SAMPLES / "python.jsonl",
    "zh": SAMPLES / "python_zh.jsonl",
    "town": HERE / "chat_town.jsonl",
    "town_zh": HERE / "chat_town_zh.jsonl",
}


def no_model() -> Generator:
    """Raise: sentences of the texts need no model."""
    raise AssertionError("no model is asked")


def understood(turn: dict[str, object], searcher: Searcher) -> tuple[bool, str]:
    """Return whether the last thing said was completed, and its answer."""
    conversation = Conversation(searcher, no_model, AskOptions(Options(), style="grounded"))
    for before in turn["before"]:  # type: ignore[attr-defined]
        conversation.ask(before)
    try:
        last = conversation.ask(str(turn["said"]))
    except NothingFoundError:
        return False, ""
    completed = last.question not in ("", turn["said"], without_lead(str(turn["said"]))[0])
    return completed, last.answer.answer if last.question else ""


def main() -> None:
    """Print what was taken wrongly, and the shares that were right."""
    turns = [json.loads(line) for line in Path(__file__).with_name("chat_turns.jsonl").read_text("utf-8").splitlines()]
    right: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as home:
        for language, file in TEXTS.items():
            location = IndexLocation("local", language, Path(home))
            index_files([file], location, IndexOptions(language="zh" if language.endswith("zh") else "en"))
            with open_store(location) as store:
                searcher = Searcher(store)
                for turn in (turn for turn in turns if turn["language"] == language):
                    completed, answer = understood(turn, searcher)
                    kind = f"{language} {'leans' if turn['leans'] else 'alone'}"
                    right[kind] += completed == turn["leans"]
                    rest, corrects = without_lead(turn["said"])
                    right["words alone"] += (corrects or leaning(rest) is Leaning.YES) == turn["leans"]
                    right["answered"] += bool(answer)
                    right["answered right"] += bool(turn.get("holds")) and turn["holds"].lower() in answer.lower()
                    if completed != turn["leans"]:
                        print(f"{kind}: {turn['said']}  (after {turn['before'][-1]})")
    print(dict(right), f"of {len(turns)}; {sum(bool(turn.get('holds')) for turn in turns)} have a text that answers")
    for path in sys.argv[1:]:
        lines = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
        print(Counter((line["changed"], leaning(line["question"]).name) for line in lines))


if __name__ == "__main__":
    main()
