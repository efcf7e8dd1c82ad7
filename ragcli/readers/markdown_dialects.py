"""Convert extensions of site generators to plain Markdown: admonitions, tabs, definitions, shortcodes, MDX.

Each line stays on its line, so that line numbers hold.
"""

import re

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_INDENTED = re.compile(r"(\s*)(?:!!!|\?\?\?\+?|===)[+!]?\s+(.*)$")  # Material for MkDocs: the content is indented
_DEFINITION = re.compile(r"(\s*):\s{1,3}(?=\S)(.*)$")  # its further paragraphs are indented
_BLOCK_ID = re.compile(r"\s\^[A-Za-z0-9][\w-]{3,}$")  # Obsidian's, at the end of a paragraph
_CONTAINER = re.compile(r"\s*(?::{3,}|/{3,})\s*(.*)$")  # Docusaurus, VitePress, pymdownx.blocks: the content is fenced
_ALERT = re.compile(r"(\s*>\s*)\[!(\w+)\][+-]?\s*(.*)$")
_HEADING_ATTRIBUTES = re.compile(
    r"^(\s{0,3}#{1,6}\s.*?)\s*(?:\{[:#.][^{}]*\}|\{\s*[#.][^{}]*\}|<a\b[^>]*>\s*</a>)\s*#*\s*$"
)
_ATTRIBUTES = re.compile(r"\{:?\s*[#.][\w-][^{}\n]*\}|\{:[^{}\n]*\}")
# What ends on its line is looked for within limits, so that the time stays in proportion to the text.
_SHORTCODE = re.compile(
    r"\{\{[<%].{0,999}?[>%]\}\}|\{%.{0,999}?%\}|\{\*.{0,999}?\*\}|\{!.{0,999}?!\}|\{/\*.{0,999}?\*/\}"
)
_INCLUDE = re.compile(
    r"\s*(?:\{\{(?!\{).*\}\}\s*$|--8<--|<<<\s|@include|\[TOC\]|\[\[toc\]\]|\[\[_TOC_\]\]|\{\{#\w+ )", re.IGNORECASE
)
_MDX = re.compile(r"(?:import\s+(?:[\w*{}\s,]+\s+from\s+)?['\"]|export\s+(?:const|default|function|let|\{|\*))")
_IMPORT = re.compile(r"import\s+[\w*{}\s,]+\s+from\s+(?:'[^']*'|\"[^\"]*\");?\s*$")  # Docusaurus reads .md as MDX
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MYST_ROLE = re.compile(r"\{[\w:+.-]+\}(`{1,9})(?!`)(.{1,999}?)(?<!`)\1(?!`)")
_MYST_TARGET = re.compile(r"\s*<[^<>]*>$")
_MYST_MARK = re.compile(r"\s*\([\w:.-]+\)=\s*$")
_COMPUTED_LINK = re.compile(r"\]\(\{\{.{0,999}?\}\}[^)\s]{0,999}\)")
_CODE_SPAN = re.compile(r"(`[^`]+`)")
_LABEL = re.compile(r'(?:inline(?:\s+end)?\s+)?["“](.*?)["”]|\|\s*(.+)|^[\w-]+\[(.+)\]$')
_SETTINGS = re.compile(r"(?<=\w)\{([^{}]*)\}|\s*\{.*\}\s*$")
_SET_TITLE = re.compile(r"title=[\"']?([^\"'{}]+)")
_NAMED = re.compile(r"(\w[\w-]*)\s*(.*)")
_MARKS = frozenset("`~!?=:/>#({-<@[")  # with which a line begins that is taken as a whole
_INDENT = 4
_LINE_END = "  "  # a hard one


def plain_markdown(text: str, *, mdx: bool = False) -> str:
    """Return a text with the usual extensions converted to plain Markdown."""
    last = text.rfind("-->") + len("-->")  # after it a comment would be looked for in vain, again and again
    text = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text[:last]) + text[last:]
    lines = text.expandtabs(4).split("\n")
    out: list[str] = []
    fence = ""
    open_blocks: list[int] = []  # indentation of open admonitions
    defines = False  # within the first paragraph of a definition, whose lines need no indentation
    for line in lines:
        defines = defines and bool(line.strip())
        if open_blocks and not defines and (shift := _shift(line, open_blocks)):
            line = line[shift:] if line[:shift].isspace() else line.lstrip()
        marked = line.lstrip()[:1] in _MARKS
        if marked and (mark := _FENCE.match(line)):
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1]
        elif not fence and marked and (found := _INDENTED.match(line)):
            open_blocks.append(len(found[1]) + _INDENT * (len(open_blocks) + 1))
            line = found[1] + _label(found[2])
        elif not fence and marked and not defines and (found := _DEFINITION.match(line)):
            open_blocks.append(len(found[1]) + _INDENT * (len(open_blocks) + 1))
            line, defines = found[1] + found[2], True
            if out and out[-1].strip() and not out[-1].lstrip().startswith("#"):
                out[-1] += ":" + _LINE_END  # the term
        elif not fence and (marked or mdx or "{" in line or line.startswith("import ")):
            line = _plain_line(line, mdx=mdx)
        if "^" in line and not fence:
            line = _BLOCK_ID.sub("", line)
        out.append(line)
    return "\n".join(out)


def _shift(line: str, open_blocks: list[int]) -> int:
    """Return the indentation that an admonition adds to a line; a line with less indentation closes it."""
    if not line.strip():
        return 0
    indent = len(line) - len(line.lstrip())
    while open_blocks and indent < open_blocks[-1]:
        open_blocks.pop()
    return _INDENT * len(open_blocks)


def _plain_line(line: str, *, mdx: bool) -> str:
    if _INCLUDE.match(line) or _IMPORT.match(line) or (mdx and _MDX.match(line)):
        return ""
    if found := _CONTAINER.match(line):
        return _label(found[1])
    if found := _ALERT.match(line):
        return found[1] + (found[3] or found[2].capitalize() + ":")
    if found := _HEADING_ATTRIBUTES.match(line):
        line = found[1]
    if _MYST_MARK.match(line):
        return ""
    if "}`" in line:
        line = _MYST_ROLE.sub(lambda found: f"`{_MYST_TARGET.sub('', found[2]).lstrip('~!')}`", line)
    if "]({" in line:
        line = _COMPUTED_LINK.sub("](x)", line)
    if "{" in line:
        parts = _CODE_SPAN.split(line)  # odd ones are code
        line = "".join(part if i % 2 else _ATTRIBUTES.sub("", _SHORTCODE.sub("", part)) for i, part in enumerate(parts))
    return line


def _label(text: str) -> str:
    """Return the title of an admonition or tab, as a line of its own, or else its kind.

    Titles are `note "Title"`, `tip | Title`, `info[Title]` and `{title=Title}`.
    """
    titled = _SET_TITLE.search(text)
    text = _SETTINGS.sub("", text).strip()
    if titled:
        return ": ".join([titled[1].strip(), *text.split(maxsplit=1)[1:]]) + _LINE_END
    if found := _LABEL.search(text):
        return next(part for part in found.groups() if part is not None).strip() + _LINE_END
    found = _NAMED.fullmatch(text)
    if not found:
        return ""
    return found[2] or (found[1].capitalize() + ":" if found[1] not in ("details", "tab", "tabs", "code-group") else "")
