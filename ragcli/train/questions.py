"""Questions as `ask` puts them: the same search, the same prompt, and the passage that holds the answer in it."""

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

_JOB = AskOptions(Options())  # as `ask` answers by default


@contextmanager
def open_passages(files: Iterable[Path], place: IndexLocation, named: bool) -> Iterator[Searcher]:
    """Open the index to take passages from: the documents beside the questions, for the occasion, unless one was named.

    Raises IndexMismatchError for an index that is not there.
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
    """Return the prompt that `ask` would build, with the answer's passage in it; None where it has no room for that.

    The passages are those that the search finds, from one to as many as `ask` takes, by a hash of the question's id;
    where the right one is not among them it takes the last one's place.
    """
    if text.question is None:
        raise RagcliError(f"{text.id} is no question", "Only questions have a prompt.")
    k = 1 + zlib.crc32(text.id.encode()) % _JOB.k
    found = searcher.search(text.question, k)
    gold = next((hit for hit in found if _is_gold(hit, text)), None) or _find_gold(searcher.store, text)
    if gold is None:
        return None
    hits = found if gold in found else [*found[: k - 1], gold]
    budget = context - _JOB.options.max_new_tokens
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
    """Find the passage of the document that the question names."""
    if text.doc_id is None:
        return None
    hits = store.passages(text.doc_id)
    return next((hit for hit in hits if _is_gold(hit, text)), None)


def _without_last(hits: Sequence[Hit], gold: Hit) -> list[Hit]:
    last = max(i for i, hit in enumerate(hits) if hit != gold)
    return [hit for i, hit in enumerate(hits) if i != last]
