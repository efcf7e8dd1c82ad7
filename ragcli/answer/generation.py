"""Generate answers with a model: fit the prompt into its context, and write."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ragcli.answer.answerer import AskOptions, Clock, Emit, Retrieved
from ragcli.answer.copying import Copying
from ragcli.answer.schema import Answer, CitedSentence, Seconds, sources_of
from ragcli.errors import RagcliError, UsageError
from ragcli.generate import Completion, Generator, Options, complete_all, engine_of
from ragcli.prompt import Prompt, PromptForm, PromptTemplate, build_prompt

_SMALL = 1_000_000_000  # parameters


def is_small(generator: Generator) -> bool:
    """Return whether a model is better given a few sentences than whole texts, and better stopped early."""
    return generator.parameters is not None and generator.parameters < _SMALL


class Generation(NamedTuple):
    """Configure generation: how to open the model, the prompt template, the options, and whether to copy only.

    `open` may be called often, so it should keep the opened model.
    """

    open: Callable[[], Generator]
    template: PromptForm
    options: Options
    copies: bool = False


class Written(NamedTuple):
    """Hold what a model wrote for a question, and the pieces if it copied."""

    found: Retrieved
    prompt: Prompt
    completion: Completion
    seconds: Seconds
    pieces: tuple[CitedSentence, ...] = ()

    def as_answer(self, model: str, options: AskOptions) -> Answer:
        """Return the text as an answer."""
        return Answer(
            self.found.question,
            answer=self.completion.text.strip(),
            sources=sources_of(self.prompt.used),
            dropped=self.prompt.dropped,
            model=model,
            style=options.style,
            seed=options.options.seed,
            prompt_tokens=self.completion.prompt_tokens or self.prompt.tokens,
            new_tokens=self.completion.tokens,
            seconds=self.seconds,
            prompt=self.prompt.text,
        )


def fit_prompt(generator: Generator, found: Retrieved, template: PromptForm, options: Options) -> Prompt:
    """Build a prompt that leaves room for the answer. Raises UsageError if the question alone is too long."""
    budget = max(0, generator.context - options.max_new_tokens)
    return build_prompt(found.hits, found.question, budget, generator.count_tokens, template)


def write_each(
    found: Sequence[Retrieved], generation: Generation, emit: Emit | None = None
) -> list[Written | RagcliError]:
    """Write an answer to each question; a question that is too long gets an error in its place.

    A single answer is emitted as it is written. The time of a batch is divided evenly.
    """
    generator = generation.open()
    if len(found) == 1:
        return [_write_one(found[0], generator, generation, emit)]
    prompts = [_prompt(one, generator, generation) for one in found]
    usable = [(place, prompt) for place, prompt in enumerate(prompts) if isinstance(prompt, Prompt)]
    usable.sort(key=lambda item: item[1].tokens)  # group prompts of similar length
    clock = Clock()
    done = _write_all([prompt for _, prompt in usable], generator, generation)
    share = clock.now() / max(len(usable), 1)
    written: dict[int, Written] = {}
    for (place, prompt), (completion, pieces) in zip(usable, done, strict=True):
        one = found[place]
        seconds = Seconds(one.seconds, None, round(one.seconds + share, 4))
        written[place] = Written(one, prompt, completion, seconds, pieces)
    return [prompt if isinstance(prompt, RagcliError) else written[place] for place, prompt in enumerate(prompts)]


def _write_all(
    prompts: Sequence[Prompt], generator: Generator, generation: Generation
) -> list[tuple[Completion, tuple[CitedSentence, ...]]]:
    """Complete prompts together; return each completion with the copied pieces."""
    texts = [prompt.text for prompt in prompts]
    if not generation.copies:
        return [(completion, ()) for completion in generator.generate_all(texts, _options(generator, generation))]
    engine = engine_of(generator, "--style copy")
    rules = [Copying(prompt.used, engine.encode, engine.end_ids) for prompt in prompts]
    completions = complete_all(engine, texts, generation.options, [rule.allowed for rule in rules])
    return [(completion, rule.copied()) for completion, rule in zip(completions, rules, strict=True)]


def _write_one(
    one: Retrieved, generator: Generator, generation: Generation, emit: Emit | None
) -> Written | RagcliError:
    clock = Clock(one.seconds)
    prompt = _prompt(one, generator, generation)
    if isinstance(prompt, RagcliError):
        return prompt
    if generation.copies:
        [(completion, pieces)] = _write_all([prompt], generator, generation)
        return Written(one, prompt, completion, clock.seconds(), pieces)
    stream = generator.generate(prompt.text, _options(generator, generation))
    for piece in _without_blanks_before(stream):
        if clock.first_token is None:
            clock.first_token = clock.now()
        if emit:
            emit(piece)
    return Written(one, prompt, stream.finish(), clock.seconds())


def _options(generator: Generator, generation: Generation) -> Options:
    """Return the options; a blank line does not stop a large instructed model, unless a template says so.

    What a small one writes after its first paragraph is not in the sources.
    """
    ends = generator.instructed and not is_small(generator) and isinstance(generation.template, PromptTemplate)
    stop = tuple(text for text in generation.options.stop if text.strip())
    return generation.options._replace(stop=stop) if ends else generation.options


def _without_blanks_before(pieces: Iterable[str]) -> Iterator[str]:
    """Yield pieces without leading blanks: a model begins with the one after "Answer:"."""
    begun = False
    for piece in pieces:
        shown = piece if begun else piece.lstrip()
        begun = begun or bool(shown)
        if shown:
            yield shown


def _prompt(one: Retrieved, generator: Generator, generation: Generation) -> Prompt | RagcliError:
    try:
        return fit_prompt(generator, one, generation.template, generation.options)
    except UsageError as error:
        return error
