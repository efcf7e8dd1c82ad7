"""Measure retrieval: run queries through the same search as users, and compare with relevance judgments."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from ragcli.callbacks import Callbacks
from ragcli.counts import counted, listed
from ragcli.errors import RagcliError, UsageError
from ragcli.evaluate.judgments import Judged, Qrels, check_trec_ids, field_names, read_qrels, read_queries, read_run
from ragcli.evaluate.measures import Run, Scores, depth, score, without_ties
from ragcli.evaluate.report import Report, describe_file, new_report
from ragcli.indexing import IndexOptions, index_files
from ragcli.search import Ranking, Searcher
from ragcli.store import LOCAL, Hit, IndexLocation, Store, drop_index, open_store

_MOST_PASSAGES = 10_000
_REPORT_EVERY = 10  # queries


class RetrievalConfig(NamedTuple):
    """Configure a measurement of a finished run, or of the search in an index.

    The collection's documents, if any, are indexed temporarily unless an index was named.
    """

    collection: Judged
    measures: Mapping[str, Any]
    location: IndexLocation
    run: Path | None = None
    named_index: bool = False
    options: IndexOptions = IndexOptions()
    ranking: Ranking = Ranking()
    keep_going: bool = False
    limit: int | None = None  # of queries
    as_trec: bool = False  # the run is to be written in TREC format

    @property
    def documents(self) -> Path | None:
        """Return the documents to index, if any."""
        return None if self.named_index or self.run else self.collection.documents


class Measured(NamedTuple):
    """Hold a report and the run that was measured."""

    report: Report
    run: Run


def evaluate_retrieval(config: RetrievalConfig, callbacks: Callbacks[int] = Callbacks()) -> Measured:
    """Search for every judged query, or read a finished run, and measure the results.

    A judged query without results counts as 0. Raises RagcliError if nothing can be measured, and for a query that
    fails, unless `keep_going`: then it counts as without results, and is named in the report.
    """
    started = time.perf_counter()
    if not config.collection.qrels:
        raise UsageError("there are no relevance judgments", "Give --qrels FILE, or a folder with qrels/test.tsv.")
    qrels = read_qrels(config.collection.qrels)
    if qrels.repeated:
        repeated = counted(qrels.repeated, "judgment is repeated", "judgments are repeated")
        callbacks.note(f"{repeated}; each counts once")
    searched = _finished(config, qrels, callbacks) if config.run else _searched(config, qrels, callbacks)
    result = score(searched.run, searched.qrels, config.measures)
    searched.skipped["repeated_judgments"] = qrels.repeated
    return Measured(_report(config, searched, result, time.perf_counter() - started), searched.run)


class _Searched(NamedTuple):
    run: Run
    qrels: dict[str, dict[str, int]]  # of the searched queries
    skipped: dict[str, int]
    failed: dict[str, str]
    data: dict[str, Any]
    details: dict[str, Any]
    settings: dict[str, Any]


def _report(config: RetrievalConfig, searched: _Searched, result: Scores, seconds: float) -> Report:
    searched.skipped["without_results"] = sum(not searched.run.get(query) for query in searched.qrels)
    settings: dict[str, Any] = {"measures": list(config.measures)}
    if config.run is None:
        settings |= {"store": LOCAL if config.location.url == LOCAL else "elasticsearch", **searched.settings}
        settings |= {
            "k": depth(config.measures.values()),
            "passage_size": config.options.passage_size,
            "limit": config.limit,
        }
    return new_report(
        "eval retrieval",
        data=_described(config) | searched.data,
        settings=settings,
        queries=len(searched.qrels),
        metrics=dict(result.metrics),
        per_query=dict(result.per_query),
        skipped={name: count for name, count in searched.skipped.items() if count},
        failed=searched.failed,
        details=searched.details,
        seconds=round(seconds, 3),
    )


def _described(config: RetrievalConfig) -> dict[str, Any]:
    names = ("qrels",) if config.run else ("queries", "qrels")
    files = {name: getattr(config.collection, name) for name in names} | {
        "run": config.run,
        "documents": config.documents,
    }
    return {name: describe_file(path) for name, path in files.items() if path}


# A finished run


def _finished(config: RetrievalConfig, qrels: Qrels, callbacks: Callbacks[int]) -> _Searched:
    run = read_run(config.run or Path())
    unjudged = run.keys() - qrels.by_query.keys()
    if len(unjudged) == len(run):
        raise RagcliError("no query of the run has a judgment", "Check that the run and the qrels belong together.")
    if unjudged:
        callbacks.note(
            listed("query of the run has no judgment", "queries of the run have no judgment", unjudged) + "; ignored"
        )
    kept = {query: scores for query, scores in run.items() if query in qrels.by_query}
    return _Searched(kept, qrels.by_query, {"unjudged_queries": len(unjudged)}, {}, {}, {}, {})


# A search


def _searched(config: RetrievalConfig, qrels: Qrels, callbacks: Callbacks[int]) -> _Searched:
    if not config.collection.queries:
        raise UsageError("there are no queries", "Give --queries FILE or --run FILE, or a folder with queries.jsonl.")
    queries = read_queries(config.collection.queries)
    judged = {query: judgments for query, judgments in qrels.by_query.items() if query in queries}
    left_out = {"judged_without_query": sorted(qrels.by_query.keys() - judged.keys())}
    _note_unmatched(left_out["judged_without_query"], len(queries) - len(judged), callbacks)
    if not judged:
        raise RagcliError(
            "no judged query is among the queries", "Check that the queries and the qrels belong together."
        )
    judged = dict(islice(judged.items(), config.limit))
    if config.as_trec:  # before the work
        check_trec_ids(judged)
        check_trec_ids(doc_id for judgments in judged.values() for doc_id in judgments)
    texts = {query: queries[query] for query in judged}
    with _store(config, callbacks) as (store, rejected):
        left_out["judged_documents_not_indexed"] = _missing_documents(store, judged, callbacks)
        data = {"index": store.counts()._asdict()}
        started = time.perf_counter()
        searcher = Searcher(store, config.ranking, callbacks.note, tell_spelling=False, copies=True)
        run, failed = rank_queries(searcher, texts, depth(config.measures.values()), config.keep_going, callbacks)
        milliseconds = 1000 * (time.perf_counter() - started) / len(texts)
    skipped = {"unjudged_queries": len(queries) - len(judged), "rejected_documents": rejected}
    skipped |= {name: len(ids) for name, ids in left_out.items()}
    details: dict[str, Any] = {"search_ms": round(milliseconds, 3)}
    details["queries"] = {query: {"question": text} for query, text in texts.items()}
    details["left_out"] = {name: ids for name, ids in left_out.items() if ids}
    return _Searched(run, judged, skipped, failed, data, details, searcher.settings())


def _note_unmatched(without_text: Sequence[str], unjudged: int, callbacks: Callbacks[int]) -> None:
    if without_text:
        callbacks.note(listed("judged query has no text", "judged queries have no text", without_text) + "; ignored")
    if unjudged:
        callbacks.note(f"{counted(unjudged, 'query has', 'queries have')} no judgment; ignored")


@contextmanager
def _store(config: RetrievalConfig, callbacks: Callbacks[int]) -> Iterator[tuple[Store, int]]:
    """Open the index to search; yield it with the number of rejected documents."""
    if config.documents:
        with temporary_index(config.documents, config.location, config.options, callbacks) as made:
            yield made
    else:
        callbacks.note(f"searching index {config.location.name}")
        with open_store(config.location) as store:
            yield store, 0


@contextmanager
def temporary_index(
    documents: Path, location: IndexLocation, options: IndexOptions, callbacks: Callbacks[int]
) -> Iterator[tuple[Store, int]]:
    """Index documents under a unique name, and remove the index afterwards.

    Yields the store with the number of rejected lines. Raises RagcliError if there is no document.
    """
    with tempfile.TemporaryDirectory(prefix="ragcli-") as home:
        own = IndexLocation(location.url, f"ragcli-eval-{token_hex(6)}", Path(home), location.access)
        try:
            fields = field_names(documents)
            reported = Callbacks(callbacks.progress, callbacks.note)
            summary = index_files([documents], own, options._replace(fields=fields), reported)
            if not summary.documents:
                raise RagcliError(f"{documents} contains no document", "A document is a line of JSON with a text.")
            if summary.rejected:
                rejected = counted(summary.rejected, "line was rejected", "lines were rejected")
                callbacks.note(f"{documents.name}: {rejected}")
            with open_store(own) as store:
                yield store, summary.rejected
        finally:
            drop_index(own)


def _missing_documents(store: Store, judged: Mapping[str, Mapping[str, int]], callbacks: Callbacks[int]) -> list[str]:
    """Return the judged documents that are not in the index. Raises RagcliError if none is."""
    wanted = {doc_id for judgments in judged.values() for doc_id in judgments}
    if store.config is None:
        return []  # an index that ragcli did not make cannot list ids
    missing = sorted(wanted - {known.doc_id for known in store.stored(sorted(wanted))})
    if len(missing) == len(wanted):
        raise RagcliError(
            "the index has none of the judged documents", "Check that it is the index of these documents."
        )
    if missing:
        shown = listed("judged document is not in the index", "judged documents are not in the index", missing)
        callbacks.note(f"{shown}; they count as not found")
    return missing


class Ranked(NamedTuple):
    """Hold the run of a search, and the reasons of failed queries."""

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

    Raises the error of a failed query with its id; with `keep_going`, only if all fail.
    """
    found = Ranked({}, {})
    for done, (query_id, text) in enumerate(queries.items(), 1):
        try:
            found.run[query_id] = ranked_documents(searcher, text, k)
        except RagcliError as e:
            if not keep_going:
                raise type(e)(
                    f"query {query_id}: {e.message}", f"{e.hint} To count failures as 0, add --keep-going."
                ) from e
            found.failed[query_id] = e.message
            if len(found.failed) == len(queries):
                raise type(e)(f"every query failed, the last one with: {e.message}", e.hint) from e
        if done % _REPORT_EVERY == 0:
            callbacks.progress(done)
    if found.failed:
        callbacks.note(listed("query failed", "queries failed", found.failed) + "; they count as 0")
    return found


def ranked_documents(searcher: Searcher, query: str, k: int) -> dict[str, float]:
    """Return the k documents with the best passages, best first, with scores without ties."""
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
