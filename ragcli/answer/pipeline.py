"""From a question to its answer: retrieve, then answer in the chosen style. Also reviews and summaries."""

from collections.abc import Callable, Sequence

from ragcli.answer.answerer import Answerer, AskOptions, Clock, Emit, Retrieved
from ragcli.answer.copy import CopyAnswerer
from ragcli.answer.extractive import ExtractiveAnswerer
from ragcli.answer.free import FreeAnswerer
from ragcli.answer.generation import fit_prompt, is_small
from ragcli.answer.retrieve import nothing_found, retrieve, retrieve_reviews
from ragcli.answer.review import compose_review
from ragcli.answer.schema import Answer, CitedSentence, Seconds, cited_text, sources_of
from ragcli.answer.statistics import TextStatistics
from ragcli.answer.summary import summarize as choose_summary
from ragcli.answer.written import WrittenAnswerer
from ragcli.errors import NothingFoundError, RagcliError, UsageError
from ragcli.generate import Generator
from ragcli.prompt import QUESTION, REVIEW, REVIEW_TASK, Prompt, PromptForm
from ragcli.search import Searcher
from ragcli.store import Hit

OpenModel = Callable[[], Generator]

_FEWEST = 2  # sentences of a small model's review
_REVIEW_SENTENCES = 6
_READ = 2  # sentences that a small model reads for each that it may write


def ask(
    searcher: Searcher, open_generator: OpenModel, question: str, options: AskOptions, emit: Emit | None = None
) -> Answer:
    """Answer a question from the passages that match it best; `emit` receives the text as it is written.

    If no passage has at least `min_score`, no model is opened and the answer is empty and `abstained`. Raises
    NothingFoundError if nothing matches, UsageError for a question that is longer than the model's context.
    """
    [answer] = ask_all(searcher, open_generator, [question], options, emit)
    if isinstance(answer, RagcliError):
        raise answer
    if answer.abstained and not answer.sources and not answer.dropped:
        raise nothing_found()
    return answer


def ask_all(
    searcher: Searcher,
    open_generator: OpenModel,
    questions: Sequence[str],
    options: AskOptions,
    emit: Emit | None = None,
) -> list[Answer | RagcliError]:
    """Answer many questions together; a question that cannot be asked gets an error in its place.

    If nothing matches, the answer is empty and `abstained`. `open_generator` may be called often, so it should keep the
    opened model. `emit` receives the text of a single answer as it is written.
    """
    done: dict[int, Answer | RagcliError] = {}
    found: dict[int, Retrieved] = {}
    for place, question in enumerate(questions):
        one = _retrieved(searcher, question, options)
        if isinstance(one, Retrieved):
            found[place] = one
        else:
            done[place] = one
    if found:
        answers = open_answerer(searcher, open_generator, options).answer_all(list(found.values()), emit)
        done |= zip(found, answers, strict=True)
    return [done[place] for place in range(len(questions))]


def open_answerer(searcher: Searcher, open_generator: OpenModel, options: AskOptions) -> Answerer:
    """Return the answerer of the chosen style."""
    if options.style == "grounded":
        return ExtractiveAnswerer(searcher, options)
    if options.style == "copy":
        return CopyAnswerer(open_generator, options, options.template or QUESTION)
    return WrittenAnswerer(searcher, open_generator, options)


def _retrieved(searcher: Searcher, question: str, options: AskOptions) -> Retrieved | Answer | RagcliError:
    """Return what to answer from, or else the empty answer, or the error of the search."""
    clock = Clock()
    try:
        hits = retrieve(searcher, question, options.k, options.filters)
    except NothingFoundError:
        hits = []
    except UsageError as error:
        return error
    searched = clock.now()
    good = [hit for hit in hits if hit.score >= options.min_score]
    if good or not options.needs_passages:
        return Retrieved(question, good, searched, searcher.meant(question))
    return Answer(
        question,
        abstained=True,
        sources=sources_of(hits),
        style=options.style,
        seed=options.options.seed,
        seconds=Seconds(searched, None, searched),
    )


def ask_without_passages(generator: Generator, question: str, options: AskOptions) -> Answer:
    """Answer a question without passages, with the same prompt template: the baseline of retrieval."""
    return _only(FreeAnswerer(lambda: generator, options).answer_all([Retrieved(question, [])]))


def _only(answers: Sequence[Answer | RagcliError]) -> Answer:
    [answer] = answers
    if isinstance(answer, RagcliError):
        raise answer
    return answer


def review(
    searcher: Searcher, open_generator: OpenModel, title: str, options: AskOptions, emit: Emit | None = None
) -> Answer:
    """Review a film with sentences of its reviews in the index, found by title, or let a model write from these.

    Of what a small model writes by no template of the user's, only sentences that the reviews support are kept, if
    there are a few. Raises NothingFoundError, with a suggestion, if no title is near.
    """
    clock = Clock()
    hits = retrieve_reviews(searcher, title, options.k, options.filters)
    sentences = compose_review(hits, _REVIEW_SENTENCES, searcher.language, searcher.encoder)
    found = Retrieved(hits[0].title, hits, clock.now())
    composed = _composed(found, sentences, options.options.seed, Clock(found.seconds).seconds())
    if options.style == "grounded":
        return composed
    written_from = found._replace(hits=_only_cited(hits, sentences))
    checked = options.style == "free" and not options.template and is_small(open_generator())
    writer = _review_writer(searcher, open_generator, options)
    written = _only(writer.answer_all([written_from], None if checked else emit))
    if not checked:
        return written
    kept = written.supported()
    return kept if len(kept.sentences) >= _FEWEST else composed


def _review_writer(searcher: Searcher, open_generator: OpenModel, options: AskOptions) -> Answerer:
    if options.style == "copy":
        return CopyAnswerer(open_generator, options, options.template or REVIEW)
    return FreeAnswerer(open_generator, options, searcher.store, _review_form(open_generator(), options))


def _review_form(generator: Generator, options: AskOptions) -> PromptForm:
    """Return the form of the prompt: a model that takes instructions is told what to write."""
    return options.template or (REVIEW_TASK if generator.instructed else REVIEW)


def _only_cited(hits: Sequence[Hit], sentences: Sequence[CitedSentence]) -> list[Hit]:
    """Return the passages of sentences, cut to these; all hits if there are no sentences."""
    cited = [(hits[one.source - 1], one) for one in sentences if one.source]
    return [hit._replace(text=one.text, start=one.start, end=one.end) for hit, one in cited] or list(hits)


def summarize(hits: Sequence[Hit], sentences: int, language: str, query: str = "") -> Answer:
    """Summarize texts with at most `sentences` of their own sentences, each cited; with a query, with those about it.

    The sources are the cited texts. Raises UsageError for more text than can be compared sentence by sentence.
    """
    clock = Clock()
    chosen = choose_summary(hits, sentences, language, query)
    numbers = {n: new for new, n in enumerate(dict.fromkeys(one.source for one in chosen), 1)}
    cited = [one._replace(source=numbers[one.source]) for one in chosen]
    sources = [hits[n - 1] for n in numbers if n]
    return _composed(Retrieved(query, sources), cited, 0, clock.seconds())


def write_summary(
    hits: Sequence[Hit],
    sentences: int,
    language: str,
    open_generator: OpenModel,
    options: AskOptions,
    query: str = "",
    emit: Emit | None = None,
) -> Answer:
    """Let a model write a summary of texts by a template; a small one reads only the most important sentences.

    Raises UsageError as `summarize` does.
    """
    read = [hit for hit in hits if hit.text.strip()]
    if read and is_small(open_generator()):
        read = _only_cited(hits, choose_summary(hits, _READ * sentences, language, query))
    if not read:
        return Answer(query, abstained=True)
    statistics = TextStatistics(hits, language)
    writer = FreeAnswerer(open_generator, options, statistics, options.template or QUESTION)
    return _only(writer.answer_all([Retrieved(query, read)], emit))


def _composed(found: Retrieved, sentences: Sequence[CitedSentence], seed: int, seconds: Seconds) -> Answer:
    """Return an answer that consists of sentences of the sources."""
    return Answer(
        found.question,
        answer=cited_text(sentences),
        abstained=not sentences,
        sources=sources_of(found.hits),
        sentences=tuple(sentences),
        seed=seed,
        seconds=seconds,
    )


def ask_prompt(searcher: Searcher, open_generator: OpenModel, question: str, options: AskOptions) -> Prompt:
    """Build the prompt that `ask` would give to the model. Raises NothingFoundError if it would not be asked."""
    found = _retrieved(searcher, question, options)
    if isinstance(found, RagcliError):
        raise found
    if isinstance(found, Answer):
        if not found.sources:
            raise nothing_found()
        message = f"no passage has a score of {options.min_score:g}, so the model is not asked"
        raise NothingFoundError(message, "Ask for a lower one: --min-score.")
    writer = WrittenAnswerer(searcher, open_generator, options)
    [read] = writer.read_all([found])
    if isinstance(read, Answer):
        message = "no block answers the question, so the model is not asked"
        raise NothingFoundError(message, "Let it read passages: --evidence passages.")
    return fit_prompt(open_generator(), read, writer.template, options.options)


def review_prompt(searcher: Searcher, open_generator: OpenModel, title: str, options: AskOptions) -> Prompt:
    """Build the prompt that `review` would give to the model."""
    hits = retrieve_reviews(searcher, title, options.k, options.filters)
    cited = _only_cited(hits, compose_review(hits, _REVIEW_SENTENCES, searcher.language, searcher.encoder))
    generator = open_generator()
    form = _review_form(generator, options)
    return fit_prompt(generator, Retrieved(hits[0].title, cited), form, options.options)
