"""The options for answering: the style, the model, the template of its prompt, and generation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ragcli import render, settings
from ragcli.cli.options import AskStyle, MinConfidence, MinScore, ReaderName, is_given
from ragcli.errors import UsageError
from ragcli.inputs import read_argument, read_schema

if TYPE_CHECKING:
    from ragcli.answer.answerer import AskOptions
    from ragcli.answer.schema import Style as AnswerStyle
    from ragcli.filters import Filter
    from ragcli.generate import Generator, LanguageModel, Options
    from ragcli.templates import Template

Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        envvar="RAGCLI_MODEL",
        help="Hub id, folder, GGUF file, name of a trained model, or smollm2. [default: gpt2]",
        show_default=False,
    ),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        envvar="RAGCLI_BASE_URL",
        help="OpenAI-compatible server that runs --model, such as http://localhost:11434/v1.",
        metavar="URL",
        show_default=False,
    ),
]
Precision = Annotated[
    Literal["auto", "float32", "int8", "int4"],
    typer.Option(
        "--precision", envvar="RAGCLI_PRECISION", help="Precision of GPT-2's weights on the CPU; auto is int8."
    ),
]
AsText = Annotated[
    bool,
    typer.Option("--as-text", help="Let the model go on with the prompt instead of answering it, for base models."),
]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Maximal number of tokens to generate.")]
Temperature = Annotated[float, typer.Option(min=0.0, help="Sampling temperature; 0 always takes the likeliest token.")]
TopP = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Sample from the likeliest tokens with this total probability.")
]
TopK = Annotated[int, typer.Option(min=0, help="Sample from this many likeliest tokens; 0 for all.")]
NoRepeat = Annotated[
    int, typer.Option("--no-repeat-ngram-size", min=0, help="Never repeat an n-gram of this size; 0 is off.")
]
MinP = Annotated[
    float,
    typer.Option(
        "--min-p", min=0.0, max=1.0, help="Sample from tokens with at least this share of the highest probability."
    ),
]
RepetitionPenalty = Annotated[
    float, typer.Option(min=1.0, max=10.0, help="Make generated tokens less likely to occur again; 1 is off.")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Random seed. [default: a new one each time]")]
Schema = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write JSON that conforms to this JSON Schema.", show_default=False),
]
TemplateName = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="NAME",
        help="Template of the prompt: qa, review, summary, translate, dialogue, message, your own, or a file.",
        show_default=False,
    ),
]
TemplateValues = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Set a variable of the template; repeatable.", show_default=False),
]
WrittenFrom = Annotated[
    Literal["passages", "blocks"] | None,
    typer.Option(
        "--evidence",
        help="Give the model whole passages, or only the blocks that answer. "
        "[default: blocks for models below a billion parameters, else passages]",
        show_default=False,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Keep only sentences that a source supports; if there are none, answer grounded."),
]


@dataclass(frozen=True)
class ModelArgs:
    """Choose a language model and its precision."""

    model: Model = None
    base_url: BaseUrl = None
    precision: Precision = "auto"
    as_text: AsText = False

    def open(self, as_text: bool = False, engine: bool = False) -> "Generator":
        """Open --model, or the default one; with `as_text` or --as-text, it continues the text.

        With `engine`, the model must be one that ragcli runs itself.
        """
        from ragcli.generate import open_model, open_remote

        as_text = as_text or self.as_text
        if self.base_url:
            return open_remote(self.base_url, self.model, settings.model_api_key(), as_text)
        return open_model(self.model, self.precision, render.print_note, as_text, engine)

    def for_style(self, style: str, template: "Template | None" = None) -> "Callable[[], Generator]":
        """Return a function that opens the model once; the style `copy` needs one that ragcli runs itself."""
        return cache(partial(self.named(template).open, engine=style == "copy"))

    def named(self, template: "Template | None") -> "ModelArgs":
        """Return the same with the template's model, if no option names one."""
        return replace(self, model=self.model or template.model) if template else self

    def open_engine(self, purpose: str) -> "LanguageModel":
        """Open the engine of --model, or of the default one, for a purpose that needs token probabilities."""
        from ragcli.generate import engine_of

        return engine_of(self.open(engine=True), purpose)


@dataclass(frozen=True)
class TemplateArgs:
    """Choose a template for the prompt."""

    template: TemplateName = None
    set: TemplateValues = None

    def find(self, **variables: object) -> "Template | None":
        """Return the template with its variables, those of --set in place of others, if one is named.

        Raises UsageError.
        """
        if self.template is None:
            return None
        from ragcli.templates import find_template

        pairs = [value.partition("=") for value in self.set or ()]
        if wrong := next((name for name, equals, _ in pairs if not equals), None):
            raise UsageError(f"--set {wrong} has no value", "Write --set NAME=VALUE.")
        return find_template(self.template).filled(
            {**variables, **{name: read_argument(value) for name, _, value in pairs}}
        )


@dataclass(frozen=True)
class GenerationArgs:
    """Configure generation."""

    max_new_tokens: MaxNewTokens = 100
    temperature: Temperature = 0.8
    top_p: TopP = 0.95
    top_k: TopK = 50
    min_p: MinP = 0.0
    no_repeat_ngram_size: NoRepeat = 2
    repetition_penalty: RepetitionPenalty = 1.0
    seed: Seed = None
    schema: Schema = None

    def options(self, rows: int = 1, stop: Sequence[str] = ()) -> "Options":
        """Return the options of generation, with a new seed if none is given."""
        from ragcli.decoder.sampling import Sampling
        from ragcli.generate import Options, new_seed

        sampling = Sampling(
            self.temperature, self.top_k, self.top_p, self.no_repeat_ngram_size, self.min_p, self.repetition_penalty
        )
        seed = new_seed() if self.seed is None else self.seed
        stops = tuple(read_argument(text) for text in stop)
        if "" in stops:
            raise UsageError("--stop is empty", "Give the text at which to stop.")
        return Options(self.max_new_tokens, sampling, seed, rows, stops, read_schema(self.schema))


MODEL = tuple(field.name for field in fields(ModelArgs))
GENERATION = tuple(field.name for field in fields(GenerationArgs))


@dataclass(frozen=True)
class AnswerArgs:
    """Configure answers."""

    min_score: MinScore = 0.0
    style: AskStyle = None
    min_confidence: MinConfidence = None
    evidence: WrittenFrom = None
    strict: Strict = False
    reader: ReaderName = None

    def options(
        self,
        context: typer.Context,
        generation: "Options",
        k: int,
        filters: "Sequence[Filter]" = (),
        template: "Template | None" = None,
    ) -> "AskOptions":
        """Return the options of answering."""
        from ragcli.answer.answerer import AskOptions

        return AskOptions(
            generation,
            k,
            filters,
            self.min_score,
            chosen_style(context, self.style, template),
            self.min_confidence,
            reader=self.reader,
            evidence=self.evidence,
            strict=self.strict,
            template=template,
        )


def chosen_style(
    context: typer.Context, style: "AnswerStyle | None", template: "Template | None" = None
) -> "AnswerStyle":
    """Return the style; by default the template's, else `free` if a model or generation option is given, or `grounded`.

    For a model or server the settings count as well, for other options only the command line.
    """
    sources = map(context.get_parameter_source, ("model", "base_url"))
    named = any(source is not None and source.name != "DEFAULT" for source in sources)
    named = named or any(is_given(context, option) for option in (*MODEL, *GENERATION))
    return style or (template.style if template else "free" if named else "grounded")
