"""Write what the product's own search finds for questions, for grounded.py to fit on and to measure.

python -m tests.benchmarks.grounded_cases DATA/squad-v1.1-train-subset CASES.jsonl [--encoder minilm]

One line a question: its part, what `ask` would retrieve with its own document in the index and without it, how many
passages hold each of its words, and with an encoder the cosines of it all to the question. Questions are split by their
documents: `development`, and of the documents held out `report` and what is left, `lm`. SQuAD's are held out as by
`train DATA/squad-v1.1-train-subset/qa.jsonl --val-split 0.08 --seed 0`, so that a model that was trained so has not
seen them.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ragcli.answer.candidates import find_candidates
from ragcli.answer.features import Matrix
from ragcli.answer.meaning import passage_vectors
from ragcli.answer.retrieve import retrieve
from ragcli.answer.terms import words_by_term
from ragcli.callbacks import Callbacks
from ragcli.errors import NothingFoundError
from ragcli.evaluate.questions import Question, read_questions
from ragcli.evaluate.retrieval import temporary_index
from ragcli.filters import Filter
from ragcli.indexing import IndexOptions
from ragcli.search import Ranking, Searcher
from ragcli.store import Hit, IndexLocation
from ragcli.train.data import _hold_out

SEED = 8  # of the sample of each part
_VECTORS: dict[str, Matrix] = {}  # of sentences, which are found again and again


class Split(NamedTuple):
    """Say which share of the documents is held out, by which seed, and how many questions each part has at most."""

    held: float
    seed: int
    report: int
    development: int


SPLITS = {
    "squad-v1.1-train-subset": Split(0.08, 0, 500, 4000),
    "cmrc2018-trial": Split(0.4, SEED, 500, 500),
    "drcd-dev": Split(0.4, SEED, 500, 1000),
    "python-faq-en": Split(1.0, SEED, 300, 0),
}


def parts(questions: Sequence[Question], split: Split) -> Iterator[tuple[str, Question]]:
    """Yield the questions that are used, each with its part."""
    out = _hold_out(sorted({question.doc_id or "" for question in questions}), split.held, split.seed)
    held = [question for question in questions if question.doc_id in out]
    rest = [question for question in questions if question.doc_id not in out]
    shuffled = random.Random(SEED)
    shuffled.shuffle(held)
    shuffled.shuffle(rest)
    yield from (("report", question) for question in held[: split.report])
    yield from (("lm", question) for question in held[split.report :])
    yield from (("development", question) for question in rest[: split.development])


def found(searcher: Searcher, question: Question, without: bool) -> list[dict[str, Any]]:
    """Return what is retrieved for a question, as the product does it."""
    filters = [Filter("id", "!=", question.doc_id or "")] if without else []
    try:
        hits = retrieve(searcher, question.text, 5, filters)
    except NothingFoundError:
        hits = []
    return [recorded(hit) | cosine for hit, cosine in zip(hits, cosines(searcher, question.text, hits), strict=True)]


def recorded(hit: Hit) -> dict[str, Any]:
    """Return what the choice of sentences looks at."""
    return {name: getattr(hit, name) for name in ("id", "title", "text", "score", "start", "end")}


def cosines(searcher: Searcher, question: str, hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """Return the cosines of the passages and of their sentences to the question, where there is an encoder."""
    encoder = searcher.encoder
    if encoder is None or not hits:
        return [{} for _ in hits]
    asked = encoder.queries([question])[0]
    sentences = find_candidates(hits)
    new = [candidate.text for candidate in sentences if candidate.text not in _VECTORS]
    _VECTORS.update(zip(new, encoder.passages(new), strict=True))
    own = [_VECTORS[candidate.text] @ asked for candidate in sentences]
    of = [{c.text: float(x) for c, x in zip(sentences, own, strict=True) if c.hit == n} for n in range(len(hits))]
    passages = passage_vectors(hits, encoder, searcher.store) @ asked
    return [{"cosine": float(x), "sentences": texts} for x, texts in zip(passages, of, strict=True)]


def cases(folder: Path, encoder: str | None, split: Split) -> Iterator[dict[str, Any]]:
    """Yield the cases of a data set."""
    questions = read_questions(folder / "qa.jsonl").items
    options = IndexOptions(encoder=encoder)
    with temporary_index(folder / "documents.jsonl", IndexLocation("local", "cases", Path()), options, Callbacks()) as (
        store,
        _,
    ):
        searcher = Searcher(store, Ranking(), tell_spelling=False)
        for part, question in parts(questions, split):
            words = list(words_by_term(question.text, searcher.language).values())
            yield {
                **{"part": part, "id": question.id, "question": question.text, "answers": question.answers},
                "doc_id": question.doc_id,
                **{"language": searcher.language, "passages": store.counts().passages},
                "frequencies": dict(zip(words, store.frequencies(words), strict=True)),
                "hits": found(searcher, question, without=False),
                "without": found(searcher, question, without=True),
            }


def main() -> None:
    """Write the cases of one data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--encoder")
    parser.add_argument("--development", type=int, help="so many questions at most, where an encoder takes long")
    options = parser.parse_args()
    split = SPLITS[options.folder.name]
    if options.development is not None:
        split = split._replace(development=options.development)
    with options.cases.open("w", encoding="utf-8") as file:
        for case in cases(options.folder, options.encoder, split):
            file.write(json.dumps(case, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
