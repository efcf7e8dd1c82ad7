"""Read the units of a text (paragraphs, list items, table rows, entries, code), each with its heads."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ragcli.analysis.lines import Kind, Line, read_lines
from ragcli.analysis.sentences import sentence_spans

Span = tuple[int, int]

_LONGEST_HEAD = 100
_LONGEST_TERM = 80
_LONGEST_QUESTION = 160
_WIDEST = 100  # characters of the longest line of hard-wrapped text
_NARROWEST = 40
_LONGEST_WORD = 200
_HEAD_END = re.compile(r"[:：]\s|\s[–—-]{1,2}\s|[.!?。！？]\s|\n")
_ENDED = re.compile(r"""[.!?…,;。！？；，]["'”’)\]*_`]*$""")
SESSION = re.compile(r"(?:>>>|\$) \S")  # what is typed at a prompt
_LEADS = re.compile(r"[:：][*_`]*$|::$")
_QUESTION = re.compile(r"[?？][*_]*$")


class Unit(NamedTuple):
    """Hold a span that belongs together, and its heads.

    A unit `leads` if the next one belongs to it: a heading, a question, a text that ends in a colon. `listed` are
    items, rows and code, which a lead-in absorbs as far as they fit.
    """

    start: int
    end: int
    heads: tuple[Span, ...] = ()
    leads: bool = False
    listed: bool = False
    heading: bool = False
    code: bool = False


class _Parent(NamedTuple):
    """Hold a head, and the indentation at which its content ends."""

    indent: int
    head: Span


def read_units(text: str) -> Iterator[Unit]:
    """Yield the units of a text in order."""
    return _Units(text).read()


class _Units:
    """Read units line by line, keeping track of their heads."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = list(read_lines(text))
        self.at = 0
        self.headings: list[tuple[int, Span]] = []
        self.asked: Span | None = None
        self.lead: Span | None = None
        self.parents: list[_Parent] = []
        self.columns: Span | None = None
        self.term: Span | None = None

    def read(self) -> Iterator[Unit]:
        """Yield the units."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.kind == Kind.BLANK:
                self.term = self.columns = None
                self.at += 1
                continue
            while self.parents and line.indent <= self.parents[-1].indent:
                self.parents.pop()
            yield from self._unit(line)

    def _unit(self, line: Line) -> Iterator[Unit]:
        if line.kind == Kind.HEADING or self._is_underlined(line):
            yield self._heading(line)
        elif line.kind == Kind.FENCE:
            yield self._fence(line)
        elif SESSION.match(self.text, line.start):
            yield self._session(line)
        elif line.kind in (Kind.ROW, Kind.RULE):
            yield from self._table()
        elif line.kind == Kind.ITEM:
            yield self._item(line)
        else:
            yield from self._paragraphs(line)

    def _heads(self, *, listed: bool = False) -> tuple[Span, ...]:
        found = [span for _, span in self.headings]
        found += [self.asked] if self.asked else []
        found += [self.lead] if self.lead and listed else []
        found += [parent.head for parent in self.parents]
        found += [self.term] if self.term else []
        return tuple(found)

    def _is_underlined(self, line: Line) -> bool:
        below = self.lines[self.at + 1] if self.at + 1 < len(self.lines) else None
        length = line.end - line.start
        return (
            below is not None
            and below.kind == Kind.UNDERLINE
            and line.kind in (Kind.TEXT, Kind.LABEL, Kind.ITEM)
            and length <= _LONGEST_HEAD
            and below.end - below.start >= min(3, length)
            and (self.at == 0 or self.lines[self.at - 1].kind in (Kind.BLANK, Kind.UNDERLINE))
        )

    def _heading(self, line: Line) -> Unit:
        marks = self.text[line.start : line.end]
        end = line.end
        if line.kind == Kind.HEADING:
            level = len(marks) - len(marks.lstrip("#"))
            head = line.start + len(marks) - len(marks.lstrip("# ")), line.end
            self.at += 1
        else:
            below = self.lines[self.at + 1]
            level = 1 if self.text[below.start] == "=" else 2
            head, end = (line.start, line.end), below.end
            self.at += 2
        self.headings = [(other, span) for other, span in self.headings if other < level]
        self.asked = self.lead = self.columns = self.term = None
        self.parents = []
        unit = Unit(line.start, end, self._heads(), leads=True, heading=True)
        self.headings.append((level, head))
        return unit

    def _fence(self, line: Line) -> Unit:
        """Read a fenced block up to its closing fence."""
        heads = self._heads(listed=True)
        end = line.end
        self.at += 1
        while self.at < len(self.lines) and self.lines[self.at].kind in (Kind.CODE, Kind.FENCE):
            last = self.lines[self.at]
            end = last.end if last.end > last.start else end
            self.at += 1
            if last.kind == Kind.FENCE:
                break
        return Unit(line.start, end, heads, listed=True, code=True)

    def _session(self, line: Line) -> Unit:
        """Read the input at a prompt with its output, up to a blank line."""
        heads, end = self._heads(listed=True), line.end
        while self.at < len(self.lines) and self.lines[self.at].kind != Kind.BLANK:
            end = self.lines[self.at].end
            self.at += 1
        return Unit(line.start, end, heads, listed=True, code=True)

    def _table(self) -> Iterator[Unit]:
        """Read the rows of a table; the first is the head of the others if a rule follows it."""
        heads = self._heads(listed=True)
        columns: Span | None = None
        row: Line | None = None
        begun: int | None = None
        while self.at < len(self.lines) and self.lines[self.at].kind in (Kind.ROW, Kind.RULE):
            line = self.lines[self.at]
            self.at += 1
            if line.kind == Kind.RULE:
                if row is None or columns is not None:
                    begun = line.start if begun is None else begun
                    continue
                columns = row.start, row.end
                begun, row = row.start if begun is None else begun, line
                yield Unit(begun, line.end, heads, leads=True, listed=True)
                begun = row = None
                continue
            if row is not None:
                yield self._row(row, begun, heads, columns)
                begun = None
            row = line
        if row is not None:
            yield self._row(row, begun, heads, columns)
        elif begun is not None:
            yield Unit(begun, self.lines[self.at - 1].end, heads, listed=True)

    def _row(self, row: Line, begun: int | None, heads: tuple[Span, ...], columns: Span | None) -> Unit:
        return Unit(
            row.start if begun is None else begun, row.end, heads + ((columns,) if columns else ()), listed=True
        )

    def _item(self, line: Line) -> Unit:
        """Read an item with its continuation lines; text indented below it has it as its head."""
        heads = self._heads(listed=True)
        end = line.end
        self.at += 1
        while self.at < len(self.lines) and self.lines[self.at].kind in (Kind.TEXT, Kind.LABEL):
            more = self.lines[self.at]
            if more.indent <= line.indent and not self._is_wrapped(self.lines[self.at - 1], more):
                break
            end = more.end
            self.at += 1
        self.parents.append(_Parent(line.indent, self._short_head(line.start, end)))
        leads = bool(_LEADS.search(self.text, line.start, end))
        return Unit(line.start, end, heads, leads=leads, listed=True)

    def _is_wrapped(self, line: Line, following: Line) -> bool:
        """Return whether a line continues below: it has no final mark, or the next one begins in lower case."""
        if following.indent < line.indent and self.text[following.start].isupper():
            return False
        return _WIDEST >= line.end - line.start >= _NARROWEST and (
            self.text[following.start].islower() or not _ENDED.search(self.text, line.start, line.end)
        )

    def _short_head(self, start: int, end: int) -> Span:
        """Return the part of an item that names it: up to a colon, a dash, or the end of its first sentence."""
        stop = min(end, start + _LONGEST_HEAD)
        found = _HEAD_END.search(self.text, start + 3, stop)
        if found:
            return start, found.start() + (self.text[found.start()] in ".!?。！？")
        if stop < end:
            blank = self.text.rfind(" ", start + 3, stop)
            stop = blank if blank > 0 else stop
        return start, stop

    def _paragraphs(self, first: Line) -> Iterator[Unit]:
        """Read plain lines up to a blank one or another kind, as one paragraph or several."""
        begin = self.at
        while self.at < len(self.lines) and self._goes_on(begin):
            self.at += 1
        run = self.lines[begin : self.at]
        if self._names_an_entry(run):
            yield self._term(run)
            run = run[1:]
        paragraphs = _joined_labels(run) or list(_unwrapped(self.text, run))
        if self.term is None and not first.indent and not self._follows_lead(paragraphs):
            self.lead = None
        for start, end in paragraphs:
            yield self._paragraph(start, end)

    def _goes_on(self, begin: int) -> bool:
        line = self.lines[self.at]
        if line.kind not in (Kind.TEXT, Kind.LABEL, Kind.ASKED, Kind.UNDERLINE, Kind.CODE):
            return False
        if self.at == begin:
            return True
        if line.kind == Kind.ASKED or self._is_underlined(line) or SESSION.match(self.text, line.start):
            return False
        return line.indent >= self.lines[begin].indent or not self._ends_parent(line)

    def _ends_parent(self, line: Line) -> bool:
        return bool(self.parents) and line.indent <= self.parents[-1].indent

    def _names_an_entry(self, run: Sequence[Line]) -> bool:
        """Return whether the first line is a term, option or key that the lines below it describe."""
        if len(run) < 2 or run[0].kind == Kind.ASKED:
            return False
        line, below = run[:2]
        if line.end - line.start > _LONGEST_TERM or _ENDED.search(self.text, line.start, line.end):
            return False
        if below.indent > line.indent:
            return True
        words = self.text[line.start : line.end].split()
        rest = below.end - below.start
        return line.kind == Kind.TEXT and (len(words) <= 2 or words[0][0] in "-`[<") and rest > 2 * len(words[0])

    def _term(self, run: Sequence[Line]) -> Unit:
        line, below = run[:2]
        head = line.start, line.end
        unit = Unit(*head, self._heads(), leads=True)
        if below.indent > line.indent:
            self.parents.append(_Parent(line.indent, head))
        else:
            self.term = head
        return unit

    def _follows_lead(self, paragraphs: Sequence[Span]) -> bool:
        return bool(paragraphs) and bool(_LEADS.search(self.text, *paragraphs[-1]))

    def _paragraph(self, start: int, end: int) -> Unit:
        text = self.text[start:end]
        asks = end - start <= _LONGEST_QUESTION and bool(_QUESTION.search(text))
        leads = bool(_LEADS.search(text))
        if asks:
            self.asked = None
        unit = Unit(start, end, self._heads(), leads=asks or leads)
        if asks:
            self.asked = start, end
        elif leads:
            self.lead = self._last_sentence(start, end)
        return unit

    def _last_sentence(self, start: int, end: int) -> Span:
        """Return the last sentence, which leads in a list."""
        cut = max(self.text.rfind(mark, start, end) for mark in (". ", ".\n", "。", "? ", "! "))
        begin = max(cut + 1, start, end - 2 * _LONGEST_HEAD)
        while self.text[begin].isspace():
            begin += 1
        return begin, end


def _joined_labels(run: Sequence[Line]) -> list[Span]:
    """Return one span if two or more lines are all labels with values, else none."""
    if len(run) > 1 and all(line.kind == Kind.LABEL for line in run):
        return [(run[0].start, run[-1].end)]
    return []


def _inside_sentences(text: str, run: Sequence[Line]) -> set[int]:
    """Return the ends of the lines that end in the middle of a sentence."""
    begin, ends = run[0].start, iter([line.end for line in run[:-1]])
    found, at = set[int](), next(ends, None)
    for start, end in sentence_spans(text[begin : run[-1].end]):
        while at is not None and at < begin + end:
            if at > begin + start:
                found.add(at)
            at = next(ends, None)
    return found


def _unwrapped(text: str, run: Sequence[Line]) -> Iterator[Span]:
    """Join the lines of a paragraph: a line was wrapped if the next word would have made it too long."""
    if len(run) < 2:
        yield from ((line.start, line.end) for line in run)
        return
    widest = max(line.end - line.start + line.indent for line in run)
    inside = _inside_sentences(text, run)
    start, end = run[0].start, run[0].end
    for before, line in pairwise(run):
        word = text[line.start : min(line.end, line.start + _LONGEST_WORD)].split(maxsplit=1)[0]
        full = before.indent + before.end - before.start + 1 + len(word) > widest
        small = text[line.start].islower() and not _ENDED.search(text, before.start, before.end)
        if not (_NARROWEST <= widest <= _WIDEST and full) and not small and before.end not in inside:
            yield start, end
            start = line.start
        end = line.end
    yield start, end
