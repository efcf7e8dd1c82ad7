"""Read plain text, AsciiDoc, Org and subtitles: text under headings."""

import re
from collections.abc import Iterator

from ragcli.readers.outline import Outline, Page
from ragcli.readers.restructured import read_rst

_RST = re.compile(r"^ *\.\. (?:_[^:\n]+:[ \t]*$|[\w-]+::)|:[a-z]+:`[^`\n]+`", re.MULTILINE)
_SOME_RST = 2  # marks
_TIMES = re.compile(r"^\s*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}\s+-->")
_CUE_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_PAUSE = 40  # cues in a paragraph, at most

_ASCIIDOC_HEADING = re.compile(r"(={1,6})\s+(\S.*)$")
_ASCIIDOC_SILENT = re.compile(
    r"(?::[\w-]+!?:.*|//(?!/).*|(?:include|ifdef|ifndef|endif|toc)::.*|\[\[.*\]\]|\[[^\]]*\]|\+)$"
)
_ASCIIDOC_FENCE = re.compile(r"(-{4,}|\.{4,}|`{3,})\s*\w*$")
_ASCIIDOC_BLOCK = re.compile(r"(?:={4,}|\*{4,}|_{4,}|\+{4,}|--|\|={3,})$")
_ASCIIDOC_INLINE = (
    (re.compile(r"(?:https?|link|xref|mailto|image):[^\s\[]*\[([^\]]*)\]"), r"\1"),
    (re.compile(r"<<[^<>,]*,\s*([^<>]*)>>"), r"\1"),
    (re.compile(r"<<([^<>]*)>>"), r"\1"),
    (re.compile(r"(?<!\w)([*_`#])(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"\{(?:nbsp|empty)\}"), " "),
)
_ORG_HEADING = re.compile(r"(\*{1,8})\s+(?:(?:TODO|DONE|NEXT|WAITING)\s+)?(?:\[#\w\]\s+)?(.*?)(?:\s+:[\w:@]+:)?\s*$")
_ORG_SETTING = re.compile(r"#\+(\w+):\s*(.*)$")
_ORG_FENCE = re.compile(r"#\+(?:begin|end)_(src|example)\b\s*(\w*)", re.IGNORECASE)
_ORG_INLINE = (
    (re.compile(r"\[\[[^\[\]]*\]\[([^\[\]]*)\]\]"), r"\1"),
    (re.compile(r"\[\[([^\[\]]*)\]\]"), r"\1"),
    (re.compile(r"(?<!\w)([*/=~_+])(?=\S)([^\n]+?)(?<=\S)\1(?!\w)"), r"\2"),
)
_LIST = re.compile(r"\s*(?:[-+•]|\*+|\.+|\d+[.)])\s+\S")


def read_plain(text: str) -> Page:
    """Return the page of a plain text, which may turn out to be reStructuredText."""
    if len(_RST.findall(text)) >= _SOME_RST:
        return read_rst(text)
    outline = Outline({"line": 1})
    outline.add(text)
    return Page("", outline.sections())


def read_asciidoc(text: str) -> Page:
    """Return the page of an AsciiDoc file; its title is its first heading."""
    outline = Outline({"line": 1})
    fence = ""
    for number, line, block in _paragraphs(text):
        if fence:
            if line.rstrip() == fence:
                outline.add("```\n" + "\n".join(block) + "\n```", whole=True)
                fence = ""
                block.clear()
            else:
                block.append(line)
        elif found := _ASCIIDOC_FENCE.match(line):
            _add(outline, block, _ASCIIDOC_INLINE)
            fence = line.rstrip() if found[1][0] != "`" else found[1]
        elif found := _ASCIIDOC_HEADING.match(line):
            _add(outline, block, _ASCIIDOC_INLINE)
            outline.heading(len(found[1]), _inline(found[2], _ASCIIDOC_INLINE), {"line": number})
        elif not line.strip() or _ASCIIDOC_BLOCK.match(line):
            _add(outline, block, _ASCIIDOC_INLINE)
        elif not _ASCIIDOC_SILENT.match(line):
            block.append(line.removeprefix("."))
    sections = outline.sections()
    return Page(outline.title, sections)


def read_org(text: str) -> Page:
    """Return the page of an Org file; its title is `#+TITLE`, or else its first heading."""
    outline = Outline({"line": 1})
    title = ""
    code = False
    for number, line, block in _paragraphs(text):
        if found := _ORG_FENCE.match(line.strip()):
            if code:
                outline.add("```\n" + "\n".join(block) + "\n```", whole=True)
                block.clear()
            else:
                _add(outline, block, _ORG_INLINE)
            code = not code
        elif code:
            block.append(line)
        elif found := _ORG_HEADING.match(line):
            _add(outline, block, _ORG_INLINE)
            outline.heading(len(found[1]), _inline(found[2], _ORG_INLINE), {"line": number})
        elif found := _ORG_SETTING.match(line):
            title = found[2] if found[1].lower() == "title" else title
        elif not line.strip():
            _add(outline, block, _ORG_INLINE)
        elif not line.lstrip().startswith((":", "#")):
            block.append(line)
    return Page(title or outline.title, outline.sections())


def _paragraphs(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield each line with its number, and the list that collects lines; a blank line at the end."""
    block: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        yield number, line.rstrip("\r"), block


def _add(outline: Outline, block: list[str], inline: tuple[tuple[re.Pattern[str], str], ...]) -> None:
    if block:
        outline.add(_inline("\n".join(block), inline), whole=bool(_LIST.match(block[0])))
        block.clear()


def _inline(text: str, patterns: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    for pattern, kept in patterns:
        text = pattern.sub(kept, text)
    return text


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
