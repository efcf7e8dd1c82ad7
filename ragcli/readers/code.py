"""Read the docstrings and comments of source code, each under its symbol."""

import ast
import re

from ragcli.readers.outline import Outline, Page
from ragcli.readers.restructured import plain_docstring

_BLOCK = re.compile(
    r"^[ \t]*/\*\*?(.*?)\*/[ \t]*\n?|((?:^[ \t]*(?://[/!]?|#+|--|;;+)[^\n]*\n)+)", re.DOTALL | re.MULTILINE
)
_SIGN = re.compile(r"^\s*(?://[/!]?|#+!?|--|;;+|\*+)\s?")
_SYMBOL = re.compile(
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|pub(?:\([^)]*\))?|unsafe|inline|virtual|"
    r"override|const|extern)\s+)*"
    r"(?:class|interface|struct|enum|trait|impl|func|fn|function|def|type|module|namespace|record|object|protocol|macro_rules!|"
    r"let|var|const|val)\s+(?:\([^)]*\)\s*)?([\w$.:]+)"
    r"|(?:[\w<>\[\],*&:~]+\s+)+\*?([\w$:~]+)\s*\("
    r"|([\w$-]+)\s*(?:\(\)|[:=]\s*(?:function|\(|async))"
)
_LICENCE = re.compile(r"copyright|licen[sc]e|SPDX-|all rights reserved|eslint-|noqa|@ts-|#!", re.IGNORECASE)
_RULE = re.compile(r"\s*[-=*_#~+/]{3,}\s*")
_FEWEST = 25  # characters of a meaningful comment


def read_python(text: str) -> Page:
    """Return the docstrings of a Python file, under the names of its module, classes and functions."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, MemoryError):
        return read_code(text)
    outline = Outline({"line": 1})
    outline.add(plain_docstring(ast.get_docstring(tree) or ""))
    _add(outline, tree, 1)
    return Page("", outline.sections())


def _add(outline: Outline, parent: ast.AST, level: int) -> None:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            outline.heading(level, node.name, {"line": node.lineno})
            if documented := ast.get_docstring(node):
                outline.add(_signature(node))
                outline.add(plain_docstring(documented))
            _add(outline, node, level + 1)


def _signature(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    if isinstance(node, ast.ClassDef):
        return f"class {node.name}({', '.join(map(ast.unparse, node.bases))})"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returns}"


def read_code(text: str) -> Page:
    """Return the comments on their own lines in a source file, each under the symbol below it."""
    outline = Outline({"line": 1})
    line = at = 0
    for found in _BLOCK.finditer(text):
        lines = (_SIGN.sub("", one).rstrip() for one in (found[1] or found[2]).split("\n"))
        comment = "\n".join(line for line in lines if not _RULE.fullmatch(line)).strip()
        if len(comment) < _FEWEST or _LICENCE.search(comment):
            continue
        line += text.count("\n", at, found.start())
        at = found.start()
        below = _SYMBOL.match(text[found.end() : found.end() + 300].lstrip())
        name = next((part for part in below.groups() if part), "") if below else ""
        outline.heading(1, name, {"line": line + 1})
        outline.add(comment)
    return Page("", outline.sections())
