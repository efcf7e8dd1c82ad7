"""Read Parquet: a row is a document. The library is an extra, and loaded only here."""

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from ragcli.documents import Document, Reject
from ragcli.readers.records import FieldNames, NoDocumentError
from ragcli.readers.tables import read_records

_TOGETHER = 1_000  # rows


def read_parquet(path: Path, name: str, fields: FieldNames) -> Iterator[Document | Reject]:
    """Yield the rows of a file. Raises NoDocumentError for what is damaged, and if pyarrow is not installed."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError as e:
        raise NoDocumentError("it needs pyarrow: pip install 'ragcli[parquet]'") from e
    try:
        with ParquetFile(path) as file:
            yield from read_records(_rows(file), name, PurePath(name).stem, fields)
    except (ArrowException, OSError) as e:
        raise NoDocumentError(f"damaged: {str(e).splitlines()[0]}") from e


def _rows(file: Any) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(_TOGETHER):
        yield from batch.to_pylist()
