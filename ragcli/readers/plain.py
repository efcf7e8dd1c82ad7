"""Read plain text and subtitles."""

import re

from ragcli.readers.outline import Outline, Page
from ragcli.readers.restructured import read_rst

_RST = re.compile(r"^ *\.\. (?:_[^:\n]+:[ \t]*$|[\w-]+::)|:[a-z]+:`[^`\n]+`", re.MULTILINE)
_SOME_RST = 2  # marks
_TIMES = re.compile(r"^\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}\s+-->")
_CUE_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_PAUSE = 40  # cues in a paragraph, at most


def read_plain(text: str) -> Page:
    """Return the page of a plain text, which may turn out to be reStructuredText."""
    if len(_RST.findall(text)) >= _SOME_RST:
        return read_rst(text)
    outline = Outline({"line": 1})
    outline.add(text)
    return Page("", outline.sections())


def read_subtitles(text: str) -> Page:
    """Return the text of SubRip or WebVTT subtitles, without times."""
    outline = Outline()
    said: list[str] = []
    cues = 0
    for block in re.split(r"\n\s*\n", text.replace("\r", "")):
        lines = block.split("\n")
        start = next((i for i, line in enumerate(lines) if _TIMES.match(line)), None)
        if start is None:
            continue
        cues += 1
        for line in lines[start + 1 :]:
            spoken = _CUE_TAG.sub("", line).strip()
            if spoken and (not said or said[-1] != spoken):
                said.append(spoken)
        if cues % _PAUSE == 0:
            outline.add("\n".join(said))
            said = []
    outline.add("\n".join(said))
    return Page("", outline.sections())
