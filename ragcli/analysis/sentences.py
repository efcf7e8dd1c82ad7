"""Sentence boundaries."""

import re
from collections.abc import Iterator

# A sentence ends after its mark and closing quotes where a new one may begin, at a blank line, and at a line end
# unless the next line goes on in small letters or the line ends with a comma (hard-wrapped text).
_BOUNDARY = re.compile(
    r"""[.!?]+["'”’)\]]*(?=\s+["'“‘(\[]*[^\sa-z]|\s*$)   # Latin: the next word does not begin small
      | [。！？｡]+["'”’」』）)]*                             # CJK: no blank needed
      | \n(?=\s*\n)                                      # a paragraph
      | (?<![,，、])\n(?=[^a-z]) | (?<=[:：])\n            # a line that stands for itself
    """,
    re.VERBOSE,
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'“‘])(?:[A-Z]|(?:[A-Za-z]\.)+[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Gen|Col|Lt|Sen|Rep|Gov|vs|cf|al|ca|approx"
    r"|Fig|fig|Eq|eq|No|Nos|no|Vol|vol|Ch|Sec|pp|p|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)$"
)


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence in order, without the white space around it."""
    start = 0
    for match in _BOUNDARY.finditer(text):
        if match[0][0] == "." and _ABBREVIATION.search(text, max(start, match.start() - 12), match.start()):
            continue
        yield from _stripped(text, start, match.end())
        start = match.end()
    yield from _stripped(text, start, len(text))


def _stripped(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
