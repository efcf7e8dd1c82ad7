"""Read files as documents. What a file is (its suffix, content, compression, encoding) is decided in this room only."""

from ragcli.readers.inputs import Input, find_inputs
from ragcli.readers.read import read_documents, read_whole
from ragcli.readers.records import FieldNames
from ragcli.readers.texts import is_json_lines, read_lines, read_text

__all__ = [
    "FieldNames",
    "Input",
    "find_inputs",
    "is_json_lines",
    "read_documents",
    "read_lines",
    "read_text",
    "read_whole",
]
