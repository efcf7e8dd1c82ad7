"""Read Jupyter notebooks: the text and code of their cells, without output."""

from typing import Any

import orjson

from ragcli.readers.markdown import add_markdown
from ragcli.readers.outline import Outline, Page
from ragcli.readers.records import NoDocumentError


def read_notebook(data: bytes) -> Page:
    """Return the page of a notebook; its title is its first heading. Raises NoDocumentError for other files."""
    try:
        notebook = orjson.loads(data)
        cells = notebook.get("cells") or [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        language = str(notebook.get("metadata", {}).get("kernelspec", {}).get("language", ""))
        outline = Outline()
        for cell in cells:
            _add(outline, cell, language)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as e:
        raise NoDocumentError("not a notebook, or damaged") from e
    sections = outline.sections()
    return Page(outline.title, [section._replace(place={}) for section in sections])


def _add(outline: Outline, cell: dict[str, Any], language: str) -> None:
    source = cell.get("source", cell.get("input", ""))
    text = "".join(source) if isinstance(source, list) else str(source)
    if cell["cell_type"] == "markdown":
        add_markdown(outline, text)
    elif cell["cell_type"] == "code" and text.strip():
        outline.add(f"```{language}\n{text.strip()}\n```", whole=True)
