"""Print what was written: completions, prompts, answers with their sources."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from ragcli.render.base import clean, console, line, print_json, print_note, print_text

if TYPE_CHECKING:
    from rich.text import Text

    from ragcli.chat import Turn
    from ragcli.generate import Completion
    from ragcli.prompt import Prompt, Span
    from ragcli.rag import Answer, Source


def stream(piece: str) -> None:
    """Print a piece of text as it comes."""
    sys.stdout.write(clean(piece))
    sys.stdout.flush()


def print_completions(
    prompt: str, completions: Sequence["Completion"], model: str, seed: int, as_json: bool, streamed: bool
) -> None:
    """Print completions as a JSON object, or as text with a blank line between two; of a streamed one, its end only."""
    texts = [completion.text for completion in completions]
    if as_json:
        tokens = [completion.tokens for completion in completions]
        print_json({"prompt": prompt, "completions": texts, "model": model, "seed": seed, "new_tokens": tokens})
    elif streamed:
        print_text("")
    else:
        print_text("\n\n".join(text.strip("\n") for text in texts))


def print_each(
    prompts: Sequence[str], completions: Sequence["Completion"], model: str, seed: int, as_json: bool
) -> None:
    """Print the completion of each prompt: a JSON object a line, or texts with a blank line between two."""
    for n, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
        if n and not as_json:
            print_text("")
        print_completions(prompt, [completion], model, seed, as_json, streamed=False)


def print_prompt(prompt: "Prompt", as_json: bool) -> None:
    """Print a prompt, and on stderr what did not fit into it."""
    if as_json:
        fields = prompt._asdict()
        print_json(fields | {name: [item._asdict() for item in fields[name]] for name in ("used", "dropped")})
        return
    print_text(prompt.text)
    _note_dropped(prompt.dropped)


def print_answer(answer: "Answer", key: str, as_json: bool, streamed: bool) -> None:
    """Print an answer with its sources; the text itself only ends where it was streamed. `key` names the question."""
    if as_json:
        print_json(_answer_json(answer, key))
        return
    if answer.abstained:
        print_note("No passage is good enough to answer from; the nearest are listed.")
    else:
        print_text("" if streamed else answer.answer)
        print_text("")
    unsupported = sum(sentence.source is None for sentence in answer.sentences)
    if unsupported:
        print_note(f"{unsupported} of {len(answer.sentences)} sentences stand in no source.")
    print_sources(answer)
    _note_dropped(answer.dropped)


def write_answer(line_id: str, answer: "Answer", file: BinaryIO | None) -> None:
    """Write an answer as a line of JSON with the id of its question, to a file or to stdout."""
    line = {"id": line_id, **_answer_json(answer, "question")}
    if file is None:
        print_json(line)
    else:
        file.write(orjson.dumps(line) + b"\n")
        file.flush()


def prompted(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines as they are typed, with a mark before each where stdin is a terminal."""
    while True:
        if sys.stdin.isatty():
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = next(lines, None)
        if line is None:
            return
        yield line


def print_turn(turn: "Turn", as_json: bool) -> None:
    """Print the answer of a turn."""
    if as_json:
        print_json(_turn_json(turn))
    elif turn.answer.abstained:
        print_text("I don't know: no passage is good enough to answer from.")
    else:
        print_text(turn.answer.answer)


def write_turn(turn: "Turn", file: BinaryIO) -> None:
    """Write a turn as a line of JSON."""
    file.write(orjson.dumps(_turn_json(turn)) + b"\n")


def _turn_json(turn: "Turn") -> dict[str, Any]:
    return {"said": turn.said, **_answer_json(turn.answer, "question")}


def print_sources(answer: "Answer | None") -> None:
    """Print the sources of an answer, if there is one."""
    printer = console()
    for source in answer.sources if answer else ():
        printer.print(_source(source), soft_wrap=True)


def _note_dropped(spans: Sequence["Span"]) -> None:
    if spans:
        names = ", ".join(f"{span.id} {span.start}-{span.end}" for span in spans)
        print_note(f"not in the prompt, for lack of room: {names}")


def _source(source: "Source") -> "Text":
    from rich.text import Text

    place = f"  {line(source.id)} {source.start}-{source.end}  {source.score:.2f}"
    return Text.assemble((f"[{source.n}] ", "cyan"), (line(source.title or source.id), "bold"), (place, "dim"))


def _answer_json(answer: "Answer", key: str) -> dict[str, Any]:
    fields = answer._asdict()
    question = fields.pop("question")
    for name in ("sources", "sentences", "dropped"):
        fields[name] = [item._asdict() for item in fields[name]]
    fields["seconds"] = answer.seconds._asdict()
    return {key: question, **fields}
