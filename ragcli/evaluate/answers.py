"""Measure answers: ask the questions of a test set, and compare with the accepted answers."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ragcli.answer.answerer import AskOptions
from ragcli.answer.batch import read_answers
from ragcli.answer.pipeline import ask, ask_without_passages
from ragcli.answer.schema import Answer
from ragcli.callbacks import Callbacks
from ragcli.counts import listed
from ragcli.errors import NothingFoundError, RagcliError
from ragcli.evaluate.answer_measures import by_characters, citations, contains, exact_match, f1, groundedness, rouge_l
from ragcli.evaluate.judgments import find_corpus
from ragcli.evaluate.questions import Question, Questions, read_questions
from ragcli.evaluate.report import COSTS, Report, Values, describe_file, mean, new_report
from ragcli.evaluate.retrieval import temporary_index
from ragcli.generate import Generator
from ragcli.indexing import IndexOptions
from ragcli.search import Ranking, Searcher
from ragcli.store import IndexLocation, Store, open_store

_WITHOUT = "without_passages"


class AnswersConfig(NamedTuple):
    """Configure a measurement: a file of questions or a folder with qa.jsonl, the index to ask, and how to answer.

    A folder's documents, or the paragraphs of SQuAD's JSON, are indexed temporarily unless an index was named.
    """

    questions: Path
    location: IndexLocation
    ask: AskOptions
    named_index: bool = False
    baseline: bool = False
    limit: int | None = None
    keep_going: bool = False
    indexing: IndexOptions = IndexOptions()
    ranking: Ranking = Ranking()
    finished: Path | None = None  # answers that `ask --batch` wrote


class Given(NamedTuple):
    """Hold a question with its answer, and the ids of the retrieved documents."""

    question: Question
    answer: Answer | None  # None if nothing matched or it failed
    retrieved: tuple[str, ...] = ()
    failure: str | None = None

    @property
    def text(self) -> str:
        """Return the answer's text without source numbers; empty without an answer."""
        if self.answer and self.answer.style != "free":
            return " ".join(sentence.text for sentence in self.answer.sentences)
        return self.answer.answer if self.answer else ""

    @property
    def abstained(self) -> bool:
        """Return whether the question was declined. An empty answer counts as declined."""
        return self.failure is None and not self.text.strip()


Answerer = Callable[[Question], Answer]


def measure_names(k: int) -> tuple[str, ...]:
    """Return the names of all measures of answers, in the order of a report."""
    return (
        *("exact_match", "f1", "accuracy", "rouge_l", f"recall@{k}", "groundedness"),
        *("citation_precision", "citation_recall", "faithfulness"),
        *("abstention_precision", "abstention_recall", "mean_tokens", "mean_seconds"),
    )


def gate_names(k: int) -> tuple[str, ...]:
    """Return the names of the measures that a gate may limit."""
    return tuple(name for name in measure_names(k) if name not in COSTS)


def evaluate_answers(
    config: AnswersConfig, open_generator: Callable[[], Generator], callbacks: Callbacks[int] = Callbacks()
) -> Report:
    """Answer each question and measure the answers; for the baseline, also those of the model without passages.

    For a question without an answer, abstaining is right. Raises RagcliError for a question that fails, unless
    `keep_going`: then it counts as a wrong answer, and is named in the report.
    """
    started = time.perf_counter()
    path = config.questions / "qa.jsonl" if config.questions.is_dir() else config.questions
    found = read_questions(path)
    questions = found.items[: config.limit]
    if config.finished:
        return _finished(config, config.finished, path, questions, started)
    with _store(config, found, callbacks) as (store, rejected):
        engine = cache(open_generator)
        model = None if config.ask.style == "grounded" else engine().name
        searcher = Searcher(store, config.ranking, callbacks.note, tell_spelling=False)
        given = _all(questions, lambda question: ask(searcher, engine, question.text, config.ask), config, callbacks)
        settings = _settings(config.ask, model) | searcher.settings()
        index = store.counts()._asdict()
    details: dict[str, Any] = {"queries": {one.question.id: _shown(one) for one in given}}
    if config.baseline:
        alone = _all(
            questions, lambda question: ask_without_passages(engine(), question.text, config.ask), config, callbacks
        )
        details[_WITHOUT] = _without(given, alone, config.ask.k)
    failed = {one.question.id: one.failure for one in given if one.failure}
    if failed:
        callbacks.note(listed("question failed", "questions failed", failed) + "; they count as wrong answers")
    return new_report(
        "eval answers",
        data={"questions": describe_file(path), "limit": config.limit, "index": index},
        settings=settings,
        queries=len(given),
        metrics=aggregated(given, config.ask.k),
        per_query={one.question.id: values(one, config.ask.k) for one in given},
        skipped={"rejected_documents": rejected} if rejected else {},
        failed=failed,
        details=details,
        seconds=round(time.perf_counter() - started, 3),
    )


def _finished(
    config: AnswersConfig, answers: Path, path: Path, questions: Sequence[Question], started: float
) -> Report:
    """Measure existing answers; a question without one counts as not answered."""
    written = read_answers(answers)
    given = [
        _given(question, written[question.id]) if question.id in written else Given(question, None)
        for question in questions
    ]
    if all(one.answer is None for one in given):
        raise RagcliError(f"{answers} answers none of the questions", "Check that both have the same ids.")
    missing = [one.question.id for one in given if one.answer is None]
    return new_report(
        "eval answers",
        data={"questions": describe_file(path), "answers": describe_file(answers), "limit": config.limit},
        settings={"model": given[0].answer.model if given[0].answer else None, "k": config.ask.k},
        queries=len(given),
        metrics=aggregated(given, config.ask.k),
        per_query={one.question.id: values(one, config.ask.k) for one in given},
        skipped={"without_answer": len(missing)} if missing else {},
        failed={},
        details={"queries": {one.question.id: _shown(one) for one in given}},
        seconds=round(time.perf_counter() - started, 3),
    )


@contextmanager
def _store(config: AnswersConfig, found: Questions, callbacks: Callbacks[int]) -> Iterator[tuple[Store, int]]:
    """Open the index to ask; yield it with the number of rejected documents."""
    corpus = find_corpus(config.questions) if config.questions.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="ragcli-") as folder:
        if found.documents:
            corpus = Path(folder) / "paragraphs.jsonl"
            corpus.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in found.documents))
        if corpus and not config.named_index:
            with temporary_index(corpus, config.location, config.indexing, callbacks) as made:
                yield made
        else:
            callbacks.note(f"asking index {config.location.name}")
            with open_store(config.location) as store:
                yield store, 0


def _settings(config: AskOptions, model: str | None) -> dict[str, Any]:
    options = config.options
    return {
        "model": model,
        "k": config.k,
        "min_score": config.min_score,
        "style": config.style,
        "min_confidence": config.min_confidence,
        "max_new_tokens": options.max_new_tokens,
        "seed": options.seed,
    } | options.sampling._asdict()


def _all(
    questions: Sequence[Question], answer: Answerer, config: AnswersConfig, callbacks: Callbacks[int]
) -> list[Given]:
    given = []
    for done, question in enumerate(questions, 1):
        given.append(_one(question, answer, config.keep_going))
        callbacks.progress(done)
    if all(one.failure for one in given):
        raise RagcliError(f"every question failed, the last one with: {given[-1].failure}", "Try one with ragcli ask.")
    return given


def _one(question: Question, answer: Answerer, keep_going: bool) -> Given:
    try:
        found = answer(question)
    except NothingFoundError:
        return Given(question, None)
    except RagcliError as e:
        if not keep_going:
            hint = f"{e.hint} To count failures as wrong answers, add --keep-going."
            raise type(e)(f"question {question.id}: {e.message}", hint) from e
        return Given(question, None, failure=e.message)
    return _given(question, found)


def _given(question: Question, answer: Answer) -> Given:
    retrieved = [source.id for source in answer.sources] + [span.id for span in answer.dropped]
    return Given(question, answer, tuple(dict.fromkeys(retrieved)))


def values(given: Given, k: int) -> Values:
    """Return the measures of one answer; None for those that do not apply."""
    question = given.question
    found: Values = dict.fromkeys(measure_names(k))
    if question.answers:
        characters = by_characters([question.text, *question.answers])
        for name, measure in (("exact_match", exact_match), ("f1", f1), ("accuracy", contains), ("rouge_l", rouge_l)):
            found[name] = measure(given.text, question.answers, characters)
    else:
        found |= dict.fromkeys(("exact_match", "f1", "accuracy"), float(given.abstained))
    if question.doc_id is not None and given.failure is None:
        found[f"recall@{k}"] = float(question.doc_id in given.retrieved)
    if given.answer:
        found["groundedness"] = _grounded(given.answer)
        if given.answer.style == "free" and given.answer.sources:
            found |= citations(given.answer.sentences)
        found |= {"mean_tokens": float(given.answer.new_tokens), "mean_seconds": given.answer.seconds.total}
    return {name: value for name, value in found.items() if not name.startswith("abstention")}


def _grounded(answer: Answer) -> float | None:
    """Return the share of an answer's sentences that occur in a source; cited ones must occur in the cited source."""
    if answer.style == "free":
        return groundedness(answer.answer, [source.text for source in answer.sources])
    texts = {source.n: source.text for source in answer.sources}
    return mean([float(sentence.text in texts.get(sentence.source or 0, "")) for sentence in answer.sentences])


def aggregated(given: Sequence[Given], k: int) -> Values:
    """Return the mean of each measure over the answers to which it applies, and the measures of abstention."""
    each = [values(one, k) for one in given]
    abstained = [one for one in given if one.abstained]
    impossible = [one for one in given if not one.question.answers]
    right = sum(not one.question.answers for one in abstained)
    found: Values = {name: mean([one.get(name) for one in each]) for name in measure_names(k)}
    found["abstention_precision"] = right / len(abstained) if abstained else None
    found["abstention_recall"] = right / len(impossible) if impossible else None
    return found


def _without(given: Sequence[Given], alone: Sequence[Given], k: int) -> dict[str, Any]:
    """Describe the answers without passages, and the gain of passages."""
    with_passages, without = aggregated(given, k), aggregated(alone, k)
    without |= dict.fromkeys((f"recall@{k}", "groundedness", "citation_precision", "citation_recall", "faithfulness"))
    pairs = {name: (with_passages[name], without[name]) for name in ("exact_match", "f1", "accuracy", "rouge_l")}
    gain = {name: one - other for name, (one, other) in pairs.items() if one is not None and other is not None}
    return {"metrics": without, "gain": gain, "answers": {one.question.id: one.text for one in alone}}


def _shown(given: Given) -> dict[str, Any]:
    return {
        "question": given.question.text,
        "accepted": list(given.question.answers),
        "answer": given.text,
        "abstained": given.abstained,
        "retrieved": list(given.retrieved),
    }
