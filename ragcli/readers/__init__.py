"""Read files as documents. Format, compression and encoding are decided only here."""

from ragcli.readers.inputs import Input as Input
from ragcli.readers.inputs import find_inputs as find_inputs
from ragcli.readers.read import read_documents as read_documents
from ragcli.readers.read import read_whole as read_whole
from ragcli.readers.records import FieldNames as FieldNames
from ragcli.readers.texts import is_json_lines as is_json_lines
from ragcli.readers.texts import read_lines as read_lines
from ragcli.readers.texts import read_text as read_text
from ragcli.readers.walk import Selection as Selection
from ragcli.readers.walk import find_files as find_files
