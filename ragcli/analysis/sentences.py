"""Find sentence boundaries, in linear time."""

import re
from collections.abc import Iterator

# A sentence ends after its final mark and closing quotes if a new one may begin there, at a blank line, and at a line
# end unless the next line begins in lower case or the line ends with a comma (hard-wrapped text).
_BOUNDARY = re.compile(
    r"""(?<![.!?])[.!?]++["'”’)\]]*+(?=\s++["'“‘(\[]*+(?:[^\sa-z]|[a-z]{1,2}[A-Z])|\s*+$)  # the next is not lower case
      | (?<=[a-z]{3})(?P<tight>[.!?])(?=(?:The|It|He|She|We|They|This|In|But|And|A)\s)      # rye.The baker
      | [。！？｡।॥؟۔]+["'”’」』）)]*                     # no blank needed
      | \n(?=[^\S\n]*+\n)                               # a paragraph
      | (?P<line>(?<![,，、])\n(?=[^a-z]) | (?<=[:：])\n)  # a line that may be independent
    """,
    re.VERBOSE,
)
_MARK = re.compile(r"[.!?\n。！？｡।॥؟۔]")
_LETTERS = r"(?:[A-Z]|(?:[A-Za-z]\.)+[A-Za-z])"
_TITLE = (
    r"Mr|Mrs|Ms|Dr|Prof|St|Gen|Col|Lt|Sen|Rep|Gov|Capt|Sgt|Maj|Rev|Hon|Mt|Messrs|Dipl|Ing|med|phil|rer|nat|jur|Hr|Fr"
)
_OTHER = r"Jr|Sr|vs|cf|al|ca|approx|Inc|Ltd|Co|Corp|Bros|bzw|Str|usw|resp|incl|est"
_BEFORE_NUMBER = (
    r"Fig|fig|Figs|Eq|eq|No|Nos|no|Nr|Vol|vol|Ch|Sec|Art|pp|p|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec"
)
_BEFORE = r"(?:^|[\s(\[\"'“‘])"
_ALWAYS = re.compile(rf"{_BEFORE}(?:{_TITLE})$")
_MOSTLY = re.compile(rf"{_BEFORE}(?:{_LETTERS}|{_OTHER})$")
_NUMBERED = re.compile(rf"{_BEFORE}(?:{_BEFORE_NUMBER})$")
_NUMBER = re.compile(r"\s+[\d#IVX]")
# Beginnings of a sentence rather than a name, so that an abbreviation before them ends a sentence.
_STARTER = re.compile(
    r"\s+(?:The|It|He|She|We|They|You|I|This|That|These|Those|There|In|On|At|But|And|A|An|If|When|As|For|His|Her|Its"
    r"|Their|Our|My|What|Who|How|Why|Where)\s"
)
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
        elif match[0][0] == "." and _abbreviated(text, start, match):
            continue
        yield from _stripped(text, start, match.end())
        start = match.end()
    yield from _stripped(text, start, len(text))


def _boundaries(text: str) -> Iterator[re.Match[str]]:
    """Yield what _BOUNDARY finds, by the marks that it begins with: a set of characters is looked for much faster."""
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
