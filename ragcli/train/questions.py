"""Build training prompts as `ask` does, with the same search, and with the passage that holds the answer."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ragcli.answer.answerer import AskOptions
from ragcli.errors import RagcliError
from ragcli.evaluate.judgments import field_names, find_corpus
from ragcli.generate import Options
from ragcli.indexing import IndexOptions, index_files
from ragcli.prompt import QUESTION, build_prompt
from ragcli.readers import find_inputs
from ragcli.search import Searcher
from ragcli.store import LOCAL, Hit, IndexLocation, Store, open_store
from ragcli.train.data import Text, holds_questions

_ASK = AskOptions(Options())  # as `ask` answers by default


@contextmanager
def open_passages(files: Iterable[Path], place: IndexLocation, named: bool) -> Iterator[Searcher]:
    """Open the index to take passages from: the named one, or a temporary one of the documents beside the questions.

    Raises IndexMismatchError for an index that does not exist.
    """
    asking = [] if named else [source.path for source in find_inputs(files) if holds_questions(source.path)]
    beside = dict.fromkeys(find_corpus(path.parent) for path in asking)
    if not any(beside):
        with open_store(place) as store:
            yield Searcher(store)
        return
    with TemporaryDirectory(prefix="ragcli-") as home:
        own = IndexLocation(LOCAL, "passages", Path(home))
        for corpus in filter(None, beside):
            index_files([corpus], own, IndexOptions(field_names(corpus)))
        with open_store(own) as store:
            yield Searcher(store)


def prompt_for(searcher: Searcher, text: Text, context: int, count: Callable[[str], int]) -> str | None:
    """Return the prompt that `ask` would build, including the passage with the answer; None if that does not fit.

    A hash of the question's id decides how many of the found passages there are, at most as many as `ask` takes. If
    the right one is not among them, it replaces the last.
    """
    if text.question is None:
        raise RagcliError(f"{text.id} is not a question", "Only questions have a prompt.")
    k = 1 + zlib.crc32(text.id.encode()) % _ASK.k
    found = searcher.search(text.question, k)
    gold = next((hit for hit in found if _is_gold(hit, text)), None) or _find_gold(searcher.store, text)
    if gold is None:
        return None
    hits = found if gold in found else [*found[: k - 1], gold]
    budget = context - _ASK.options.max_new_tokens
    while count(QUESTION.ask(text.question)) <= budget:
        prompt = build_prompt(hits, text.question, budget, count)
        if any(_is_gold(hit, text) for hit in prompt.used):
            return prompt.text
        if hits == [gold]:
            break
        hits = _without_last(hits, gold)
    return None


def _is_gold(hit: Hit, text: Text) -> bool:
    return text.text in " ".join(hit.text.split()) and text.doc_id in (None, hit.id)


def _find_gold(store: Store, text: Text) -> Hit | None:
    """Find the passage with the answer in the document that the question names."""
    if text.doc_id is None:
        return None
    hits = store.passages(text.doc_id)
    return next((hit for hit in hits if _is_gold(hit, text)), None)


def _without_last(hits: Sequence[Hit], gold: Hit) -> list[Hit]:
    last = max(i for i, hit in enumerate(hits) if hit != gold)
    return [hit for i, hit in enumerate(hits) if i != last]
