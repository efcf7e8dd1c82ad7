"""Ask and review: what is retrieved, what the model reads, what comes back; with a model that says what it is told."""

import json
from collections.abc import Generator as Coroutine
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ragcli.answer import pipeline as rag
from ragcli.answer.answerer import AskOptions
from ragcli.answer.retrieve import retrieve
from ragcli.answer.schema import Answer
from ragcli.decoder.sampling import Sampling
from ragcli.errors import NothingFoundError, UsageError
from ragcli.filters import Filter
from ragcli.generate import Completion, EngineGenerator, Logits, Options, Stream
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Searcher
from ragcli.store import IndexLocation, open_store
from tests.support import Run, assert_two_lines

FILMS = [
    {"id": "i1", "title": "Inception (2010)", "text": "Dreams within dreams. It dazzles.", "rating": 9},
    {"id": "i2", "title": "Inception (2010)", "text": "Cold and loud.", "rating": 4},
    {"id": "m1", "title": "The Matrix (1999)", "text": "A pill, a choice, a war.", "rating": 8},
]


class Parrot:
    """Write a fixed text, one character a token, whatever the prompt; remember the prompt."""

    name = "parrot"
    end_ids = frozenset({0})

    def __init__(self, says: str, context: int = 2000) -> None:
        self.context = context
        self.heard = ""
        self._says = says
        self._at = 0

    def encode(self, text: str) -> list[int]:
        return [ord(c) for c in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def prefill(self, prompt_ids: Sequence[int], rows: int) -> Logits:
        self.heard, self._at = self.decode(prompt_ids), 0
        return self.step([])

    def step(self, token_ids: Sequence[int]) -> Logits:
        logits = np.zeros((1, 128), np.float32)
        logits[0, ord(self._says[self._at]) if self._at < len(self._says) else 0] = 9
        self._at += 1
        return logits

    def log_probabilities(self, ids: Sequence[int], start: int) -> Logits:
        raise NotImplementedError


@pytest.fixture
def searcher(tmp_path: Path) -> Iterator[Searcher]:
    path = tmp_path / "films.jsonl"
    path.write_text("\n".join(json.dumps(film) for film in FILMS))
    location = IndexLocation("local", "films", tmp_path)
    index_files([path], location, IndexOptions())
    with open_store(location) as opened:
        yield Searcher(opened)


def job(new_tokens: int = 60, filters: Sequence[Filter] = (), min_score: float = 0.0) -> AskOptions:
    greedy = Options(new_tokens, Sampling(temperature=0, no_repeat_ngram_size=0), seed=7)
    return AskOptions(greedy, filters=filters, min_score=min_score)


def no_engine() -> EngineGenerator:
    raise AssertionError("a model was opened without need")


def test_an_answer_comes_with_the_passages_it_was_built_on(searcher: Searcher) -> None:
    parrot, pieces = Parrot(" It dazzles."), list[str]()
    answer = rag.ask(searcher, lambda: EngineGenerator(parrot), "Which dreams?", job(), pieces.append)
    assert parrot.heard == "[1] Inception (2010)\nDreams within dreams. It dazzles.\n\nQuestion: Which dreams?\nAnswer:"
    assert answer.answer == "It dazzles." == "".join(pieces).strip()
    assert [(source.n, source.id, source.start, source.end) for source in answer.sources] == [(1, "i1", 0, 33)]
    assert (answer.model, answer.seed, answer.style, answer.abstained) == ("parrot", 7, "free", False)
    assert (answer.prompt_tokens, answer.new_tokens) == (len(parrot.heard), len(" It dazzles."))
    assert 0 < answer.seconds.search <= (answer.seconds.first_token or 0) <= answer.seconds.total


@pytest.mark.parametrize("more", ["\n\n[2] Another", "\nQuestion: And now?"])
def test_an_answer_ends_where_the_model_begins_another(searcher: Searcher, more: str) -> None:
    assert rag.ask(searcher, lambda: EngineGenerator(Parrot(" Yes." + more)), "dreams", job()).answer == "Yes."


def test_below_the_least_score_no_model_is_opened(searcher: Searcher) -> None:
    answer = rag.ask(searcher, no_engine, "dreams", job(min_score=99.0))
    assert answer.abstained
    assert answer.answer == ""
    assert [source.id for source in answer.sources] == ["i1"]


def test_only_passages_of_the_least_score_are_read(searcher: Searcher) -> None:
    scores = [hit.score for hit in retrieve(searcher, "dreams cold pill", job().k)]
    parrot = Parrot(" x")
    rag.ask(searcher, lambda: EngineGenerator(parrot), "dreams cold pill", job(min_score=scores[0]))
    assert parrot.heard.count("[") == scores.count(scores[0])


def test_a_question_that_nothing_matches_opens_no_model(searcher: Searcher) -> None:
    with pytest.raises(NothingFoundError):
        rag.ask(searcher, no_engine, "zebra", job())


def test_what_does_not_fit_is_dropped_and_named_and_the_question_is_whole(searcher: Searcher) -> None:
    room = len("[1] Inception (2010)\nDreams within dreams.\n\nQuestion: Dreams?\nAnswer:")
    parrot = Parrot(" x", context=room + 10)
    answer = rag.ask(searcher, lambda: EngineGenerator(parrot), "Dreams?", job(new_tokens=10))
    assert parrot.heard == "[1] Inception (2010)\nDreams within dreams.\n\nQuestion: Dreams?\nAnswer:"
    assert [(span.id, span.start, span.end) for span in answer.dropped] == [("i1", len("Dreams within dreams."), 33)]


def test_a_question_longer_than_the_context_is_an_error(searcher: Searcher) -> None:
    with pytest.raises(UsageError, match="the model has room for 5"):
        rag.ask(searcher, lambda: EngineGenerator(Parrot("x", context=15)), "What about dreams?", job(new_tokens=10))


def test_filters_narrow_what_is_read(searcher: Searcher) -> None:
    answer = rag.ask(
        searcher, lambda: EngineGenerator(Parrot(" x")), "dreams cold pill", job(filters=[Filter("rating", "<", "8")])
    )
    assert [source.id for source in answer.sources] == ["i2"]


def test_a_review_is_built_on_the_films_reviews_only(searcher: Searcher) -> None:
    parrot = Parrot(" A dream.")
    answer = rag.review(searcher, lambda: EngineGenerator(parrot), "inception", job())
    assert parrot.heard.endswith("A new review of Inception (2010):")
    assert answer.question == "Inception (2010)"
    assert answer.answer == "A dream."
    assert {source.id for source in answer.sources} == {"i1", "i2"}


def test_a_film_that_is_not_there_is_suggested(searcher: Searcher) -> None:
    with pytest.raises(NothingFoundError) as caught:
        rag.review(searcher, no_engine, "Inside deception", job())
    assert "inception (2010)" in caught.value.hint


def test_the_prompt_can_be_seen_without_an_answer(searcher: Searcher) -> None:
    parrot = Parrot("never said")
    prompt = rag.review_prompt(searcher, lambda: EngineGenerator(parrot), "The Matrix", job())
    assert prompt.text.startswith("[1] The Matrix (1999)\nA pill")
    assert parrot.heard == ""
    assert rag.ask_prompt(searcher, lambda: EngineGenerator(parrot), "dreams", job()).text.endswith(
        "Question: dreams\nAnswer:"
    )


# Read, then write


class Small:
    """Take instructions, and say what it is told; remember the prompt."""

    name, context, instructed = "small", 2000, True

    def __init__(self, says: str, parameters: int | None = 135_000_000) -> None:
        self.parameters, self.heard, self._says = parameters, "", says

    def count_tokens(self, text: str) -> int:
        return len(text)

    def generate(self, prompt: str, options: Options) -> Stream:
        self.heard = prompt
        return Stream(self._pieces())

    def generate_all(self, prompts: Sequence[str], options: Options) -> list[Completion]:
        return [self.generate(prompt, options).finish() for prompt in prompts]

    def _pieces(self) -> Coroutine[str, None, Completion]:
        yield self._says
        return Completion(self._says, 1, "end")


QUESTION = "Which dreams are within dreams?"


def test_a_small_model_is_given_the_blocks_that_answer_and_a_large_one_is_asked_to_cite(searcher: Searcher) -> None:
    small, large = Small("Dreams within dreams [1]."), Small("Dreams.", 7_000_000_000)
    answer = rag.ask(searcher, lambda: small, QUESTION, job())
    block = "[1] Inception (2010)\nDreams within dreams. It dazzles."
    assert small.heard == f"{block}\n\nQuestion: {QUESTION}\nAnswer:"
    assert (answer.answer, answer.style, answer.model) == ("Dreams within dreams.", "free", "small")
    [sentence] = answer.as_json()["sentences"]
    assert (sentence["cited"], sentence["verdict"], sentence["source"]) == ((1,), "supported", 1)
    assert Answer.from_json(answer.as_json()) == answer._replace(prompt="")
    rag.ask(searcher, lambda: large, QUESTION, job()._replace(length="short"))
    rag.ask(searcher, lambda: small, QUESTION, job()._replace(length="short"))
    assert "dazzles" in large.heard and "dazzles" not in small.heard
    assert "such as [1]" in large.heard
    rag.ask(searcher, lambda: small, QUESTION, job()._replace(length="short", evidence="passages"))
    assert "dazzles" in small.heard


def test_where_no_block_answers_a_small_model_is_not_asked(searcher: Searcher) -> None:
    small = Small("Paris.")
    answer = rag.ask(searcher, lambda: small, QUESTION, job()._replace(min_confidence=1.0))
    assert answer.abstained and (answer.style, answer.model, small.heard) == ("free", "small", "")


@pytest.mark.parametrize(
    ("says", "kept", "style"),
    [
        ("Dreams within dreams. Cats in 1999.", "Dreams within dreams.", "free"),
        ("Cats in 1999.", "Dreams within dreams. It dazzles. [1]", "grounded"),
    ],
)
def test_a_strict_answer_has_only_what_a_source_supports(searcher: Searcher, says: str, kept: str, style: str) -> None:
    loose = rag.ask(searcher, lambda: Small(says), QUESTION, job())
    assert loose.answer == says
    pieces: list[str] = []
    strict = rag.ask(searcher, lambda: Small(says), QUESTION, job()._replace(strict=True), pieces.append)
    assert (strict.answer, strict.style, pieces) == (kept, style, [])


def test_a_dry_run_asks_no_model_where_no_passage_is_good_enough(ragcli: Run, corpus: Path) -> None:
    ragcli("index", corpus)
    result = ragcli("ask", "owl", "--style", "free", "--dry-run", "--min-score", "99")
    assert_two_lines(result, 3, "no passage has a score of 99", "--min-score")
