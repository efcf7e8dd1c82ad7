"""Compositions: ask and review as search → prompt → generate, or search → choose sentences → answer with sources."""

import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from ragcli.answer.attribution import attribute
from ragcli.answer.choose import CitedSentence
from ragcli.answer.choose import answer as choose
from ragcli.answer.copying import Copying
from ragcli.answer.opinion import compose_review
from ragcli.answer.summary import summarize as choose_summary
from ragcli.answer.titled import answer_by_title
from ragcli.errors import NothingFoundError, RagcliError, UsageError
from ragcli.filters import Filter
from ragcli.generate import Completion, LanguageModel, Options, complete, complete_all, count_tokens
from ragcli.prompt import Prompt, Span, build_prompt, question_ending, review_ending
from ragcli.search import Searcher
from ragcli.search.diversity import joined
from ragcli.store import Hit
from ragcli.titles import find_title

Style = Literal["free", "grounded", "copy"]

_REVIEW_SENTENCES = 5
_PASSAGES = 2  # retrieved for each that is wanted: some are of one document
# A model that goes on after its answer asks itself another question, or begins another passage.
_STOP = ("\n\n", "\nQuestion:", "\nAnswer:")


class Source(NamedTuple):
    """Hold a passage, numbered as in the prompt, that an answer is built on."""

    n: int
    id: str
    title: str
    score: float
    start: int
    end: int
    text: str


class Seconds(NamedTuple):
    """Hold the seconds from the start to the end of the search, to the first token, to the end."""

    search: float
    first_token: float | None
    total: float


class Answer(NamedTuple):
    """Hold an answer with its sources, and what it took."""

    question: str
    answer: str
    abstained: bool
    sources: tuple[Source, ...]
    sentences: tuple[CitedSentence, ...]
    dropped: tuple[Span, ...]
    model: str
    style: str
    seed: int
    prompt_tokens: int
    new_tokens: int
    seconds: Seconds
    confidence: float | None = None


class AskOptions(NamedTuple):
    """Say how to answer: how many passages, from which score on, with which filters and generation options.

    A `free` answer is the model's own words, a `grounded` one sentences of the passages, a `copy` what the model writes
    where it may only go on with pieces of the passages. `min_confidence` is that of a grounded answer; None is what was
    found best.
    """

    options: Options
    k: int = 5
    filters: Sequence[Filter] = ()
    min_score: float = 0.0
    style: Style = "free"
    min_confidence: float | None = None


def retrieve(searcher: Searcher, question: str, job: AskOptions) -> list[Hit]:
    """Return passages of k documents for a question, best first: of each the best one, and those that touch it.

    Raises NothingFoundError where nothing matches, UsageError for an empty question.
    """
    hits = joined(searcher.search(question, _PASSAGES * job.k, job.filters))[: job.k]
    if not hits:
        raise NothingFoundError("nothing in the index matches the question", "Ask in other words, or index more texts.")
    return hits


def retrieve_reviews(searcher: Searcher, title: str, job: AskOptions) -> list[Hit]:
    """Return up to k reviews of the film whose title is `title`, or nearest to it.

    Raises NothingFoundError, with a suggestion, where no title is near.
    """
    found = find_title(searcher.store, title)
    hits = searcher.search(found, job.k, [Filter("title", "=", found), *job.filters])
    if not hits:
        raise NothingFoundError(f"no review of {found!r} passes the filters", "Leave out a --where.")
    return hits


def ask(
    searcher: Searcher,
    open_language_model: Callable[[], LanguageModel],
    question: str,
    job: AskOptions,
    emit: Callable[[str], None] | None = None,
) -> Answer:
    """Answer a question from the passages that match it best; `emit` gets the text as it comes.

    Where no passage has at least `min_score`, no model is opened and the answer is empty and `abstained`. Raises
    NothingFoundError where nothing matches, UsageError for a question that is longer than the model's context.
    """
    clock = _Clock()
    hits = retrieve(searcher, question, job)
    clock.searched()
    good = [hit for hit in hits if hit.score >= job.min_score]
    if not good:
        return _silence(question, hits, job, clock.seconds())
    if job.style == "grounded":
        return _choose(searcher, question, good, job, clock)
    answer = _generate(question, good, question_ending(question), open_language_model(), job, emit, clock)
    return _attributed(answer, good, searcher)


def _choose(searcher: Searcher, question: str, hits: Sequence[Hit], job: AskOptions, clock: "_Clock") -> Answer:
    """Answer by sentences of the passages."""
    chosen = answer_by_title(question, hits, searcher.language)
    if chosen is None or chosen.confidence < (job.min_confidence or 0):
        chosen = choose(question, hits, searcher.store, searcher.encoder, min_confidence=job.min_confidence)
    silent = _silence(question, hits, job, clock.seconds())
    return silent._replace(
        answer=chosen.text, abstained=chosen.abstained, sentences=chosen.sentences, confidence=chosen.confidence
    )


def _attributed(answer: Answer, hits: Sequence[Hit], searcher: Searcher) -> Answer:
    """Say of each sentence of a free answer which source supports it, if one does."""
    if answer.style != "free" or not answer.answer:
        return answer
    return answer._replace(sentences=attribute(answer.answer, hits[: len(answer.sources)], searcher.store))


def ask_all(
    searcher: Searcher, open_language_model: Callable[[], LanguageModel], questions: Sequence[str], job: AskOptions
) -> list[Answer | RagcliError]:
    """Answer each question as `ask` does, many together; in the place of one that cannot be asked stands the error.

    Where nothing matches, the answer is empty and `abstained`. The time of what is done together is shared out evenly.
    `open_language_model` may be called often, so it should keep what it opens.
    """
    found = [_asked(searcher, question, job) for question in questions]
    done = [one if isinstance(one, RagcliError) else _unwritten(searcher, one, job) for one in found]
    prompts: dict[int, Prompt] = {}
    for place, one in enumerate(found):
        if isinstance(one, _Asked) and one.good and job.style != "grounded":
            try:
                prompts[place] = _fit_prompt(
                    open_language_model(), one.good, question_ending(one.question), job.options
                )
            except UsageError as error:
                done[place] = error
    places = sorted(prompts, key=lambda place: prompts[place].tokens)
    clock = _Clock()
    written = _write_all(open_language_model(), [prompts[place] for place in places], job) if places else []
    share = clock.seconds().total / max(len(places), 1)
    for place, (completion, pieces) in zip(places, written, strict=True):
        searched = done[place].seconds.search  # type: ignore[union-attr]
        seconds = Seconds(searched, None, round(searched + share, 4))
        answer = _answer(questions[place], prompts[place], completion, pieces, open_language_model(), job, seconds)
        done[place] = _attributed(answer, prompts[place].used, searcher)
    return done


def _unwritten(searcher: Searcher, one: "_Asked", job: AskOptions) -> Answer | RagcliError:
    """Answer without a model: by sentences of the passages, or by silence."""
    if one.good and job.style == "grounded":
        return _choose(searcher, one.question, one.good, job, _Clock(one.seconds))
    return _silence(one.question, one.hits, job, Seconds(one.seconds, None, one.seconds))


def _write_all(
    engine: LanguageModel, prompts: Sequence[Prompt], job: AskOptions
) -> list[tuple[Completion, tuple[CitedSentence, ...]]]:
    """Complete prompts together; return with each completion the pieces that were copied."""
    rules = [_copying(prompt, engine) for prompt in prompts] if job.style == "copy" else []
    texts = [prompt.text for prompt in prompts]
    completions = complete_all(engine, texts, _writing(job), [rule.allowed for rule in rules])
    return list(zip(completions, [rule.copied() for rule in rules] or [()] * len(prompts), strict=True))


class _Asked(NamedTuple):
    """Hold a question, what was found for it, what of that is good enough, and how long the search took."""

    question: str
    hits: list[Hit]
    good: list[Hit]
    seconds: float


def _asked(searcher: Searcher, question: str, job: AskOptions) -> "_Asked | RagcliError":
    clock = _Clock()
    try:
        hits = retrieve(searcher, question, job)
    except NothingFoundError:
        hits = []
    except UsageError as error:
        return error
    return _Asked(question, hits, [hit for hit in hits if hit.score >= job.min_score], clock.seconds().total)


def _silence(question: str, hits: Sequence[Hit], job: AskOptions, seconds: Seconds) -> Answer:
    """Return the answer that there is none."""
    return Answer(question, "", True, _sources(hits), (), (), "", job.style, job.options.seed, 0, 0, seconds)


def ask_without_passages(engine: LanguageModel, question: str, job: AskOptions) -> Answer:
    """Answer a question from the model alone, in the same form of prompt: what retrieval is measured against."""
    free = job._replace(style="free")
    return _generate(question, [], question_ending(question), engine, free, None, _Clock())


def review(
    searcher: Searcher,
    open_language_model: Callable[[], LanguageModel],
    title: str,
    job: AskOptions,
    emit: Callable[[str], None] | None = None,
) -> Answer:
    """Write a new review of a film from its reviews in the index, found by title.

    Raises NothingFoundError, with a suggestion, where no title is near.
    """
    clock = _Clock()
    hits = retrieve_reviews(searcher, title, job)
    clock.searched()
    name = hits[0].title
    if job.style == "grounded":
        sentences = compose_review(hits, _REVIEW_SENTENCES, searcher.language)
        return _silence(name, hits, job, clock.seconds())._replace(
            answer=_cited_text(sentences), abstained=not sentences, sentences=sentences
        )
    return _attributed(
        _generate(name, hits, review_ending(name), open_language_model(), job, emit, clock), hits, searcher
    )


def summarize(hits: Sequence[Hit], sentences: int, language: str, query: str = "") -> Answer:
    """Summarize texts by at most so many of their own sentences, each cited; with a query, by those that are about it.

    The sources are those cited, of however many texts there are.

    Raises UsageError for more text than can be compared sentence by sentence.
    """
    clock = _Clock()
    chosen = choose_summary(hits, sentences, language, query)
    numbers = {n: new for new, n in enumerate(dict.fromkeys(one.source for one in chosen), 1)}
    cited = tuple(one._replace(source=numbers[one.source]) for one in chosen)
    held = [hits[n - 1] for n in numbers if n]
    silent = _silence(query, held, AskOptions(Options(), style="grounded"), clock.seconds())
    return silent._replace(answer=_cited_text(cited), abstained=not cited, sentences=cited)


def _cited_text(sentences: Sequence[CitedSentence]) -> str:
    return " ".join(f"{one.text} [{one.source}]" for one in sentences)


def ask_prompt(
    searcher: Searcher, open_language_model: Callable[[], LanguageModel], question: str, job: AskOptions
) -> Prompt:
    """Build the prompt that ask would give to the model."""
    hits = retrieve(searcher, question, job)
    return _fit_prompt(open_language_model(), hits, question_ending(question), job.options)


def review_prompt(
    searcher: Searcher, open_language_model: Callable[[], LanguageModel], title: str, job: AskOptions
) -> Prompt:
    """Build the prompt that review would give to the model."""
    hits = retrieve_reviews(searcher, title, job)
    return _fit_prompt(open_language_model(), hits, review_ending(hits[0].title), job.options)


def _fit_prompt(engine: LanguageModel, hits: Sequence[Hit], ending: str, options: Options) -> Prompt:
    budget = max(0, engine.context - options.max_new_tokens)
    return build_prompt(hits, ending, budget, lambda text: count_tokens(engine, text))


class _Clock:
    """Take the times of an answer; `searched` is how long the search took, where it is over."""

    def __init__(self, searched: float = 0.0) -> None:
        self._start = time.perf_counter() - searched
        self._search = searched
        self._first: float | None = None

    def searched(self) -> None:
        self._search = self._now()

    @property
    def wrote(self) -> bool:
        return self._first is not None

    def first_piece(self) -> None:
        self._first = self._now()

    def seconds(self) -> Seconds:
        return Seconds(self._search, self._first, self._now())

    def _now(self) -> float:
        return round(time.perf_counter() - self._start, 4)


def _generate(
    question: str,
    hits: Sequence[Hit],
    ending: str,
    engine: LanguageModel,
    job: AskOptions,
    emit: Callable[[str], None] | None,
    clock: _Clock,
) -> Answer:
    prompt = _fit_prompt(engine, hits, ending, job.options)

    def heard(piece: str) -> None:
        if not clock.wrote:
            piece = piece.lstrip()  # a model begins with the blank after "Answer:"
            if not piece:
                return
            clock.first_piece()
        if emit:
            emit(piece)

    if job.style == "free":
        completion = complete(engine, prompt.text, _writing(job), heard)[0]
        return _answer(question, prompt, completion, (), engine, job, clock.seconds())
    copying = _copying(prompt, engine)
    completion = complete(engine, prompt.text, _writing(job), None, copying.allowed)[0]
    return _answer(question, prompt, completion, copying.copied(), engine, job, clock.seconds())


def _writing(job: AskOptions) -> Options:
    """Return how to write an answer; what copies copies nothing twice, whatever may be repeated."""
    options = job.options._replace(rows=1, stop=_STOP)
    if job.style == "free":
        return options
    return options._replace(sampling=options.sampling._replace(no_repeat_ngram_size=0, repetition_penalty=1.0))


def _copying(prompt: Prompt, engine: LanguageModel) -> Copying:
    return Copying(prompt.used, engine.encode, engine.end_ids)


def _answer(
    question: str,
    prompt: Prompt,
    completion: Completion,
    pieces: tuple[CitedSentence, ...],
    engine: LanguageModel,
    job: AskOptions,
    seconds: Seconds,
) -> Answer:
    copied = job.style == "copy"
    return Answer(
        question=question,
        answer=_cited_text(pieces) if copied else completion.text.strip(),
        abstained=copied and not pieces,
        sources=_sources(prompt.used),
        sentences=pieces,
        dropped=prompt.dropped,
        model=engine.name,
        style=job.style,
        seed=job.options.seed,
        prompt_tokens=prompt.tokens,
        new_tokens=completion.tokens,
        seconds=seconds,
    )


def _sources(hits: Sequence[Hit]) -> tuple[Source, ...]:
    return tuple(Source(n, hit.id, hit.title, hit.score, hit.start, hit.end, hit.text) for n, hit in enumerate(hits, 1))
