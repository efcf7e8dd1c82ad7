"""Split a text into blocks, the units of answers: a paragraph, list item, table row, entry, or code with its lead-in.

A block is a verbatim span of limited length. Its heads are spans outside it that say what it is about: the heading
above it, the term or option that it describes, its parent item, the column names of its table, the lead-in of its list.
Blocks are in order, do not overlap, and cover all of the text except white space.
"""

from collections.abc import Iterator
from typing import NamedTuple

from ragcli.analysis.languages import BIGRAMMED
from ragcli.analysis.sentences import sentence_spans
from ragcli.analysis.units import Span, Unit, read_units

SHORT = 60  # characters; a shorter block is merged with the one below it


class Block(NamedTuple):
    """Hold a block's span in a text, and the spans of its heads from the outermost to the nearest."""

    start: int
    end: int
    heads: tuple[Span, ...] = ()

    def head_of(self, text: str) -> str:
        """Return the heads as one line."""
        return " › ".join(" ".join(text[start:end].split()) for start, end in self.heads)

    def headed(self, title: str, text: str) -> tuple[str, str]:
        """Return the path of the document's title and the heads, and the block's own text."""
        return " › ".join(filter(None, (title, self.head_of(text)))), text[self.start : self.end]


class _Open(NamedTuple):
    """Hold a block that may still grow, and its last unit; `fed` if its lead-in already has content."""

    block: Block
    unit: Unit
    fed: bool = False


def block_size(language: str) -> int:
    """Return the maximal length of a block in a language, in characters."""
    return 180 if language in BIGRAMMED else 400


def headed_blocks(title: str, text: str, language: str) -> list[tuple[str, str]]:
    """Return the blocks of a text as pairs: the path of its title and heads, and the block's text."""
    return [block.headed(title, text) for block in find_blocks(text, block_size(language))]


def find_blocks(text: str, most: int = 400) -> list[Block]:
    """Return the blocks of a text in order, in linear time."""
    found: list[_Open] = []
    for unit in read_units(text):
        for start, end in _pieces(text, unit, most):
            piece = unit._replace(start=start, end=end)
            if found and _joins(text, found[-1], piece, most):
                found[-1] = _joined(found[-1], piece)
            else:
                found.append(_Open(Block(start, end, unit.heads), piece))
    return _outside(_without_short_ends([opened.block for opened in found], most))


def _joins(text: str, last: _Open, piece: Unit, most: int) -> bool:
    """Return whether a piece belongs to the block before it: after a lead-in, or because that block is short.

    Code below code stays together, and so do short indented lines separated by blank lines, apart from other text.
    """
    if piece.end - last.block.start > most or (piece.heading and not last.unit.heading):
        return False
    if last.unit.code and piece.code:
        return True
    if last.unit.leads and (piece.listed or not last.fed):
        return True
    if _is_indented(text, last.unit.start) and last.unit.end - last.unit.start < SHORT:
        return _is_indented(text, piece.start) and piece.heads == last.unit.heads
    return last.block.end - last.block.start < SHORT


def _is_indented(text: str, start: int) -> bool:
    return start > 0 and text[start - 1] in " \t" and not text[text.rfind("\n", 0, start) + 1 : start].strip()


def _joined(last: _Open, piece: Unit) -> _Open:
    """Add a piece to the block before it; a lead-in stays open for the rest of its list."""
    block = last.block._replace(end=piece.end)
    if last.unit.leads and piece.listed:
        return _Open(block, last.unit, fed=True)
    return _Open(block, piece)


def _without_short_ends(blocks: list[Block], most: int) -> list[Block]:
    """Merge a short block that could not join the next one into the one before, if both have the same heads."""
    kept: list[Block] = []
    for block in blocks:
        before = kept[-1] if kept else None
        short = block.end - block.start < SHORT
        if before and short and before.heads == block.heads and block.end - before.start <= most:
            kept[-1] = before._replace(end=block.end)
        else:
            kept.append(block)
    return kept


def _outside(blocks: list[Block]) -> list[Block]:
    """Remove heads that are inside the block itself."""
    return [
        block._replace(heads=tuple((start, end) for start, end in block.heads if end <= block.start))
        for block in blocks
    ]


def _pieces(text: str, unit: Unit, most: int) -> Iterator[Span]:
    """Split a long unit: code at line ends, other text at sentence ends, if necessary between words."""
    if unit.end - unit.start <= most:
        yield unit.start, unit.end
        return
    parts = _lines(text, unit) if unit.code else _sentences(text, unit)
    start = end = -1
    for part_start, part_end in (short for part in parts for short in _short(text, part, most)):
        if start >= 0 and part_end - start > most:
            yield start, end
            start = -1
        start, end = (part_start if start < 0 else start), part_end
    if start >= 0:
        yield start, end


def _sentences(text: str, unit: Unit) -> Iterator[Span]:
    for start, end in sentence_spans(text[unit.start : unit.end]):
        yield unit.start + start, unit.start + end


def _lines(text: str, unit: Unit) -> Iterator[Span]:
    at = unit.start
    for line in text[unit.start : unit.end].splitlines(keepends=True):
        if line.strip():
            yield at + len(line) - len(line.lstrip()), at + len(line.rstrip())
        at += len(line)


def _short(text: str, span: Span, most: int) -> Iterator[Span]:
    """Split a span between words, and a longer word between letters."""
    start, end = span
    while end - start > most:
        cut = next((at for at in range(start + most, start + most // 2, -1) if text[at].isspace()), start + most)
        stop = cut
        while text[stop - 1].isspace():
            stop -= 1
        yield start, stop
        start = cut
        while text[start].isspace():
            start += 1
    yield start, end
