"""Read Markdown (CommonMark with tables; MDX, and the extensions of the usual site generators) as text."""

import html
import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ragcli.readers.frontmatter import split_front
from ragcli.readers.markdown_dialects import plain_markdown
from ragcli.readers.outline import Outline, Page, continues, table_text
from ragcli.readers.restructured import CODE, SILENT, lead_of, read_rst

_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_TAG = re.compile(r"<!--.*?(?:-->|\Z)|</?[A-Za-z][^<>]*>|<>|</>", re.DOTALL)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_UNSEEN = re.compile(r"<(script|style)\b.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_SOFT_BREAK = "\x0b"
_SOFT = re.compile(f" *{_SOFT_BREAK} *")
_SOFT_IN_HAN = re.compile(f"(?<=[\u3000-\u9fff\uff00-\uffef]){_SOFT_BREAK}(?=[\u3000-\u9fff\uff00-\uffef])")
_DIRECTIVE = re.compile(r"\{([\w:.-]+)\}\s*(.*)$")
_RAW = re.compile(r"^[ \t]*\{%-?\s*(?:end)?raw\s*-?%\}[ \t]*\n", re.MULTILINE)  # of templates
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:?")
_REFERENCE = re.compile(r"(?<![\w\])])\[([^\[\]]+)\]\[(?:\w[\w:/-]*\.[\w.:/-]+)?\]")  # [Model][pydantic.BaseModel]


def read_markdown(text: str, *, mdx: bool = False) -> Page:
    """Return the page of a Markdown file. Its title is that of the front matter, or else its first heading."""
    front = split_front(text)
    outline = Outline({"line": 1})
    add_markdown(outline, front.text, mdx=mdx)
    sections = outline.sections()
    if not sections and isinstance(told := front.values.get("description"), str):  # a page of settings only
        outline.add(told)
        sections = outline.sections()
    title = front.values.pop("title", None)
    return Page(title if isinstance(title, str) else outline.title, sections, front.values)


def read_mdx(text: str) -> Page:
    """Return the page of an MDX file."""
    return read_markdown(text, mdx=True)


def add_markdown(outline: Outline, text: str, *, mdx: bool = False) -> None:
    """Add the blocks of a Markdown text to an outline."""
    tokens = _MARKDOWN.parse(plain_markdown(text, mdx=mdx))
    at = 0
    while at < len(tokens):
        token = tokens[at]
        end = _end(tokens, at)
        if token.type == "heading_open":
            line = (token.map or [0])[0] + 1
            outline.heading(int(token.tag[1]), _inline(tokens[at + 1]), {"line": line})
        else:
            whole = token.type in ("fence", "code_block", "bullet_list_open", "ordered_list_open", "table_open")
            outline.add(_block(tokens[at:end]), whole=whole)
        at = end


def _end(tokens: Sequence[Token], at: int) -> int:
    """Return the end of the block that begins here."""
    depth = 0
    while True:
        depth += tokens[at].nesting
        at += 1
        if depth <= 0 or at == len(tokens):
            return at


def _blocks(tokens: Sequence[Token]) -> list[str]:
    found = []
    at = 0
    while at < len(tokens):
        end = _end(tokens, at)
        if text := _block(tokens[at:end]).strip("\n"):
            found.append(text)
        at = end
    return found


def _block(tokens: Sequence[Token]) -> str:
    first = tokens[0]
    if first.type in ("fence", "code_block"):
        if directive := _DIRECTIVE.match(first.info.strip()):
            return _myst(directive[1].lower(), directive[2], first.content)
        return f"```{first.info.strip().split(' ')[0].strip('{}')}\n{_RAW.sub('', first.content).rstrip()}\n```"
    if first.type == "html_block":
        return html_text(first.content)
    if first.type in ("bullet_list_open", "ordered_list_open"):
        return _list(tokens)
    if first.type == "table_open":
        return _table(tokens)
    if first.type in ("paragraph_open", "heading_open"):
        return _inline(tokens[1])
    return "\n\n".join(_blocks(tokens[1:-1])) if first.nesting else ""


def _myst(name: str, argument: str, content: str) -> str:
    """Return the content of a MyST directive, which has the form of a code block."""
    if name == "eval-rst":
        return "\n\n".join(section.text for section in read_rst(content).sections)
    if name in SILENT:
        return ""
    lines = content.rstrip().split("\n")
    while lines and (lines[0].startswith(":") or not lines[0].strip()):
        lines.pop(0)
    body = "\n".join(lines)
    if name in CODE or name.startswith("click:"):
        return f"```{argument}\n{body}\n```" if body else ""
    blocks = _blocks(_MARKDOWN.parse(body))
    if lead := lead_of(name, argument):
        blocks[:1] = [f"{lead} {blocks[0]}"] if blocks and continues(lead, blocks[0]) else [lead, *blocks[:1]]
    return "\n\n".join(blocks)


def _list(tokens: Sequence[Token]) -> str:
    ordered = tokens[0].type == "ordered_list_open"
    number = int(tokens[0].attrs.get("start", 1) or 0) if ordered else 0
    items = []
    at = 1
    while at < len(tokens) - 1:
        end = _end(tokens, at)
        sign = f"{number}. " if ordered else "- "
        content = "\n".join(_blocks(tokens[at + 1 : end - 1]))
        items.append(sign + content.replace("\n", "\n" + " " * len(sign)))
        number += 1
        at = end
    return "\n".join(items)


def _table(tokens: Sequence[Token]) -> str:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(" ".join(_inline(token).split()))
    return table_text(rows)


def _inline(token: Token) -> str:
    text = _FOOTNOTE.sub("", "".join(map(_piece, token.children or [])))
    text = _REFERENCE.sub(r"\1", text)
    return _SOFT.sub(" ", _SOFT_IN_HAN.sub("", text)).strip()


def _piece(token: Token) -> str:
    if token.type == "image":
        return token.content
    if token.type == "softbreak":
        return _SOFT_BREAK
    if token.type == "hardbreak":
        return "\n"
    if token.type == "html_inline":
        return "\n" if _BREAK.fullmatch(token.content) else ""
    return token.content


def html_text(content: str) -> str:
    """Return the text of embedded HTML."""
    text = _TAG.sub("", _BREAK.sub("\n", _UNSEEN.sub("", content)))
    return "\n".join(line.strip() for line in html.unescape(text).splitlines() if line.strip())
