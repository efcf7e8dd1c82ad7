"""Turn pages into documents: one for each section, with the title "page › heading" and its position."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import PurePath
from typing import Any

import orjson

from ragcli.documents import MAX_ID_BYTES, Document
from ragcli.readers.outline import Page, Section

_BETWEEN = " › "
_ANCHOR = re.compile(r"[^\w]+")
_LONGEST_TITLE = 300
_DEEPEST = 50  # levels of metadata


def documents_of(pages: Iterable[Page], name: str) -> Iterator[Document]:
    """Yield the sections of a file's pages as documents; their ids are the file's name and the heading."""
    seen: Counter[str] = Counter()
    for page in pages:
        title = page.title or PurePath(name).stem
        known = {key: _plain(value) for key, value in page.metadata.items()}
        for section in page.sections:
            yield Document(
                _id(name, section, seen),
                _title(title, section.headings),
                section.text,
                {**known, "source": name, **_heading(section), **section.place},
                section.whole,
            )


def _heading(section: Section) -> dict[str, str]:
    return {"heading": _BETWEEN.join(section.headings)} if section.headings else {}


def _title(page: str, headings: tuple[str, ...]) -> str:
    parts = headings if headings and headings[0] == page else (page, *headings)
    title = _BETWEEN.join(parts)
    return title if len(title) <= _LONGEST_TITLE else title[:_LONGEST_TITLE] + "…"


def _id(name: str, section: Section, seen: Counter[str]) -> str:
    anchor = _ANCHOR.sub("-", section.headings[-1]).strip("-").lower() if section.headings else ""
    if "page" in section.place:
        anchor = f"p{section.place['page']}"
    doc_id = f"{name}#{anchor}" if anchor else name
    if len(doc_id.encode()) > MAX_ID_BYTES - 10:
        digest = hashlib.blake2b(doc_id.encode(), digest_size=8).hexdigest()
        doc_id = doc_id.encode()[: MAX_ID_BYTES - 30].decode(errors="ignore") + "-" + digest
    seen[doc_id] += 1
    return doc_id if seen[doc_id] == 1 else f"{doc_id}-{seen[doc_id]}"


def _plain(value: Any, depth: int = 0) -> Any:
    """Return a value that JSON can hold; what is nested too deeply is left out."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, date):  # and a time
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(one, depth + 1) for one in value]
    try:
        orjson.dumps(value)
    except TypeError:
        return str(value)
    return value
