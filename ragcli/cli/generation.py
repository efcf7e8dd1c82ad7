"""The command that completes texts: generate."""

from functools import partial
from typing import Annotated

import typer

from ragcli import render
from ragcli.cli import checks
from ragcli.cli.options import TextFormat, flat
from ragcli.cli.writing import GenerationArgs, ModelArgs, TemplateArgs
from ragcli.inputs import read_argument, split_lines


@flat
def generate(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="Text to continue, or `-` for stdin.")],
    template_args: TemplateArgs = TemplateArgs(),
    model_args: ModelArgs = ModelArgs(),
    generation_args: GenerationArgs = GenerationArgs(),
    stop: Annotated[
        list[str] | None,
        typer.Option(help="Stop before this text; repeatable.", metavar="TEXT", show_default=False),
    ] = None,
    num_return_sequences: Annotated[int, typer.Option(min=1, max=100, help="Number of completions.")] = 1,
    lines: Annotated[bool, typer.Option("--lines", help="Complete each line as a separate prompt.")] = False,
    format: TextFormat = "text",
) -> None:
    """Complete a prompt with a language model.

    Example: ragcli generate "Once upon a time"
    """
    from ragcli.generate import check_json

    checks.check(context, checks.GENERATE)
    text = read_argument(prompt)
    if text.strip() and text.endswith(" "):
        render.print_note("The prompt ends with a blank; most models continue better without it.")
    template = template_args.find()
    write = partial(template.render, ()) if template else str
    prompts = list(map(write, split_lines(text) if lines else [text]))
    generator = model_args.named(template).open(as_text=template is None and generation_args.schema is None)
    options = generation_args.options(num_return_sequences, [*(stop or ()), *(template.stop if template else ())])
    if lines:
        completions = generator.generate_all(prompts, options)
        render.print_each(prompts, completions, generator.name, options.seed, format == "json")
        check_json(options, *completions)
        return
    streamed = format == "text" and render.on_terminal() and num_return_sequences == 1
    completions = (
        [render.stream(generator.generate(prompts[0], options))]
        if streamed
        else generator.generate_all(prompts, options)
    )
    render.print_completions(prompts[0], completions, generator.name, options.seed, format == "json", streamed)
    check_json(options, *completions)
