"""Rerank the best hits with a model that reads the query and the passage together."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from ragcli.analysis.blocks import headed_blocks
from ragcli.encoding import passage_text
from ragcli.models import (
    DEFAULT_MODEL,
    LANGUAGE_MODEL,
    RERANKER,
    find_model,
    is_classifier,
    is_gguf,
    is_reader,
    is_url,
)
from ragcli.prompt import QUESTION
from ragcli.search.fusion import Ranked, fuse
from ragcli.settings import model_api_key
from ragcli.store import Hit, ranked
from ragcli.warm import opened

if TYPE_CHECKING:
    from ragcli.encoder import CrossEncoder
    from ragcli.encoder.remote import RemoteModel
    from ragcli.generate import LanguageModel
    from ragcli.reader import Reader

READER = "reader"  # the packaged one


class Reranker(Protocol):
    """Score passages for a query; `weight` is the weight of its order against the first one."""

    weight: float

    def scores(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return a score for each passage; higher is better."""


def open_reranker(name: str, language: str, note: Callable[[str], None]) -> Reranker:
    """Open a cross-encoder, a reader, or a language model, which ranks by the query's likelihood after the passage.

    A GGUF file and the URL of a server are cross-encoders. The name `reader` stands for the language's packaged reader.
    """
    if name == READER:
        from ragcli.reader import open_reader

        return Reading(open_reader(language=language), language)
    if is_url(name) or is_gguf(name):
        from ragcli.encoder import open_scorer

        return CrossEncoding(open_scorer(name, model_api_key()))
    default = name == DEFAULT_MODEL
    folder = find_model(name, allow_fallback=default, role=LANGUAGE_MODEL if default else RERANKER)
    if folder.note:
        note(folder.note)
    if is_classifier(folder):
        from ragcli.encoder import CrossEncoder

        return CrossEncoding(opened(folder, "cross-encoder", lambda: CrossEncoder(folder, "auto", note)))
    if is_reader(folder):
        from ragcli.reader import open_reader

        return Reading(open_reader(name), language)
    from ragcli.generate import open_language_model

    return Likelihood(open_language_model(folder, "auto", note))


def reranked(hits: Sequence[Hit], reranker: Reranker, query: str, candidates: int) -> list[Hit]:
    """Fuse the order of the best hits with the reranker's; the other hits stay behind them."""
    best, rest = hits[:candidates], hits[candidates:]
    scores = reranker.scores(query, best)
    again = ranked(hit._replace(score=score) for hit, score in zip(best, scores, strict=True))
    lists = {"first": Ranked(best, 1 - reranker.weight), "rerank": Ranked(again, reranker.weight)}
    ordered = fuse(lists, "min-max", depth=0)
    return ordered + [hit._replace(rank=rank) for rank, hit in enumerate(rest, len(best) + 1)]


class CrossEncoding:
    """Score pairs of query and passage with a cross-encoder."""

    weight = 0.8

    def __init__(self, scorer: "CrossEncoder | RemoteModel") -> None:
        self._scorer = scorer

    def scores(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return the cross-encoder's logit for each passage."""
        return [float(score) for score in self._scorer.scores(query, [_text(hit) for hit in hits])]


class Reading:
    """Score passages by their block that answers the query best."""

    weight = 0.5

    def __init__(self, reader: "Reader", language: str) -> None:
        self._reader, self._language = reader, language

    def scores(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return the log odds that the best block of each passage answers."""
        blocks = [headed_blocks(hit.title, hit.text, self._language) for hit in hits]
        read = iter(self._reader.read(query, [block for found in blocks for block in found]))
        return [max((next(read).score for _ in found), default=-math.inf) for found in blocks]


class Likelihood:
    """Score passages by the mean log-probability of the query's tokens after the passage.

    Source: Sachan et al. 2022, Improving Passage Retrieval with Zero-Shot Question Generation.
    """

    weight = 0.2

    def __init__(self, engine: "LanguageModel") -> None:
        self._engine = engine

    def scores(self, query: str, hits: Sequence[Hit]) -> list[float]:
        """Return the mean log-probability of the query after each passage, truncated to fit the context."""
        asked = self._engine.encode(QUESTION.query(query))[: self._engine.context // 2]
        room = self._engine.context - len(asked)
        read = (self._engine.encode(_text(hit))[:room] for hit in hits)
        return [float(self._engine.log_probabilities([*ids, *asked], len(ids)).mean()) for ids in read]


def _text(hit: Hit) -> str:
    return passage_text(hit.title, hit.text)
