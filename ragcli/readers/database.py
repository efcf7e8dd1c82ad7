"""Read SQLite databases: each row of a query is a document."""

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
    """Yield the rows of the query. Raises NoDocumentError without a query, or if it fails."""
    if not fields.query:
        raise NoDocumentError("a database, which needs --query 'SELECT …'")
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            [page_size] = database.execute("PRAGMA page_size").fetchone()
            if path.stat().st_size % page_size:  # SQLite reads the cut page as if the rest were zeros
                raise NoDocumentError("cut: its last page is not whole")
            database.set_authorizer(_authorize)
            yield from read_records(_rows(database.execute(fields.query)), name, PurePath(name).stem, fields)
    except (sqlite3.Error, sqlite3.Warning) as e:
        raise NoDocumentError(f"the query fails: {e}") from e


def _authorize(action: int, *_: object) -> int:
    """Allow a query only to read: no attached files, no settings."""
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _rows(cursor: sqlite3.Cursor) -> Iterator[dict[str, Any]]:
    names = [column[0] for column in cursor.description or ()]
    for row in cursor:
        yield dict(zip(names, row, strict=True))
