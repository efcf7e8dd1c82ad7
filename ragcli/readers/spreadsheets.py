"""Read spreadsheets (XLSX, XLS, ODS): a document for each row, with the names of its columns."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import PurePath

from python_calamine import CalamineError, CalamineWorkbook

from ragcli.documents import Document, Reject
from ragcli.readers.packages import open_package
from ragcli.readers.records import FieldNames, NoDocumentError
from ragcli.readers.tables import read_rows

_MOST_CELLS = 5_000_000


def read_spreadsheet(data: bytes, name: str, fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield the rows of all sheets. Raises NoDocumentError if it is damaged, encrypted or too large."""
    if data.startswith(b"PK"):
        with open_package(data) as package:
            for part in package.names():
                package.read(part)  # checks the limits of unpacking
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(data))
        for sheet_name in book.sheet_names:
            sheet = book.get_sheet_by_name(sheet_name)
            if sheet.total_height * sheet.total_width > _MOST_CELLS:
                yield Reject(name, 0, None, f"sheet {sheet_name} has more than {_MOST_CELLS:,} cells", "")
                continue
            rows = ([_cell(cell) for cell in row] for row in sheet.iter_rows())
            yield from read_rows(rows, name, PurePath(name).stem, fields, where=sheet_name)
    except CalamineError as e:
        raise NoDocumentError(f"damaged or encrypted: {e}") from e


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
