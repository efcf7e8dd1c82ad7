"""What answers that a model writes have in common: the prompt within its context, and the writing."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ragcli.answer.answerer import AskOptions, Clock, Emit, Retrieved
from ragcli.answer.copying import Copying
from ragcli.answer.schema import Answer, CitedSentence, Seconds, sources_of
from ragcli.errors import RagcliError, UsageError
from ragcli.generate import Completion, LanguageModel, Options, complete, complete_all, count_tokens
from ragcli.prompt import Prompt, build_prompt
from ragcli.store import Hit

# A model that goes on after its answer asks itself another question, or begins another passage.
STOP = ("\n\n", "\nQuestion:", "\nAnswer:")


class Generation(NamedTuple):
    """Say what writes: how to open the model, how a prompt asks, how to write, and whether to copy only.

    `open` may be called often, so it should keep what it opens.
    """

    open: Callable[[], LanguageModel]
    ending: Callable[[str], str]
    options: Options
    copies: bool = False


class Written(NamedTuple):
    """Hold what a model wrote for a question, and the pieces of the sources in it where it copied."""

    found: Retrieved
    prompt: Prompt
    completion: Completion
    seconds: Seconds
    pieces: tuple[CitedSentence, ...] = ()

    def as_answer(self, model: str, options: AskOptions) -> Answer:
        """Return the text as an answer of a model."""
        return Answer(
            self.found.question,
            answer=self.completion.text.strip(),
            sources=sources_of(self.prompt.used),
            dropped=self.prompt.dropped,
            model=model,
            style=options.style,
            seed=options.options.seed,
            prompt_tokens=self.prompt.tokens,
            new_tokens=self.completion.tokens,
            seconds=self.seconds,
        )


def fit_prompt(engine: LanguageModel, hits: Sequence[Hit], ending: str, options: Options) -> Prompt:
    """Build a prompt that leaves the model room to answer. Raises UsageError where the ending alone is too long."""
    budget = max(0, engine.context - options.max_new_tokens)
    return build_prompt(hits, ending, budget, lambda text: count_tokens(engine, text))


def write_each(
    found: Sequence[Retrieved], generation: Generation, emit: Emit | None = None
) -> list[Written | RagcliError]:
    """Write an answer to each question; in the place of one that is too long stands the error.

    A single one is emitted as it comes. The time of what is done together is shared out evenly.
    """
    engine = generation.open()
    if len(found) == 1:
        return [_write_one(found[0], engine, generation, emit)]
    prompts = [_prompt(one, engine, generation) for one in found]
    usable = [(place, prompt) for place, prompt in enumerate(prompts) if isinstance(prompt, Prompt)]
    usable.sort(key=lambda item: item[1].tokens)  # those of like length together
    clock = Clock()
    rules = [_copying(prompt, engine) for _, prompt in usable] if generation.copies else []
    texts = [prompt.text for _, prompt in usable]
    completions = complete_all(engine, texts, generation.options, [rule.allowed for rule in rules])
    share = clock.now() / max(len(usable), 1)
    pieces = [rule.copied() for rule in rules] or [()] * len(usable)
    written: dict[int, Written] = {}
    for (place, prompt), completion, copied in zip(usable, completions, pieces, strict=True):
        one = found[place]
        seconds = Seconds(one.seconds, None, round(one.seconds + share, 4))
        written[place] = Written(one, prompt, completion, seconds, copied)
    return [prompt if isinstance(prompt, RagcliError) else written[place] for place, prompt in enumerate(prompts)]


def _write_one(
    one: Retrieved, engine: LanguageModel, generation: Generation, emit: Emit | None
) -> Written | RagcliError:
    clock = Clock(one.seconds)
    prompt = _prompt(one, engine, generation)
    if isinstance(prompt, RagcliError):
        return prompt

    def heard(piece: str) -> None:
        if clock.first_token is None:
            piece = piece.lstrip()  # a model begins with the blank after "Answer:"
            if not piece:
                return
            clock.first_token = clock.now()
        if emit:
            emit(piece)

    if not generation.copies:
        completion = complete(engine, prompt.text, generation.options, heard)[0]
        return Written(one, prompt, completion, clock.seconds())
    copying = _copying(prompt, engine)
    completion = complete(engine, prompt.text, generation.options, None, copying.allowed)[0]
    return Written(one, prompt, completion, clock.seconds(), copying.copied())


def _prompt(one: Retrieved, engine: LanguageModel, generation: Generation) -> Prompt | RagcliError:
    try:
        return fit_prompt(engine, one.hits, generation.ending(one.question), generation.options)
    except UsageError as error:
        return error


def _copying(prompt: Prompt, engine: LanguageModel) -> Copying:
    return Copying(prompt.used, engine.encode, engine.end_ids)
