"""Print answers with their citations and sources."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from ragcli.analysis.languages import HAN, KANA
from ragcli.counts import counted
from ragcli.render.base import CONTROL, clean, console, line, on_terminal, print_json, print_note, print_text
from ragcli.render.links import linked
from ragcli.render.markup import shown_spans
from ragcli.render.texts import note_dropped

if TYPE_CHECKING:
    from rich.text import Text

    from ragcli.answer.schema import Answer, Source

_WHOLE = 1_500  # characters of a passage that is shown whole; of a longer one, only the cited parts
_AROUND = 200  # characters of context around these
_BULLET = re.compile(r"\A(?:[-*+•]|\d{1,3}[.)])\s+(?=\S)")  # of a list item that becomes a sentence of a paragraph
# A line break within a sentence: nothing between two Chinese or Japanese characters, else a blank.
_WRAPPED = re.compile(rf"(?P<joined>(?<=[{HAN}{KANA}，。、；：])\s*\n\s*(?=[{HAN}{KANA}]))|\s*\n\s*")
_SURE = (("sure", 0.8), ("likely", 0.6), ("unsure", 0.0))  # confidence from which on each word is used


@contextmanager
def writing(shown: bool) -> Iterator[Callable[[str], None] | None]:
    """Show a text while it is written, if `shown`, and clear it at the end, for print_answer to print it."""
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
    """Print an answer with its sources, optionally with their text. `key` names the question in JSON."""
    if as_json:
        print_json(answer.as_json(key))
        return
    if answer.abstained:
        _print_no_answer(answer)
    else:
        _print(_text(answer))
        print_text("")
    _note_unsupported(answer)
    if not _says_nothing(answer):
        print_sources(answer, show_sources)
    note_dropped(answer.dropped)


def write_answers(
    answers: Iterable[tuple[str, "Answer"]], output: Path | None, progress: Callable[[int], None]
) -> None:
    """Append each answer as a line of JSON, with the id of its question, to a file or stdout."""
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
    """Print an answer of a conversation, or that there is none, without its sources."""
    if answer.abstained:
        print_note(silence(answer))
        if answer.nearest:
            _print(_shown(answer.nearest.text))
    elif answer.sentences:
        _print(_text(answer))
    else:
        print_text(answer.answer)
    _note_unsupported(answer)


def print_sources(answer: "Answer", show: bool) -> None:
    """Print the cited sources of an answer, or all if none is cited; with `show`, also their marked text."""
    cited = {sentence.source for sentence in answer.sentences} if answer.style != "free" else set()
    if answer.nearest:
        cited = {answer.nearest.source}
    for source in answer.sources:
        if cited and source.n not in cited:
            continue
        _print(_source(source))
        if show:
            here = (sentence for sentence in answer.sentences if sentence.source == source.n)
            _print(_passage(source.text, sorted((s.start - source.start, s.end - source.start) for s in here)))
            print_text("")


def _print_no_answer(answer: "Answer") -> None:
    """Print that there is no answer, and the nearest text."""
    print_note(silence(answer))
    if answer.nearest:
        nearest = answer.nearest
        _print(_shown(nearest.text).append(f" [{nearest.source}]", "cyan"))
        print_text("")


def silence(answer: "Answer") -> str:
    """Say why there is no answer."""
    if answer.missing:
        names = " and ".join(one.name for one in answer.missing)
        near = [one.nearest for one in answer.missing if one.nearest]
        said = f"the texts do not mention {names}" + (f"; the nearest name is {' and '.join(near)}" if near else "")
        return said + (". This may help:" if answer.nearest else "")
    if answer.nearest:
        return "no certain answer; this may help:"
    if _says_nothing(answer):
        return "no answer: the texts say nothing about it. Try other words, or index more texts."
    return "no certain answer: no passage is good enough. These are the nearest:"


def _says_nothing(answer: "Answer") -> bool:
    """Return whether the texts were read, and nothing in them is on the subject of the question."""
    return answer.abstained and answer.confidence is not None and not answer.nearest


def _note_unsupported(answer: "Answer") -> None:
    unsupported = sum(sentence.source is None for sentence in answer.sentences)
    if unsupported:
        share = f"{unsupported} of {counted(len(answer.sentences), 'sentence', 'sentences')}"
        print_note(f"{share} {'is' if unsupported == 1 else 'are'} not supported by a source.")


def _print(text: "Text") -> None:
    if on_terminal():
        console().print(text)
    else:
        print_text(text.plain)


def _text(answer: "Answer") -> "Text":
    """Return an answer with source numbers after each sentence or block, and its confidence in words."""
    if answer.style == "free":
        return _written(answer)
    from rich.text import Text

    shown = Text()
    for sentence in answer.sentences:
        if shown:
            shown.append("\n\n" if _in_blocks(answer) else " ")
        span = (sentence.span.start - sentence.start, sentence.span.end - sentence.start) if sentence.span else None
        text = (
            sentence.text
            if _in_blocks(answer)
            else _WRAPPED.sub(lambda found: "" if found["joined"] else " ", _BULLET.sub("", sentence.text))
        )
        shown.append(_shown(text, span)).append(f" [{sentence.source}]", "cyan")
    if answer.confidence is not None and on_terminal():
        shown.append(f"  {_in_words(answer.confidence)}", "dim")
    return shown


def _in_blocks(answer: "Answer") -> bool:
    """Return whether an answer is shown in paragraphs: an extract for a question, which has a confidence."""
    return answer.confidence is not None


def _in_words(confidence: float) -> str:
    return next(word for word, least in _SURE if confidence >= least)


def _shown(text: str, deciding: tuple[int, int] | None = None) -> "Text":
    """Return text of a document without its markup, the deciding words in bold."""
    from rich.text import Text

    whole = Text()
    for start, end, piece in shown_spans(text):
        part = Text(clean(piece))
        if deciding:
            part.stylize("bold", max(0, deciding[0] - start), max(0, min(deciding[1], end) - start))
        whole.append(part)
    whole.rstrip()
    return whole


def _written(answer: "Answer") -> "Text":
    """Return a free answer with source numbers after each sentence; unsupported ones are dimmed."""
    from rich.text import Text

    shown, at = Text(), 0
    for sentence in answer.sentences:
        start = answer.answer.index(sentence.text, at)
        shown.append(clean(answer.answer[at:start]))
        at = start + len(sentence.text)
        shown.append(clean(sentence.text), "dim" if sentence.source is None else "")
        if sentence.source:
            shown.append(f" [{sentence.source}]", "cyan")
    return shown.append(clean(answer.answer[at:]))


def _source(source: "Source") -> "Text":
    from rich.text import Text

    copies = f"  {source.copies} copies" if source.copies > 1 else ""
    name = f"{line(source.id)} " if source.title not in ("", source.id) else ""
    score = f"  {source.score:.2f}" if source.score else ""  # of a search
    place = f"  {name}{source.start}-{source.end}{score}{copies}"
    return Text.assemble(
        (f"[{source.n}] ", "cyan"), (line(source.title or source.id), "bold"), (place, linked(source.metadata))
    )


def _passage(text: str, cited: Sequence[tuple[int, int]]) -> "Text":
    """Return a passage with the cited text marked; of a long one, only that text with its context."""
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
    """Return the spans of a passage to show, in order and without overlap."""
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
