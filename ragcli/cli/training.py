"""The command that trains: train."""

from pathlib import Path
from typing import Annotated

import typer

from ragcli import render
from ragcli.callbacks import Callbacks
from ragcli.cli import checks
from ragcli.cli.options import IndexArgs, Model, TextFormat, Where, command_line, filters, flat, is_given

_NEW = "Of a model made from nothing: "


@flat
def train(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(help="Texts: JSON Lines or plain text (.gz too), or questions with answers.")
    ],
    output: Annotated[
        str | None, typer.Option("--output", help="Name of the new model, or a path.", show_default=False)
    ] = None,
    model: Model = None,
    where: Where = None,
    reader: Annotated[
        bool, typer.Option("--reader", help="Train a reader: which text answers a question. --model: from which one.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of --output.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; say what the data are.")] = False,
    val_split: Annotated[float, typer.Option(min=0.0, max=0.9, help="Share of the documents to hold out.")] = 0.05,
    context_length: Annotated[
        int | None, typer.Option("--context", help="Tokens a row. [default: the model's context]", show_default=False)
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows at a time.")] = 8,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches a step.")] = 1,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="At its peak. [default: by the model's width]", show_default=False)
    ] = None,
    dropout: Annotated[float, typer.Option(min=0.0, max=0.9, help="Share of activations to drop.")] = 0.0,
    epochs: Annotated[
        float | None,
        typer.Option(min=0.0, help="Times through the data. [default: 3, or as long as told]", show_default=False),
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Steps at most.", show_default=False)] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Minutes at most, all runs together.", show_default=False)
    ] = None,
    save_minutes: Annotated[float, typer.Option(min=0.0, help="Minutes between two checkpoints.")] = 5.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the split, the order and the first weights.")] = 0,
    extend_vocabulary: Annotated[
        int, typer.Option(min=0, max=60_000, help="Tokens to learn for words that are split badly.")
    ] = 0,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="Make a new tokenizer and model.")] = False,
    layers: Annotated[int, typer.Option(min=1, help=_NEW + "layers.")] = 4,
    heads: Annotated[int, typer.Option(min=1, help=_NEW + "attention heads.")] = 4,
    width: Annotated[int, typer.Option(min=1, help=_NEW + "width.")] = 256,
    vocabulary: Annotated[int, typer.Option(min=257, max=500_000, help=_NEW + "tokens.")] = 8192,
    compile: Annotated[
        bool, typer.Option(help="Compile the model: takes about a minute, then trains twice as fast on a CPU.")
    ] = True,
    at: IndexArgs = IndexArgs(),
    format: TextFormat = "text",
) -> None:
    """Train GPT-2 on your texts or questions, or a reader.

    The new model is known by its name: ragcli generate "Once" --model film. With --reader it is a reader that is
    trained, on questions with answers.

    Example: ragcli train sample_data/film_reviews.jsonl --output film
    """
    from ragcli.models import DEFAULT_MODEL, find_model, trained_folder
    from ragcli.reader import find_reader
    from ragcli.train.config import Size, TrainConfig
    from ragcli.train.prepare import Passages
    from ragcli.train.reader import ReaderTrainConfig, run_reader
    from ragcli.train.run import dry_run as survey
    from ragcli.train.run import run

    checks.check(context, checks.TRAIN)
    if reader:
        reader_config = ReaderTrainConfig(
            batch=batch_size,
            rate=learning_rate or ReaderTrainConfig().rate,
            epochs=epochs,
            steps=max_steps,
            minutes=max_minutes,
            save_minutes=save_minutes,
            seed=seed,
            val_split=val_split,
        )
        source = Passages(at.location, is_given(context, "index"))
        with render.reader_steps() as told:
            read = run_reader(
                reader_config, files, find_reader(model), source, trained_folder(output or ""), resume, told
            )
        if read.interrupted:
            render.print_note(f"interrupted after step {read.steps}; go on with --resume")
            raise KeyboardInterrupt
        render.print_reader_training(read, format == "json")
        return
    config = TrainConfig(
        files=tuple(files),
        filters=tuple(filters(where)),
        scratch=Size(layers, heads, width, vocabulary) if from_scratch else None,
        extend=extend_vocabulary,
        val_split=val_split,
        seed=seed,
        context=context_length,
        batch=batch_size,
        accumulate=accumulate,
        rate=learning_rate,
        dropout=dropout,
        epochs=epochs,
        steps=max_steps,
        minutes=max_minutes,
        save_minutes=save_minutes,
        compile=compile,
    )
    passages = Passages(at.location, is_given(context, "index"))
    folder = None if from_scratch else find_model(model or DEFAULT_MODEL, allow_fallback=model is None)
    if folder and folder.note:
        render.print_note(folder.note)
    if dry_run:
        render.print_survey(survey(config, folder, passages, Callbacks(note=render.print_note)), format == "json")
        return
    with render.steps() as steps:
        callbacks = Callbacks(steps, render.print_note)
        done = run(config, folder, passages, trained_folder(output or ""), resume, command_line(context), callbacks)
    if done.interrupted:
        render.print_note(f"interrupted after step {done.steps}; go on with --resume")
        raise KeyboardInterrupt
    render.print_training(done, format == "json")
