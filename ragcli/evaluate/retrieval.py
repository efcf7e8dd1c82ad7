"""Measure retrieval: queries through the search that users get, against relevance judgments."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from ragcli.callbacks import Callbacks
from ragcli.errors import RagcliError, UsageError
from ragcli.evaluate.judgments import Judged, Qrels, field_names, read_qrels, read_queries, read_run
from ragcli.evaluate.measures import Run, Scores, depth, score, without_ties
from ragcli.evaluate.notes import counted, listed
from ragcli.evaluate.report import Report, describe_file, new_report
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Ranking, Searcher
from ragcli.store import LOCAL, Hit, IndexLocation, Store, drop_index, open_store

_MOST_PASSAGES = 10_000
_REPORT_EVERY = 10  # queries


class Retrieval(NamedTuple):
    """Say what to measure, by which measures: a finished run, or the search of an index.

    The collection's documents, if it has any, are indexed for the occasion unless an index was named.
    """

    collection: Judged
    measures: Mapping[str, Any]
    location: IndexLocation
    run: Path | None = None
    named_index: bool = False
    options: IndexOptions = IndexOptions()
    ranking: Ranking = Ranking()
    keep_going: bool = False
    limit: int | None = None  # queries, from the first on

    @property
    def documents(self) -> Path | None:
        """Return the documents to index, if any are to be."""
        return None if self.named_index or self.run else self.collection.documents


class Measured(NamedTuple):
    """Hold a report and the run that was measured."""

    report: Report
    run: Run


def evaluate_retrieval(job: Retrieval, callbacks: Callbacks[int] = Callbacks()) -> Measured:
    """Search for every judged query, or read a finished run, and measure what was found.

    A judged query without results counts as 0. Raises RagcliError where nothing can be measured, and for a query that
    fails unless `keep_going`: then it counts as without results, and is named in the report.
    """
    started = time.perf_counter()
    if not job.collection.qrels:
        raise UsageError("there are no relevance judgments", "Give --qrels FILE, or a folder with qrels/test.tsv.")
    qrels = read_qrels(job.collection.qrels)
    if qrels.repeated:
        again = counted(qrels.repeated, "judgment says", "judgments say")
        callbacks.note(f"{again} again what an earlier line said; each counts once")
    searched = _finished(job, qrels, callbacks) if job.run else _searched(job, qrels, callbacks)
    result = score(searched.run, searched.qrels, job.measures)
    searched.skipped["repeated_judgments"] = qrels.repeated
    return Measured(_report(job, searched, result, time.perf_counter() - started), searched.run)


class _Searched(NamedTuple):
    run: Run
    qrels: dict[str, dict[str, int]]  # of the queries that could be searched for
    skipped: dict[str, int]
    failed: dict[str, str]
    data: dict[str, Any]
    details: dict[str, Any]
    settings: dict[str, Any]


def _report(job: Retrieval, searched: _Searched, result: Scores, seconds: float) -> Report:
    searched.skipped["without_results"] = sum(not searched.run.get(query) for query in searched.qrels)
    settings: dict[str, Any] = {"measures": list(job.measures)}
    if job.run is None:
        settings |= {"store": LOCAL if job.location.url == LOCAL else "elasticsearch", **searched.settings}
        settings |= {"k": depth(job.measures.values()), "passage_size": job.options.passage_size, "limit": job.limit}
    return new_report(
        "eval retrieval",
        data=_described(job) | searched.data,
        settings=settings,
        queries=len(searched.qrels),
        metrics=dict(result.metrics),
        per_query=dict(result.per_query),
        skipped={name: count for name, count in searched.skipped.items() if count},
        failed=searched.failed,
        details=searched.details,
        seconds=round(seconds, 3),
    )


def _described(job: Retrieval) -> dict[str, Any]:
    names = ("qrels",) if job.run else ("queries", "qrels")
    files = {name: getattr(job.collection, name) for name in names} | {"run": job.run, "documents": job.documents}
    return {name: describe_file(path) for name, path in files.items() if path}


# A finished run


def _finished(job: Retrieval, qrels: Qrels, callbacks: Callbacks[int]) -> _Searched:
    run = read_run(job.run or Path())
    unjudged = run.keys() - qrels.by_query.keys()
    if len(unjudged) == len(run):
        raise RagcliError("no query of the run has a judgment", "Do the run and the qrels belong together?")
    if unjudged:
        callbacks.note(
            listed("query of the run has no judgment", "queries of the run have no judgment", unjudged) + "; left out"
        )
    kept = {query: scores for query, scores in run.items() if query in qrels.by_query}
    return _Searched(kept, qrels.by_query, {"unjudged_queries": len(unjudged)}, {}, {}, {}, {})


# A search


def _searched(job: Retrieval, qrels: Qrels, callbacks: Callbacks[int]) -> _Searched:
    if not job.collection.queries:
        raise UsageError("there are no queries", "Give --queries FILE or --run FILE, or a folder with queries.jsonl.")
    queries = read_queries(job.collection.queries)
    judged = {query: judgments for query, judgments in qrels.by_query.items() if query in queries}
    left_out = {"judged_without_query": sorted(qrels.by_query.keys() - judged.keys())}
    _note_unmatched(left_out["judged_without_query"], len(queries) - len(judged), callbacks)
    if not judged:
        raise RagcliError("no judged query is among the queries", "Do the queries and the qrels belong together?")
    judged = dict(islice(judged.items(), job.limit))
    texts = {query: queries[query] for query in judged}
    with _store(job, callbacks) as (store, rejected):
        left_out["judged_documents_not_indexed"] = _missing_documents(store, judged, callbacks)
        data = {"index": store.counts()._asdict()}
        started = time.perf_counter()
        searcher = Searcher(store, job.ranking, callbacks.note, tell_spelling=False, copies=True)
        run, failed = rank_queries(searcher, texts, depth(job.measures.values()), job.keep_going, callbacks)
        milliseconds = 1000 * (time.perf_counter() - started) / len(texts)
    skipped = {"unjudged_queries": len(queries) - len(judged), "rejected_documents": rejected}
    skipped |= {name: len(ids) for name, ids in left_out.items()}
    details: dict[str, Any] = {"search_ms": round(milliseconds, 3)}
    details["queries"] = {query: {"question": text} for query, text in texts.items()}
    details["left_out"] = {name: ids for name, ids in left_out.items() if ids}
    return _Searched(run, judged, skipped, failed, data, details, searcher.settings())


def _note_unmatched(without_text: Sequence[str], unjudged: int, callbacks: Callbacks[int]) -> None:
    if without_text:
        callbacks.note(listed("judged query has no text", "judged queries have no text", without_text) + "; left out")
    if unjudged:
        callbacks.note(f"{counted(unjudged, 'query has', 'queries have')} no judgment; left out")


@contextmanager
def _store(job: Retrieval, callbacks: Callbacks[int]) -> Iterator[tuple[Store, int]]:
    """Open the index to search; yield also how many documents it could not take."""
    if job.documents:
        with temporary_index(job.documents, job.location, job.options, callbacks) as made:
            yield made
    else:
        callbacks.note(f"searching the index {job.location.name}")
        with open_store(job.location) as store:
            yield store, 0


@contextmanager
def temporary_index(
    documents: Path, location: IndexLocation, options: IndexOptions, callbacks: Callbacks[int]
) -> Iterator[tuple[Store, int]]:
    """Index documents at a place under a name of its own, and remove the index afterwards.

    Yields also how many lines were no documents. Raises RagcliError where none is one.
    """
    with tempfile.TemporaryDirectory(prefix="ragcli-") as home:
        own = IndexLocation(location.url, f"ragcli-eval-{token_hex(6)}", Path(home), location.access)
        try:
            fields = field_names(documents)
            told = Callbacks(callbacks.progress, callbacks.note)
            summary = index_files([documents], own, options._replace(fields=fields), told)
            if not summary.documents:
                raise RagcliError(f"{documents} holds no document", "A document is a line of JSON with a text.")
            if summary.rejected:
                rejected = counted(summary.rejected, "line is no document", "lines are no documents")
                callbacks.note(f"{documents.name}: {rejected}; left out")
            with open_store(own) as store:
                yield store, summary.rejected
        finally:
            drop_index(own)


def _missing_documents(store: Store, judged: Mapping[str, Mapping[str, int]], callbacks: Callbacks[int]) -> list[str]:
    """Return the judged documents that the index lacks; they cannot be found. Raises RagcliError if it lacks all."""
    wanted = {doc_id for judgments in judged.values() for doc_id in judgments}
    if store.config is None:
        return []  # not ragcli's own: it cannot be asked for ids
    missing = sorted(wanted - {known.doc_id for known in store.stored(sorted(wanted))})
    if len(missing) == len(wanted):
        raise RagcliError("the index has none of the judged documents", "Is it the index of these documents?")
    if missing:
        shown = listed("judged document is not in the index", "judged documents are not in the index", missing)
        callbacks.note(f"{shown}; they count as not found")
    return missing


class Ranked(NamedTuple):
    """Hold the run of a search, and why queries failed."""

    run: dict[str, dict[str, float]]
    failed: dict[str, str]


def rank_queries(
    searcher: Searcher,
    queries: Mapping[str, str],
    k: int,
    keep_going: bool = False,
    callbacks: Callbacks[int] = Callbacks(),
) -> Ranked:
    """Return the k best documents for each query.

    Raises the error of a query that fails, with the query's id; with `keep_going` only where all fail.
    """
    found = Ranked({}, {})
    for done, (query_id, text) in enumerate(queries.items(), 1):
        try:
            found.run[query_id] = ranked_documents(searcher, text, k)
        except RagcliError as e:
            if not keep_going:
                raise type(e)(f"query {query_id}: {e.message}", f"{e.hint} Or let it count as 0: --keep-going") from e
            found.failed[query_id] = e.message
            if len(found.failed) == len(queries):
                raise type(e)(f"every query failed, the last one for: {e.message}", e.hint) from e
        if done % _REPORT_EVERY == 0:
            callbacks.progress(done)
    if found.failed:
        callbacks.note(listed("query failed", "queries failed", found.failed) + "; they count as 0")
    return found


def ranked_documents(searcher: Searcher, query: str, k: int) -> dict[str, float]:
    """Return the k documents whose best passages score highest, best first, with scores that nothing ties."""
    wanted = k
    while True:
        hits = searcher.search(query, wanted)
        best = _best_passages(hits)
        if len(best) >= k or len(hits) < wanted or wanted >= _MOST_PASSAGES:
            top = list(best.items())[:k]
            return dict(zip((doc_id for doc_id, _ in top), without_ties([value for _, value in top]), strict=True))
        wanted = min(2 * wanted, _MOST_PASSAGES)


def _best_passages(hits: Sequence[Hit]) -> dict[str, float]:
    best: dict[str, float] = {}
    for hit in hits:
        best.setdefault(hit.id, hit.score)
    return best
