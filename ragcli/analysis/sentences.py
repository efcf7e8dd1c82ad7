"""Find sentence boundaries, in linear time."""

import re
from collections.abc import Iterator

from ragcli.analysis.abbreviations import BEFORE_NUMBERS, LETTERS, MONTHS, OTHERS, STARTERS, TITLES

_LOWER = "a-z\u00df-\u00f6\u00f8-\u00ff\u03ac-\u03ce\u0430-\u045f"  # Latin, Greek, Cyrillic
# A sentence ends after its final mark and closing quotes if a new one may begin there, at a blank line, and at a line
# end unless the next line begins in lower case or the line ends with a comma (hard-wrapped text).
_BOUNDARY = re.compile(
    rf"""(?<![.!?])[.!?]++["'”’“»)\]]*+(?:[ \u00a0\u202f]»)?+(?!\s++[–—-]\s++[{_LOWER}])  # the next is not lower case
          (?=\s++["'“‘„«(\[]*+(?:[^\s{_LOWER}]|[a-z]{{1,2}}[A-Z])|\s*+$)
      | (?<=[a-z]{{3}})(?P<tight>[.!?])(?=(?:The|It|He|She|We|They|This|In|But|And|A)\s)      # rye.The baker
      | [。！？｡।॥؟۔။។]+["'”’」』）)]*                     # no blank needed
      | (?<=[\u03ac-\u03ce])[;\u037e](?=\s|$)           # a Greek question
      | \n(?=[^\S\n]*+\n)                               # a paragraph
      | (?P<line>(?<![,，、])\n(?=[^a-z]) | (?<=[:：])\n)  # a line that may be independent
    """,
    re.VERBOSE,
)
_MARK = re.compile(r"[.!?\n。！？｡।॥؟۔။។;\u037e]")
_BEFORE = r"(?:^|(?<=[\s(\[\"'“‘„«]))"
_ALWAYS = re.compile(rf"{_BEFORE}(?:{TITLES})$")
_MOSTLY = re.compile(rf"{_BEFORE}(?:{LETTERS}|{OTHERS})$")
_NUMBERED = re.compile(rf"{_BEFORE}(?:{BEFORE_NUMBERS})$")
_NUMBER = re.compile(r"\s+[\d#IVX]")
_SMALL_LETTER = re.compile(rf"{_BEFORE}[a-z]$")
_CAPITAL_LETTER = re.compile(r"\s[A-ZÄÖÜ]\.")  # z. B.
_ORDINAL = re.compile(r"(?:^|[\s–-])\d{1,2}$")
_COUNTED = re.compile(rf"\s+(?:[–-]?\d{{1,2}}\.\s+)?(?:{MONTHS})")
_STARTER = re.compile(rf"\s+(?:{STARTERS})\s")
_CITATION = re.compile(r"\s+\([^()\n]{1,40}\d\)")  # "…" (Smith 55)
_DOTS = re.compile(r"(?:\s\.)+")
_DOTS_BEFORE = re.compile(r"\s\.(?:\s\.)*\s$")
_CAPITAL = re.compile(r"\s+[A-Z]")
_ITEM_NUMBER = re.compile(r"([•⁃◦·*-]?\s*)(\d{1,3}|[a-z])(\.\)|[.)])\s")
_NUMBER_BEFORE = re.compile(r"\s[•⁃◦·*-]?\s?(\d{1,3}|[a-z])$")
_DOTS_THAT_END = 3  # before the last one
_TITLE_WINDOW = 40  # characters of a Chinese title that may have marks in it
_WINDOW = 14  # characters of the longest abbreviation with its context
_LEAST_LINE = 20  # characters of a line that may continue
_LONGEST_LINE = 300  # characters before its end that are examined
_LEADS_ON = re.compile(
    r"\s(?:a|an|the|and|or|of|in|on|at|by|for|from|with|to|into|than|as|is|are|was|were|be|been|has|have|had|will|would"
    r"|can|could|may|might|that|which|who|whose|its|his|her|their|our|der|die|das|den|dem|des|ein|eine|einem|einer|und"
    r"|oder|von|vom|zu|mit|bei|ist|war|wurde|le|la|les|un|une|du|de|et|el|los|las|y|en|con|il|lo|gli|di|che|per)\r?$"
)
_SMALL_END = re.compile(r"[^\W\d_A-Z]\r?$")
_ITEM = re.compile(r"\s*(?:[^\w\s\"'“‘(]|\d+[.)]\s)")


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence in order, without the white space around it."""
    start = 0
    for match in _boundaries(text):
        if match.lastgroup == "line":
            if _goes_on(text, start, match.start()):
                continue
        elif _is_inside(text, start, match):
            continue
        yield from _items(text, start, match.end())
        start = match.end()
    yield from _items(text, start, len(text))


def _items(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut 1) one 2) two, which has no other marks, before each number."""
    for begin, stop in _stripped(text, start, end):
        item = _ITEM_NUMBER.match(text, begin, stop)
        while item:
            at = text.find(f" {_next_item(item)} ", begin, stop)
            item = _ITEM_NUMBER.match(text, at + 1, stop) if at >= 0 else None
            if item and text[item.end() : item.end() + 1].isupper():
                yield begin, at
                begin = at + 1
        yield begin, stop


def _previous(number: str) -> str:
    return str(int(number) - 1) if number.isdigit() else chr(ord(number) - 1)


def _next_item(item: re.Match[str]) -> str:
    bullet, number, mark = item.groups()
    following = str(int(number) + 1) if number.isdigit() else chr(ord(number) + 1)
    return f"{bullet}{following}{mark}"


def _is_inside(text: str, start: int, match: re.Match[str]) -> bool:
    """Return whether a mark does not end the sentence that began at `start`."""
    if match[0][0] in "。！？":
        first = max(start, match.start() - _TITLE_WINDOW)
        return text.rfind("《", first, match.start()) > text.rfind("》", first, match.start())
    if match[0][0] != ".":
        return False
    return (
        _is_item_number(text, start, match)
        or _is_ellipsis(text, start, match)
        or (len(match[0]) > 1 and _CITATION.match(text, match.end()) is not None)
        or _abbreviated(text, start, match)
    )


def _is_item_number(text: str, start: int, match: re.Match[str]) -> bool:
    """Return whether a full stop follows the number of an item, at its begin or after the item before."""
    while start < match.start() and text[start].isspace():
        start += 1
    item = _ITEM_NUMBER.match(text, start)
    if item is None:
        return False
    if item.end() - 1 == match.end():
        return True
    other = _NUMBER_BEFORE.search(text, max(start, match.start() - _WINDOW), match.start())
    return other is not None and f" {item[1]}{_previous(other[1])}{item[3]}" in f" {text[start : match.start()]}"


def _is_ellipsis(text: str, start: int, match: re.Match[str]) -> bool:
    """Return whether a full stop is one of spaced dots that end nothing: of four that stand apart the last one ends."""
    before = _DOTS_BEFORE.search(text, max(start, match.start() - _WINDOW), match.start())
    if dots := _DOTS.match(text, match.end()):
        return before is not None or text[match.start() - 1].isspace() or not _CAPITAL.match(text, dots.end())
    return before is not None and before[0].count(".") < _DOTS_THAT_END


def _boundaries(text: str) -> Iterator[re.Match[str]]:
    """Yield the matches of _BOUNDARY, searching for their first characters, which is much faster."""
    end = 0
    for mark in _MARK.finditer(text):
        if mark.start() >= end and (match := _BOUNDARY.match(text, mark.start())):
            end = match.end()
            yield match


def _abbreviated(text: str, start: int, match: re.Match[str]) -> bool:
    """Return whether a full stop belongs to an abbreviation within a sentence."""
    first, last = max(start, match.start() - _WINDOW), match.start()
    if _ALWAYS.search(text, first, last):
        return True
    if _NUMBERED.search(text, first, last):
        return _NUMBER.match(text, match.end()) is not None
    if _ORDINAL.search(text, first, last) and _COUNTED.match(text, match.end()):
        return True
    if _SMALL_LETTER.search(text, first, last) and _CAPITAL_LETTER.match(text, match.end()):
        return True
    return _MOSTLY.search(text, first, last) is not None and not _STARTER.match(text, match.end())


def _goes_on(text: str, start: int, end: int) -> bool:
    """Return whether a sentence continues after a line end: its last word demands it, or it began inside the line."""
    first = max(0, end - _LONGEST_LINE)
    line = max(text.rfind("\n", first, end) + 1, first)
    if end - line < _LEAST_LINE or text[end - 1] in ":：" or _ITEM.match(text, end + 1):
        return False
    if _LEADS_ON.search(text, end - _WINDOW, end):
        return True
    return start > line and _SMALL_END.search(text, end - 2, end) is not None


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
