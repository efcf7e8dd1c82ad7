"""The command that trains: train."""

from pathlib import Path
from typing import Annotated

import typer

from ragcli import render
from ragcli.callbacks import Callbacks
from ragcli.cli import checks
from ragcli.cli.options import IndexArgs, TextFormat, Where, command_line, filters, flat, is_given
from ragcli.cli.writing import Model

_NEW = "With --from-scratch: "


@flat
def train(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(help="Texts in JSON Lines or plain text (.gz too), or questions with answers.")
    ],
    output: Annotated[
        str | None, typer.Option("--output", help="Name of the new model, or a path.", show_default=False)
    ] = None,
    model: Model = None,
    where: Where = None,
    reader: Annotated[bool, typer.Option("--reader", help="Train a reader, starting from --model.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the last checkpoint of --output.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Describe the data and the training; write nothing.")
    ] = False,
    val_split: Annotated[float, typer.Option(min=0.0, max=0.9, help="Share of the documents to hold out.")] = 0.05,
    context_length: Annotated[
        int | None, typer.Option("--context", help="Tokens a row. [default: the model's context]", show_default=False)
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows at a time.")] = 8,
    accumulate: Annotated[int, typer.Option(min=1, help="Batches a step.")] = 1,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=0.0, help="Peak learning rate. [default: by the model's width]", show_default=False),
    ] = None,
    dropout: Annotated[float, typer.Option(min=0.0, max=0.9, help="Dropout probability.")] = 0.0,
    epochs: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Passes over the data. [default: 3, unless steps or minutes are given]", show_default=False
        ),
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Steps at most.", show_default=False)] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0.0, help="Minutes at most, all runs together.", show_default=False)
    ] = None,
    save_minutes: Annotated[float, typer.Option(min=0.0, help="Minutes between two checkpoints.")] = 5.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split, the order and new weights.")] = 0,
    extend_vocabulary: Annotated[
        int, typer.Option(min=0, max=60_000, help="Number of tokens to add for words that are split badly.")
    ] = 0,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="Make a new tokenizer and model.")] = False,
    layers: Annotated[int, typer.Option(min=1, help=_NEW + "layers.")] = 4,
    heads: Annotated[int, typer.Option(min=1, help=_NEW + "attention heads.")] = 4,
    width: Annotated[int, typer.Option(min=1, help=_NEW + "width.")] = 256,
    vocabulary: Annotated[int, typer.Option(min=257, max=500_000, help=_NEW + "tokens.")] = 8192,
    compile: Annotated[
        bool, typer.Option(help="Compile the model: takes about a minute, then trains twice as fast on a CPU.")
    ] = True,
    index_args: IndexArgs = IndexArgs(),
    format: TextFormat = "text",
) -> None:
    """Train GPT-2 on your texts or questions, or a reader.

    Use the new model by its name: ragcli generate "Once" --model film. With --reader, the files hold questions with
    answers, and the model is a reader, which decides which text answers a question.

    Example: ragcli train sample_data/film_reviews.jsonl --output film
    """
    from ragcli.models import DEFAULT_MODEL, find_model, trained_folder
    from ragcli.train.config import ReaderTrainConfig, Size, TrainConfig
    from ragcli.train.prepare import Passages
    from ragcli.train.reader import run_reader
    from ragcli.train.run import dry_run as survey
    from ragcli.train.run import run

    checks.check(context, checks.TRAIN)
    passages, as_json = Passages(index_args.location, is_given(context, "index")), format == "json"
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
        target = trained_folder(output or "")
        with render.reader_steps() as tell:
            read = run_reader(reader_config, files, model, passages, target, resume=resume, tell=tell)
        render.print_reader_training(read, as_json)
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
    folder = None if from_scratch else find_model(model or DEFAULT_MODEL, allow_fallback=model is None)
    if dry_run:
        render.print_survey(survey(config, folder, passages, Callbacks(note=render.print_note)), as_json)
        return
    if folder and folder.note:
        render.print_note(folder.note)
    with render.steps() as steps:
        callbacks = Callbacks(steps, render.print_note)
        target, command = trained_folder(output or ""), command_line(context)
        done = run(config, folder, passages, target, resume=resume, command=command, callbacks=callbacks)
    render.print_training(done, as_json)
