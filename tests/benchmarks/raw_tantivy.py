"""The least that indexing with tantivy takes: read lines, parse, add, commit. The peer of `ragcli index`."""

import json
import sys
import tempfile
from pathlib import Path

import tantivy


def main(corpus: Path) -> None:
    """Index a corpus the shortest way, with English stemming, texts stored."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("title", stored=True, tokenizer_name="en_stem")
    builder.add_text_field("text", stored=True, tokenizer_name="en_stem")
    with tempfile.TemporaryDirectory() as folder:
        writer = tantivy.Index(builder.build(), path=folder).writer()
        with corpus.open(encoding="utf-8") as lines:
            for line in lines:
                document = json.loads(line)
                writer.add_document(tantivy.Document(id=document["id"], title=document["title"], text=document["text"]))
        writer.commit()
        writer.wait_merging_threads()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
