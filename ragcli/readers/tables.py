"""Read tables: CSV, TSV and spreadsheets. A row is a document, with its values by column name."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import PurePath
from typing import Any

import orjson

from ragcli.documents import Document, Reject
from ragcli.readers.records import FieldNames, NoDocumentError, parse_record

_LONGEST_CELL = 16 * 2**20
_SAMPLE = 8_000
_END = "\0end"  # a row after the last one, unless a quotation mark is still open


def read_csv(text: str, name: str, fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield the rows of a CSV or TSV file, whose first row names the columns."""
    csv.field_size_limit(_LONGEST_CELL)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:_SAMPLE], "\t" if name.lower().endswith((".tsv", ".tab")) else ",;\t|")
    except csv.Error:
        dialect = csv.excel_tab if name.lower().endswith((".tsv", ".tab")) else csv.excel
    rows = csv.reader(chain(io.StringIO(text, newline=""), [_END]), dialect)
    try:
        yield from read_rows(_closed(rows), name, PurePath(name).stem, fields)
    except csv.Error as e:
        yield Reject(name, min(rows.line_num, text.count("\n") + 1), None, f"invalid CSV from here on: {e}", "")


def _closed(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield rows up to the end mark. Raises csv.Error if it stands within quotation marks."""
    for row in rows:
        if row == [_END]:
            return
        if row and row[-1].endswith(_END):
            raise csv.Error(f"a quotation mark is never closed, in the value {row[-1][:40]!r}")
        yield row


def read_rows(
    rows: Iterable[Sequence[str]], name: str, title: str, fields: FieldNames, *, where: str = ""
) -> Iterator[Document | Reject]:
    """Yield rows as documents. If a column has the name of the text field, the others are metadata."""
    names: Sequence[str] = ()
    for number, row in enumerate(rows, 1):
        if not any(cell.strip() for cell in row):
            continue
        if not names:
            names = [cell.strip() for cell in row]
            continue
        record = {column: cell.strip() for column, cell in zip(names, row, strict=False) if column and cell.strip()}
        unnamed = [
            cell.strip() for column, cell in zip_longest(names, row, fillvalue="") if not column and cell.strip()
        ]
        if fields.text in names:
            yield _parsed(record, number, name, fields)
        elif text := "\n".join([*(f"{column}: {cell}" for column, cell in record.items()), *unnamed]):
            known = {"source": name, "row": number, **({"sheet": where} if where else {})}
            doc_id = f"{name}#{where + '-' if where else ''}{number}"
            yield Document(doc_id, f"{title} › {where or 'row'} {number}" if where else title, text, known)


def read_records(
    records: Iterable[dict[str, Any]], name: str, title: str, fields: FieldNames
) -> Iterator[Document | Reject]:
    """Yield rows with values of any type. If one has the name of the text field, the others are metadata."""
    for number, record in enumerate(records, 1):
        values = {str(column): value for column, value in record.items() if value not in (None, "", b"")}
        if fields.text in values:
            yield _parsed(values, number, name, fields)
        elif text := "\n".join(f"{column}: {_cell(value)}" for column, value in values.items()):
            yield Document(f"{name}#{number}", title, text, {"source": name, "row": number})


def _parsed(record: dict[str, Any], number: int, name: str, fields: FieldNames) -> Document | Reject:
    line = orjson.dumps(record, default=_cell, option=orjson.OPT_NON_STR_KEYS)
    try:
        return parse_record(line, fields)
    except NoDocumentError as e:
        return Reject(name, number, e.doc_id, e.reason, line[:1000].decode(errors="ignore"))


def _cell(value: object) -> str:
    return "(binary)" if isinstance(value, bytes) else str(value)
