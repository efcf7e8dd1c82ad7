"""Split a document into passages at sentence ends, never within a list, table or code block that fits into one."""

from collections.abc import Iterator, Sequence

from ragcli.analysis.sentences import sentence_spans
from ragcli.documents import Passage, Span


def split_passages(text: str, size: int, whole: Sequence[Span] = ()) -> list[Passage]:
    """Split a text into passages of at most `size` characters, at sentence ends if possible.

    Passages do not overlap, have no white space at their ends, and together contain every other character. A sentence
    longer than `size` is split at white space, or anywhere if it has none. The spans in `whole` (sorted, disjoint) are
    not split if they fit.
    """
    if len(text) <= size and text.strip() == text:
        return [Passage(0, text)]
    passages: list[Passage] = []
    start = end = -1
    for left, right in _pieces(text, size, whole):
        if start >= 0 and right - start > size:
            passages.append(Passage(start, text[start:end]))
            start = left
        start = left if start < 0 else start
        end = right
    if start >= 0:
        passages.append(Passage(start, text[start:end]))
    return passages


def _pieces(text: str, size: int, whole: Sequence[Span]) -> Iterator[Span]:
    at = 0
    for left, right in whole:
        yield from _sentences(text, at, left, size)
        if 0 < right - left <= size:
            yield left, right
        else:
            yield from _lines(text, left, right, size)
        at = right
    yield from _sentences(text, at, len(text), size)


def _lines(text: str, start: int, end: int, size: int) -> Iterator[Span]:
    """Split a long list, table or code block at line ends, and its long lines at sentence ends."""
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        line = text[start:stop]
        if len(line) > size:
            yield from _sentences(text, start, stop, size)
        elif line and not line.isspace():
            yield start + len(line) - len(line.lstrip()), start + len(line.rstrip())
        start = stop + 1


def _sentences(text: str, begin: int, stop: int, size: int) -> Iterator[Span]:
    for left, right in sentence_spans(text if stop - begin == len(text) else text[begin:stop]):
        start, end = begin + left, begin + right
        while end - start > size:
            cut = max(text.rfind(" ", start, start + size + 1), text.rfind("\n", start, start + size + 1))
            cut = cut if cut > start else start + size
            yield start, start + len(text[start:cut].rstrip())
            start = cut
            while start < end and text[start].isspace():
                start += 1
        if start < end:
            yield start, end
