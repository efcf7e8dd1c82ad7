"""Read SQLite databases: what a query finds, a row a document."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from ragcli.documents import Document, Reject
from ragcli.readers.records import FieldNames, NoDocumentError
from ragcli.readers.tables import read_records

_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)


def read_sqlite(path: Path, name: str, fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield what the query finds. Raises NoDocumentError where there is none, or the database does not take it."""
    if not fields.query:
        raise NoDocumentError("a database; --query 'SELECT …' says what to read of it")
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            database.set_authorizer(_authorize)
            yield from read_records(_rows(database.execute(fields.query)), name, PurePath(name).stem, fields)
    except (sqlite3.Error, sqlite3.Warning) as e:
        raise NoDocumentError(f"the query fails: {e}") from e


def _authorize(action: int, *_: object) -> int:
    """Let a query read, and do nothing else: attach no other file, change no setting."""
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _rows(cursor: sqlite3.Cursor) -> Iterator[dict[str, Any]]:
    names = [column[0] for column in cursor.description or ()]
    for row in cursor:
        yield dict(zip(names, row, strict=True))
