"""Print the review of every film of a file of reviews, sentence by sentence, for a strict reader.

Run: python -m tests.benchmarks.reviews [FILE]
"""

import json
import sys
import tempfile
from pathlib import Path

from ragcli.answer.retrieve import retrieve_reviews
from ragcli.answer.review import compose_review
from ragcli.encoder import open_encoder
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Searcher
from ragcli.store import IndexLocation, open_store

SAMPLE = Path(__file__).parents[2] / "sample_data" / "film_reviews.jsonl"
SENTENCES, REVIEWS = 6, 50


def main() -> None:
    """Index the file by words, and print each review with the sentiment of its sources."""
    file = Path(sys.argv[1]) if sys.argv[1:] else SAMPLE
    encoder = open_encoder("minilm", "auto", print)
    titles = dict.fromkeys(json.loads(line)["title"] for line in file.read_text("utf-8").splitlines())
    with tempfile.TemporaryDirectory() as home:
        location = IndexLocation("local", "films", Path(home))
        index_files([file], location, IndexOptions())
        with open_store(location) as store:
            searcher = Searcher(store)
            for title in titles:
                hits = retrieve_reviews(searcher, title, REVIEWS, ())
                print(f"\n## {title}")
                for one in compose_review(hits, SENTENCES, searcher.language, encoder):
                    print(f"- {one.text} ({hits[(one.source or 1) - 1].metadata.get('sentiment', '?')})")


if __name__ == "__main__":
    main()
