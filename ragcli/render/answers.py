"""Print answers: what supports each sentence, the sources, and on demand what in them is cited."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from ragcli.render.base import CONTROL, clean, console, line, on_terminal, print_json, print_note, print_text
from ragcli.render.texts import note_dropped

if TYPE_CHECKING:
    from rich.text import Text

    from ragcli.answer.schema import Answer, Source

_WHOLE = 1_500  # characters of a passage that is shown whole; of a longer one, what is cited
_AROUND = 200  # and so many before and after


@contextmanager
def writing(shown: bool) -> Iterator[Callable[[str], None] | None]:
    """Show a text while it is being written, if it is to be shown; once whole it goes, for print_answer to print it."""
    if not shown:
        yield None
        return
    from rich.live import Live
    from rich.text import Text

    terminal, text = console(), ""
    live = Live(console=terminal, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    with ExitStack() as stack:

        def add(piece: str) -> None:
            nonlocal text
            if not text:
                stack.enter_context(live)
            text += piece
            live.update(Text(clean(text[-terminal.width * (terminal.height - 2) :])), refresh=True)

        yield add
        live.transient = True


def print_answer(answer: "Answer", key: str, as_json: bool, show_sources: bool = False) -> None:
    """Print an answer with its sources, with what is cited of them on demand. `key` names the question in JSON."""
    if as_json:
        print_json(answer.as_json(key))
        return
    if answer.abstained:
        print_note(_silence(answer))
    else:
        _print(_text(answer))
        print_text("")
    _note_unsupported(answer)
    print_sources(answer, show_sources)
    note_dropped(answer.dropped)


def write_answers(
    answers: Iterable[tuple[str, "Answer"]], output: Path | None, progress: Callable[[int], None]
) -> None:
    """Write each answer as a line of JSON with the id of its question, to the end of a file or to stdout."""
    with output.open("ab") if output else nullcontext() as file:
        for count, (line_id, answer) in enumerate(answers, 1):
            content = {"id": line_id, **answer.as_json()}
            if file is None:
                print_json(content)
            else:
                file.write(orjson.dumps(content) + b"\n")
                file.flush()
            progress(count)


def print_reply(answer: "Answer") -> None:
    """Print what is answered in a conversation, or that there is no answer; its sources are for who asks for them."""
    if answer.abstained:
        print_text(_silence(answer))
    else:
        _print(_text(answer))
    _note_unsupported(answer)


def print_sources(answer: "Answer", show: bool) -> None:
    """Print the sources of an answer, those cited where some are; on demand also the passages, what is cited marked."""
    cited = {sentence.source for sentence in answer.sentences} if answer.style != "free" else set()
    for source in answer.sources:
        if cited and source.n not in cited:
            continue
        _print(_source(source))
        if show:
            here = (sentence for sentence in answer.sentences if sentence.source == source.n)
            _print(_passage(source.text, sorted((s.start - source.start, s.end - source.start) for s in here)))
            print_text("")


def _silence(answer: "Answer") -> str:
    if answer.confidence is None:
        return "I don't know: no passage is good enough to answer from. The nearest are the sources."
    sure = f"I don't know: {answer.confidence:.0%} sure is too little to answer. "
    return sure + "The nearest passages are the sources; --min-confidence 0 answers all the same."


def _note_unsupported(answer: "Answer") -> None:
    unsupported = sum(sentence.source is None for sentence in answer.sentences)
    if unsupported:
        print_note(f"{unsupported} of {len(answer.sentences)} sentences stand in no source.")


def _print(text: "Text") -> None:
    if on_terminal():
        console().print(text)
    else:
        print_text(text.plain)


def _text(answer: "Answer") -> "Text":
    """Return an answer with the number of its source after each sentence; what no source supports is dimmed."""
    from rich.text import Text

    shown, at, free = Text(), 0, answer.style == "free"
    for sentence in answer.sentences:
        start = answer.answer.index(sentence.text, at)
        shown.append(clean(answer.answer[at:start]), "" if free else "cyan")
        at = start + len(sentence.text)
        own = clean(sentence.text) if free else line(sentence.text)
        shown.append(own, "dim" if sentence.source is None else "")
        if free and sentence.source:
            shown.append(f" [{sentence.source}]", "cyan")
    return shown.append(clean(answer.answer[at:]), "" if free else "cyan")


def _source(source: "Source") -> "Text":
    from rich.text import Text

    place = f"  {line(source.id)} {source.start}-{source.end}  {source.score:.2f}"
    return Text.assemble((f"[{source.n}] ", "cyan"), (line(source.title or source.id), "bold"), (place, "dim"))


def _passage(text: str, cited: Sequence[tuple[int, int]]) -> "Text":
    """Return a passage with what is cited marked; of a long one, what is cited with what stands around it."""
    from rich.text import Text

    whole = Text(CONTROL.sub("\ufffd", text.replace("\r\n", " \n")))
    for start, end in cited:
        whole.stylize("bold yellow", start, end)
    shown = Text()
    for start, end in _stretches(text, cited):
        shown.append("… " if start else "").append(whole[start:end]).append(" …\n" if end < len(text) else "")
    shown.rstrip()
    return shown


def _stretches(text: str, cited: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what to show of a passage, in order and without overlap."""
    if len(text) <= _WHOLE:
        return [(0, len(text))]
    found: list[tuple[int, int]] = []
    for left, right in cited or [(0, _AROUND)]:
        start = text.rfind(" ", 0, max(0, left - _AROUND)) + 1
        end = text.find(" ", min(len(text), right + _AROUND))
        end = end if end >= 0 else len(text)
        if found and start <= found[-1][1]:
            start, end = found[-1][0], max(end, found.pop()[1])
        found.append((start, end))
    return found
