"""Show text of documents without Markdown, reStructuredText and HTML markup."""

import re
from collections.abc import Iterator

# Markup; the named group, if there is one, is what is shown.
_MARKS = re.compile(
    r"""!?\[(?P<link>[^\[\]\n]*)\]\([^()\s]*(?:\s"[^"\n]*")?\)        # [text](url)
      | (?<!\w):[a-z][\w:+-]*:`~?(?P<role>[^`<\n]+?)\s*(?:<[^`>\n]*>)?`   # :ref:`text <target>`
      | `(?P<target>[^`<\n]+?)\s+<[^`>\n]+>`__?                       # `text <url>`_
      | (?P<tick>`{1,2})(?P<code>[^`\n]+)(?P=tick)_?
      | (?<![\w*])\*\*(?P<strong>[^\s*](?:[^*\n]*[^\s*])?)\*\*(?![\w*])
      | (?<![\w*(,])\*(?P<emphasis>[^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])
      | </?(?:a|b|i|p|em|br|sub|sup|kbd|code|span|strong|div|ul|li|ol)\b[^<>\n]*>
      | \\(?P<escaped>[*_`\[\]<>#|~.-])
      | ^[ ]{0,3}(?:\#{2,6}|\#(?=[^\n]*(?:\n[ \t]*\n|\n?\Z)))[ ](?=\S)    # a heading, not a comment in code
      | ^[ \t]*\.\.[ ][\w-]+::[^\n]*\n?                                # a directive
    """,
    re.VERBOSE | re.MULTILINE,
)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)(?P<language>[^\n]*)(?:\n|\Z)", re.MULTILINE)
_PROMPT = re.compile(r"^[ \t]*>>> ", re.MULTILINE)
# A line that is not part of a paragraph: a list item, row, code, prompt or entry.
_OWN_LINE = re.compile(r"\s*(?:[-*+•]\s|\d{1,3}[.)]\s|\||>>>|\.\.\.\s|#|Q:|A:|[^\Wa-z][\w ]{0,29}[:：]\s)|[ \t]{2,}\S")
_CODE = re.compile(r"[={}\\]|\w\(|;$|^\s*(?:def|class|for|if|while|import|from|return|print)\b.*[:)]?$")


def shown_spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, text) of what is shown, without markup and without line ends inside paragraphs."""
    for start, end, code in _stretches(text):
        if code:
            yield start, end, text[start:end]
        else:
            for left, right in _without_marks(text, start, end):
                yield from _flowing(text, left, right)


def shown_text(text: str) -> str:
    """Return what is shown of a text."""
    return "".join(piece for _, _, piece in shown_spans(text))


def _stretches(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield the stretches between fences, and whether each is code. A text that is cut may begin inside code."""
    fences = list(_FENCE.finditer(text))
    code = len(fences) % 2 == 1 and not fences[0]["language"].strip() and _ends_code(text, fences[0].start())
    at = 0
    for fence in fences:
        yield at, fence.start(), code
        at, code = fence.end(), not code
    yield at, len(text), code


def _ends_code(text: str, fence: int) -> bool:
    """Return whether a fence ends code that began before the text: something stands directly above it."""
    return bool(text[text.rfind("\n", 0, max(0, fence - 1)) + 1 : fence].strip())


def _without_marks(text: str, at: int, stop: int) -> Iterator[tuple[int, int]]:
    for match in _MARKS.finditer(text, at, stop):
        if at < match.start():
            yield at, match.start()
        kept = next((name for name, value in match.groupdict().items() if value is not None and name != "tick"), None)
        if kept:
            yield match.span(kept)
        at = match.end()
    if at < stop:
        yield at, stop


def _flowing(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yield a stretch, with a blank for each line end that only wraps a paragraph."""
    at = start
    for match in re.finditer(r"\s*\n\s*", text[start:end]):
        left, right = start + match.start(), start + match.end()
        if "\n" in match[0].replace("\n", "", 1) or not _wraps(text, left, right):
            continue
        yield at, left, text[at:left]
        yield left, right, " "
        at = right
    yield at, end, text[at:end]


def _wraps(text: str, left: int, right: int) -> bool:
    """Return whether a line end between two offsets only wraps a paragraph."""
    before = text[text.rfind("\n", 0, left) + 1 : left]
    if not before.strip() or _PROMPT.search(text, text.rfind("\n\n", 0, left) + 1, left):
        return False
    stop = text.find("\n", right)
    line_start = text.rfind("\n", 0, right) + 1
    after = text[line_start : stop if stop >= 0 else len(text)]
    return not any(_OWN_LINE.match(line) or _CODE.search(line) for line in (before, after)) and not before.endswith(
        (":", "：")
    )
