"""Read spreadsheets (XLSX, XLS, ODS): a document for each row, with the names of its columns."""

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import PurePath
from xml.etree.ElementTree import Element

from python_calamine import CalamineError, CalamineWorkbook

from ragcli.documents import Document, Reject
from ragcli.readers.packages import Package, is_encrypted, open_package
from ragcli.readers.records import FieldNames, NoDocumentError
from ragcli.readers.tables import read_rows

_MOST_CELLS = 5_000_000
_MOST_REPEATED = 1_000  # of a cell in an ODS file, which may say in a few letters that it fills a million columns
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Za-z]{0,3})(\d{1,9})["']""")
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


def read_spreadsheet(data: bytes, name: str, fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield the rows of all sheets. Raises NoDocumentError if it is damaged, encrypted or too large."""
    if data.startswith(b"PK") or is_encrypted(data):
        with open_package(data) as package:
            if "content.xml" in package.names():
                yield from _read_ods(package, name, fields)
                return
            for part in package.names():  # checks the limits of unpacking
                content = package.read(part)
                if part.startswith("xl/workbook.bin"):
                    raise NoDocumentError("XLSB is not supported; save it as XLSX")
                if b"sheetData" in content:
                    _check_extent(content)
    yield from _read_excel(data, name, fields)


def _check_extent(sheet: bytes) -> None:
    """Refuse a sheet whose cells lie far apart: all between them would be held."""
    places = set(_PLACE.findall(sheet))
    rows = [int(row) for _, row in places]
    columns = {_number(column) for column, _ in places if column}
    if rows and columns and (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1) > _MOST_CELLS:
        raise NoDocumentError(f"a sheet has more than {_MOST_CELLS:,} cells")


def _number(column: bytes) -> int:
    """Return the number of a column that letters name."""
    number = 0
    for letter in column:
        number = 26 * number + (letter & 31)  # A and a are 1
    return number


def _read_excel(data: bytes, name: str, fields: FieldNames) -> Iterator[Document | Reject]:
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(data))
        for sheet_name in book.sheet_names:
            rows = ([_cell(cell) for cell in row] for row in book.get_sheet_by_name(sheet_name).iter_rows())
            yield from read_rows(rows, name, PurePath(name).stem, fields, where=sheet_name)
    except CalamineError as e:
        raise NoDocumentError(f"damaged or encrypted: {e}") from e
    except BaseException as e:
        if type(e).__name__ != "PanicException":  # the library's own, which no module exports
            raise
        raise NoDocumentError("damaged") from e


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _read_ods(package: Package, name: str, fields: FieldNames) -> Iterator[Document | Reject]:
    for table in package.xml("content.xml").iter(f"{_TABLE}table"):
        rows = map(_row, table.iter(f"{_TABLE}table-row"))
        sheet_name = table.get(f"{_TABLE}name", "")
        yield from read_rows(rows, name, PurePath(name).stem, fields, where=sheet_name)


def _row(row: Element) -> Sequence[str]:
    cells: list[str] = []
    for cell in row:
        text = "\n".join("".join(part.itertext()) for part in cell if part.tag.endswith("}p"))
        times = cell.get(f"{_TABLE}number-columns-repeated", "1")
        cells += [text] * (min(int(times), _MOST_REPEATED) if times.isascii() and times.isdigit() else 1)
        if len(cells) > _MOST_REPEATED and not text:
            break
    return cells
