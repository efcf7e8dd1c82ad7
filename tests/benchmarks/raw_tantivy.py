"""The least that indexing with tantivy takes: read lines, parse, add, commit. The peer of `ragcli index`.

python -m tests.benchmarks.raw_tantivy CORPUS [--fields zh|en]

With --fields the schema is that of ragcli: stored id and record, metadata, terms without positions (for Chinese bigrams
and characters), and unstemmed words for spellings; tantivy's own tokenizers make the terms.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import tantivy


def plain(text: tantivy.SchemaBuilder) -> None:
    """Add the fields of the shortest loop."""
    text.add_text_field("title", stored=True, tokenizer_name="en_stem")
    text.add_text_field("text", stored=True, tokenizer_name="en_stem")


def main() -> None:
    """Index a corpus the shortest way, with English stemming."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--fields", choices=("en", "zh"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build(folder, arguments.corpus, arguments.fields)


def build(folder: str, corpus: Path, fields: str | None = None) -> tantivy.Index:
    """Return the index of a corpus, made in a folder."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    tokenizers = {
        "en": {"content": "en_stem", "spellings": "default"},
        "zh": {"content": "pairs", "characters": "single"},
    }
    chosen = tokenizers.get(fields or "", {})
    for name, tokenizer in chosen.items():
        builder.add_text_field(name, tokenizer_name=tokenizer, index_option="freq")
    if chosen:
        builder.add_text_field("terms", tokenizer_name="raw", index_option="basic")
        builder.add_bytes_field("record", stored=True)
    else:
        plain(builder)
    index = tantivy.Index(builder.build(), path=folder)
    for name, size in (("pairs", 2), ("single", 1)):
        ngrams = tantivy.Tokenizer.ngram(size, size, prefix_only=False)
        index.register_tokenizer(name, tantivy.TextAnalyzerBuilder(ngrams).build())
    writer = index.writer()
    with corpus.open(encoding="utf-8") as lines:
        for line in lines:
            writer.add_document(entry(line, list(chosen)))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return index


def entry(line: str, fields: list[str]) -> tantivy.Document:
    """Return the entry of a line of the corpus."""
    document = json.loads(line)
    if not fields:
        return tantivy.Document(id=document["id"], title=document["title"], text=document["text"])
    text = f"{document['title']}\n{document['text']}"
    terms = [f"{name}={value}" for name, value in document.items() if name != "text"]
    values: dict[str, Any] = dict.fromkeys(fields, text) | {"terms": terms, "record": line.encode()}
    return tantivy.Document(id=document["id"], **values)


if __name__ == "__main__":
    main()
