"""Summarize texts with their own sentences: the most central ones, without repetition."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragcli.analysis.lines import Kind, read_lines
from ragcli.answer.candidates import Candidate, cite, in_reading_order, whole_sentences
from ragcli.answer.clauses import is_whole
from ragcli.answer.features import Matrix
from ragcli.answer.schema import CitedSentence
from ragcli.answer.standalone import stands_alone
from ragcli.answer.terms import bag_of, words_by_term
from ragcli.documents import Reject
from ragcli.errors import RagcliError, UsageError
from ragcli.filters import Filter, is_known, passes
from ragcli.readers import read_whole
from ragcli.search.diversity import choose_diverse
from ragcli.store import Hit

_NO_PROSE = (Kind.HEADING, Kind.UNDERLINE, Kind.ROW, Kind.RULE, Kind.FENCE, Kind.CODE)
_SMALL = re.compile(r"[^\w`]*[a-z]")  # no beginning of a sentence, unless it is code
_SHORT = 6  # words, at most, of a sentence that may be a fragment
_EARLY = 0.5  # value of being first in a text; the most central sentence has 1
_ASKED = 2.0  # value of containing all of the query
_REPEATED = 0.7  # cost of repeating a chosen sentence
_MOST = 4_000  # sentences: all are compared pairwise
_FEWEST_TERMS = 3  # of a sentence that means something by itself


def texts_of(path: Path, conditions: Sequence[Filter], reject: Callable[[Reject], None]) -> list[Hit]:
    """Return a file's text as one source, or each matching document of JSON Lines as one.

    `reject` receives invalid lines. Raises RagcliError for a condition on a field that no document has.
    """
    documents = read_whole(path, reject)
    fields = {field for document in documents for field in document.metadata}
    for condition in conditions:
        if documents and not is_known(condition.field, fields):
            message = f"no document of {path} has a field {condition.field!r}"
            raise RagcliError(message, f"Its fields: {', '.join(sorted(fields)) or 'none'}.")
    kept = [d for d in documents if all(passes(one, d.id, d.title, d.metadata) for one in conditions)]
    return [Hit(n, d.id, d.title, d.text, 0.0, 0, len(d.text), d.metadata) for n, d in enumerate(kept, 1)]


def summarize(hits: Sequence[Hit], sentences: int, language: str, query: str = "") -> tuple[CitedSentence, ...]:
    """Return at most `sentences` sentences of the hits, in reading order; with a query, those about it.

    If there are enough others, none depends on a sentence that is left out. A sentence is valued by its cosine to all
    sentences together (tf-idf), its position and its share of the query, less its similarity to those already chosen.
    Sources: Radev et al. 2004, Centroid-based summarization; Carbonell and Goldstein 1998, MMR.
    """
    found = _prose(hits, whole_sentences(hits, sentences), sentences, language)
    bags = [bag_of(candidate.text, language) for candidate in found]
    asked = set(words_by_term(query, language)) if query else set()
    everything = list(range(len(found)))
    about = [i for i in everything if asked & set(bags[i])]
    kept = about or [i for i in everything if len(bags[i]) >= _FEWEST_TERMS] or everything
    found, bags = [found[i] for i in kept], [bags[i] for i in kept]
    if not found:
        return ()
    if len(found) > _MOST:
        message = f"{len(found):,} sentences are too many to summarize at once"
        raise UsageError(message, f"Give at most {_MOST:,}, or index the text and give a --query.")
    vectors = tf_idf(bags)
    values = central(vectors) + _EARLY * np.array([_early(candidate) for candidate in found])
    if asked:
        values = values + _ASKED * np.array([len(asked & set(bag)) / len(asked) for bag in bags])
    chosen = _standing(found, values, vectors @ vectors.T, sentences, language)
    return tuple(cite(found[place]) for place in in_reading_order(found, sorted(chosen)))


def _prose(hits: Sequence[Hit], found: list[Candidate], wanted: int, language: str) -> list[Candidate]:
    """Return the sentences outside code, tables and headings that are no fragments, if there are enough."""
    apart = [bytearray(len(hit.text)) for hit in hits]
    for marks, hit in zip(apart, hits, strict=True):
        for line in read_lines(hit.text):
            if line.kind in _NO_PROSE:
                marks[line.start : line.end] = b"\1" * (line.end - line.start)
    prose = [
        one
        for one in found
        if not _SMALL.match(one.text)
        and apart[one.hit].find(1, one.start - hits[one.hit].start, one.end - hits[one.hit].start) < 0
        and (language != "en" or len(one.text.split()) > _SHORT or is_whole(one.text))
    ]
    return prose if len(prose) >= wanted else found


def _standing(
    found: Sequence[Candidate], values: NDArray[np.floating[Any]], alike: Matrix, most: int, language: str
) -> list[int]:
    """Choose sentences; if there are enough others, none depends on one before it that is not chosen."""
    leaning = [one.place > 0 and not stands_alone(one.text, language) for one in found]
    before = {(one.hit, one.place): place for place, one in enumerate(found)}
    left = np.asarray(values, dtype=float).copy()
    while True:
        chosen = diverse(left, alike, most, _REPEATED)
        alone = [
            place
            for place in chosen
            if leaning[place] and before.get((found[place].hit, found[place].place - 1)) not in chosen
        ]
        if not alone or np.isinf(left[alone]).any() or np.isfinite(left).sum() <= most:
            return chosen
        left[alone] = -np.inf


def diverse(values: NDArray[np.floating[Any]], alike: Matrix, most: int, cost: float) -> list[int]:
    """Choose the best one by one, each less `cost` times its similarity (n, n) to the nearest chosen one."""
    found = choose_diverse(values.tolist(), lambda one, other: float(alike[one, other]), cost, most)
    return [place for place, _ in found]


def tf_idf(bags: Sequence[Counter[str]]) -> Matrix:
    """Return vectors (sentences, terms) of length 1."""
    documents = Counter(term for bag in bags for term in bag)
    place = {term: i for i, term in enumerate(documents)}
    vectors = np.zeros((len(bags), len(place)), dtype=np.float32)
    for row, bag in zip(vectors, bags, strict=True):
        for term, count in bag.items():
            row[place[term]] = count * np.log1p(len(bags) / documents[term])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9))


def central(vectors: Matrix) -> Matrix:
    """Return the cosine of each vector to the mean, scaled so that the largest is 1."""
    cosines = vectors @ vectors.mean(axis=0)
    return np.asarray(cosines / max(float(cosines.max()), 1e-9))


def _early(candidate: Candidate) -> float:
    return 1 / (1 + candidate.place)
