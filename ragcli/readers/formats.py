"""Choose the reader of a file by its suffix, or else by its first bytes."""

from importlib import import_module
from typing import Any, Literal, NamedTuple

Takes = Literal["text", "bytes", "table", "sheet", "mailbox", "rows", "archive", "json"]


class Format(NamedTuple):
    """Describe a reader: its module, its function, and the argument of that."""

    module: str
    function: str
    takes: Takes = "text"

    def load(self) -> Any:
        """Import and return the function."""
        return getattr(import_module(f"ragcli.readers.{self.module}"), self.function)


_MARKDOWN = Format("markdown", "read_markdown")
_PLAIN = Format("plain", "read_plain")
_CODE = Format("code", "read_code")
_SHEET = Format("spreadsheets", "read_spreadsheet", "sheet")
_TABLE = Format("tables", "read_csv", "table")
_HTML = Format("html", "read_html")
SQLITE = Format("database", "read_sqlite", "rows")
_ODT = Format("office", "read_odt", "bytes")
_ARCHIVE = Format("archives", "read_archive", "archive")
JSON = Format("json_lines", "read_json_lines", "json")

FORMATS = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), JSON),
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd", ".mdc"), _MARKDOWN),
    ".mdx": Format("markdown", "read_mdx"),
    **dict.fromkeys((".rst", ".rest"), Format("restructured", "read_rst")),
    **dict.fromkeys((".adoc", ".asciidoc", ".asc"), Format("asciidoc", "read_asciidoc")),
    ".org": Format("org", "read_org"),
    **dict.fromkeys((".txt", ".text", ".log", ".tex", ".pod", ".man", ".srt.txt"), _PLAIN),
    **dict.fromkeys((".html", ".htm", ".xhtml"), _HTML),
    **dict.fromkeys((".srt", ".vtt"), Format("plain", "read_subtitles")),
    ".pdf": Format("pdf", "read_pdf", "bytes"),
    ".docx": Format("office", "read_docx", "bytes"),
    **dict.fromkeys((".odt", ".odp"), _ODT),
    ".pptx": Format("office", "read_pptx", "bytes"),
    ".epub": Format("office", "read_epub", "bytes"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".ods"), _SHEET),
    **dict.fromkeys((".csv", ".tsv", ".tab"), _TABLE),
    **dict.fromkeys((".parquet", ".pq"), Format("parquet", "read_parquet", "rows")),
    **dict.fromkeys((".sqlite", ".sqlite3", ".db"), SQLITE),
    ".ipynb": Format("notebook", "read_notebook", "bytes"),
    ".eml": Format("mail", "read_message", "bytes"),
    ".mbox": Format("mail", "read_mailbox", "mailbox"),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.bz2", ".tar.xz"), _ARCHIVE),
    **dict.fromkeys((".py", ".pyi"), Format("code", "read_python")),
    **dict.fromkeys(
        (
            ".js .mjs .cjs .jsx .ts .tsx .java .kt .kts .scala .c .h .cc .cpp .cxx .hpp .hh .cs .go .rs .rb .php "
            ".swift .m .mm .lua .pl .pm .r .jl .ex .exs .erl .hs .ml .clj .dart .sh .bash .zsh .fish .ps1 .sql .proto "
            ".vue .svelte"
        ).split(),
        _CODE,
    ),
}
PLAIN_NAMES = frozenset(
    ("readme license licence copying changelog changes news authors contributors notice install todo history").split()
)
NO_TEXT = frozenset(
    (
        ".png .jpg .jpeg .gif .webp .svg .ico .bmp .tif .tiff .avif .heic .psd .ai .mp3 .wav .ogg .flac .m4a .mp4 "
        ".webm .mov .avi .mkv .woff .woff2 .ttf .otf .eot .so .dll .dylib .exe .bin .o .a .pyc .class .jar .wasm "
        ".pkl .npy .npz .onnx .safetensors .pt .gz .bz2 .xz .zst .7z .rar .dmg .iso .map .cast"
    ).split()
)
_OFFICE = {
    b"word/document.xml": ".docx",
    b"ppt/slides": ".pptx",
    b"xl/": ".xlsx",
    b"META-INF/container.xml": ".epub",
}
HEAD_BYTES = 2**16


def format_of(kind: str, head: bytes) -> Format | None:
    """Return the format of a file by its suffix, or else by its first bytes; None if it has no text."""
    known = FORMATS.get(kind)
    if known and known != _PLAIN:
        return known
    begin = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if begin.startswith((b'{"', b"{\n", b"[{", b"[\n")) or (begin.startswith(b"{") and not known):
        return JSON
    if known:
        return known
    if begin.startswith(b"SQLite format 3\0"):
        return SQLITE
    if begin.startswith(b"%PDF-"):
        return FORMATS[".pdf"]
    if begin.startswith(b"PK\x03\x04"):
        return next((FORMATS[suffix] for part, suffix in _OFFICE.items() if part in head), _ARCHIVE)
    if begin[:100].lower().startswith((b"<!doctype html", b"<html")):
        return _HTML
    return None if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")) else _PLAIN
