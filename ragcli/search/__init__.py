"""Search: rank passages for a query by words, by meaning, or by both."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ragcli.analysis.analyzer import analyzer
from ragcli.callbacks import ignore
from ragcli.chunking import split_passages
from ragcli.encoding import matching_encoder, suggested_encoder
from ragcli.errors import IndexMismatchError, NothingFoundError, UsageError
from ragcli.filters import Filter
from ragcli.search.diversity import Similarity, diversified, one_a_document, without_copies
from ragcli.search.fusion import Fusion, Ranked, fuse
from ragcli.search.other_script import in_other_script
from ragcli.search.query import exact_share, first_words, weighted_words
from ragcli.search.similar import centroid, key_terms
from ragcli.search.spelling import clauses, correct_spelling, corrected
from ragcli.search.titled import options_of, titled_first, with_options_first
from ragcli.store import EncoderConfig, Hit, Store, vector_key

if TYPE_CHECKING:
    from ragcli.encoder import Encoder
    from ragcli.search.rerank import Reranker
    from ragcli.store import Vector

Mode = Literal["keyword", "semantic", "hybrid"]
Note = Callable[[str], None]

_DEPTH = 200  # hits of each list that are fused
_EXACT = 0.8  # share of the semantic half that a query of nothing but names with digits or marks gives to words
_SAMPLE = 500  # passages from which the mean cosine of unrelated texts is estimated
_MOST_COPIES = 64  # the search goes this many times deeper if most hits are copies
_PASSAGES_A_DOCUMENT = 5  # searched for each wanted document


class Ranking(NamedTuple):
    """Configure ranking. `mode` None is hybrid if the index has vectors, else keyword.

    `weight` is the weight of the semantic list in a hybrid; `rerank` names the model that reorders the best
    `candidates`; `diversity` (0 to 1) is the weight of dissimilarity to earlier hits; `num_candidates` is the number of
    passages that an approximate vector search examines. With `lenient`, an index without vectors is searched by words
    whatever the mode.
    """

    mode: Mode | None = None
    fusion: Fusion = "scaled"
    weight: float = 0.5
    rerank: str | None = None
    candidates: int = 50
    diversity: float = 0.0
    num_candidates: int | None = None
    lenient: bool = False


class Searcher:
    """Search an index with one ranking, any number of times; models are opened once, when needed."""

    def __init__(
        self,
        store: Store,
        ranking: Ranking = Ranking(),
        note: Note = ignore,
        tell_spelling: bool = True,
        copies: bool = False,
    ) -> None:
        """Prepare a search. `note` receives notes for the user, with `tell_spelling` also corrections of spelling.

        With `copies`, passages with the same title and text are separate hits. Raises IndexMismatchError for a mode
        that needs vectors if the index has none.
        """
        self.store = store
        self._ranking = ranking
        self._note = note
        self._tell_spelling = note if tell_spelling else ignore
        self._copies = copies
        self._meant: dict[str, str] = {}  # the last query, and what it was taken for
        self.mode = self._mode()

    def search(self, query: str, k: int = 10, filters: Sequence[Filter] = ()) -> list[Hit]:
        """Return the k passages that match a query best, best first.

        Raises UsageError for an empty query, RagcliError for a filter on an unknown field, UnreachableError if the
        index's encoder cannot be downloaded.
        """
        if not query.strip():
            raise UsageError("the query is empty", "Enter what to search for.")
        query = first_words(query, self._note)
        ranking = self._ranking
        wanted = max(k, ranking.candidates) if ranking.rerank or ranking.diversity else k
        options = options_of(query)
        hits = with_options_first(options, self._distinct(query, max(wanted, _DEPTH) if options else wanted, filters))
        if ranking.rerank and hits:
            from ragcli.search.rerank import reranked

            hits = reranked(hits, self._reranker, query, ranking.candidates)
        if self.mode == "semantic":
            self._meant = {query: in_other_script(self.store, query, self.language, hits) or query}
        return self._chosen(hits, k)

    def meant(self, query: str) -> str:
        """Return what the last search took its query for: corrected, and in the script of the texts."""
        return self._meant.get(first_words(query), query)

    def _distinct(self, query: str, k: int, filters: Sequence[Filter]) -> list[Hit]:
        """Return the k best passages without copies, searching deeper if copies fill the list."""
        depth, weight = k, self._ranking.weight
        if self.mode == "hybrid":
            weight *= 1 - _EXACT * exact_share(query, self.language)
        while True:
            if self.mode == "hybrid" and not any(map(str.isalnum, query)):
                hits = self._by_query(query, depth, filters)  # no vector tells what "//" or an emoji means
            else:
                hits = self._find(
                    lambda depth: self._by_query(query, depth, filters),
                    lambda: self._encoder.queries([self.meant(query)])[0],
                    depth,
                    filters,
                    weight,
                )
            if self._copies:
                return hits
            found = without_copies(hits)
            if len(found) >= k or len(hits) < depth or depth >= _MOST_COPIES * k:
                return found[:k]
            depth *= 4

    def like(self, doc_id: str, k: int = 10, filters: Sequence[Filter] = ()) -> list[Hit]:
        """Return the best passages of the k documents most similar to this one, best first.

        Raises NothingFoundError for an unknown document.
        """
        passages = self.store.passages(doc_id)
        if not passages:
            raise NothingFoundError(f"no document has the id {doc_id!r}", "Search for it: its id is in each result.")
        text = "\n".join([passages[0].title, *(hit.text for hit in passages)])
        others = [Filter("id", "!=", doc_id), *filters]

        def vector() -> "Vector":
            return centroid(list(self.store.vectors([vector_key(hit.title, hit.text) for hit in passages]).values()))

        return self._find_like(text, vector, k, others)

    def like_text(self, text: str, k: int = 10, filters: Sequence[Filter] = ()) -> list[Hit]:
        """Return the best passages of the k documents most similar to a text, best first.

        Raises UsageError for an empty text.
        """
        if not text.strip():
            raise UsageError("the text is empty", "Give a text to compare with.")
        size = self.store.config.passage_size if self.store.config else len(text)
        pieces = [passage for _, passage in split_passages(text, size)]
        return self._find_like(text, lambda: centroid(list(self._encoder.passages(pieces))), k, filters)

    def _find_like(self, text: str, vector: "Callable[[], Vector]", k: int, filters: Sequence[Filter]) -> list[Hit]:
        wanted = k * _PASSAGES_A_DOCUMENT
        found = self._find(lambda depth: self._by_key_terms(text, depth, filters), vector, wanted, filters)
        return self._chosen(one_a_document(found), k)

    def settings(self) -> dict[str, Any]:
        """Return the settings that determine the ranking, for a report."""
        said = {name: value for name, value in self._ranking._asdict().items() if name != "lenient"}
        config = self._encoder_config
        return said | {"mode": self.mode, "encoder": config.name if config else None}

    def _mode(self) -> Mode:
        mode = self._ranking.mode
        if self._encoder_config:
            return mode or "hybrid"
        if mode in ("semantic", "hybrid"):
            encoder = suggested_encoder(self.language)
            hint = f"Build it again with an encoder: ragcli index FILE --encoder {encoder} --rebuild"
            if not self._ranking.lenient:
                raise IndexMismatchError(f"the index has no vectors, which --mode {mode} needs", hint)
            self._note(f"the index has no vectors: searching by keyword. {hint}")
        return "keyword"

    @property
    def _encoder_config(self) -> EncoderConfig | None:
        return self.store.config.encoder if self.store.config else None

    @property
    def language(self) -> str:
        """Return the language of the index; English if ragcli did not build it."""
        return self.store.config.language if self.store.config else "en"

    @property
    def encoder(self) -> "Encoder | None":
        """Return the index's encoder if the mode uses it."""
        return None if self.mode == "keyword" else self._encoder

    @cached_property
    def _encoder(self) -> "Encoder":
        config = self._encoder_config
        assert config  # noqa: S101 (no mode that needs it is chosen without)
        return matching_encoder(config, self._note)

    @cached_property
    def _reranker(self) -> "Reranker":
        from ragcli.search.rerank import open_reranker  # and the code for models, which few searches need

        return open_reranker(self._ranking.rerank or "", self.language, self._note)

    def _find(
        self,
        by_words: Callable[[int], list[Hit]],
        vector: "Callable[[], Vector]",
        k: int,
        filters: Sequence[Filter],
        weight: float | None = None,
    ) -> list[Hit]:
        """Return the k best passages by words, by a vector, or by both, depending on the mode."""
        if self.mode == "keyword":
            return by_words(k)
        if self.mode == "semantic":
            return self.store.nearest(vector(), k, filters, self._ranking.num_candidates)
        depth, weight = max(k, _DEPTH), self._ranking.weight if weight is None else weight
        found = by_words(depth)  # first, because it corrects the spelling for the encoder
        meant = vector()
        lists = {
            "keyword": Ranked(found, 1 - weight),
            "semantic": Ranked(
                self.store.nearest(meant, depth, filters, self._ranking.num_candidates), weight, self._unrelated(meant)
            ),
        }
        return fuse(lists, self._ranking.fusion, depth)[:k]

    def _by_query(self, query: str, k: int, filters: Sequence[Filter]) -> list[Hit]:
        words = weighted_words(query, self.store.config.language if self.store.config else "")
        hits = self.store.search(words, k, filters)
        if other := in_other_script(self.store, query, self.language, hits):
            words += weighted_words(other, self.language)
            hits = self.store.search(words, k, filters)
        found = correct_spelling(self.store, query, self.language, hits, self._tell_spelling)
        self._meant = {query: corrected(other or query, found)}
        if found:
            return self.store.search([*words, *clauses(found)], k, filters)
        return titled_first(self.store, query, words, hits, k, filters)

    def _by_key_terms(self, text: str, k: int, filters: Sequence[Filter]) -> list[Hit]:
        words = key_terms(self.store, text)
        return self.store.search(words, k, filters) if words else []

    def _unrelated(self, vector: "Vector") -> float:
        """Return the mean cosine of a vector to passages: the score of an unrelated one."""
        return float((self._sample @ vector).mean()) if len(self._sample) else 0.0

    @cached_property
    def _sample(self) -> "Vector":
        return self.store.sample(_SAMPLE)

    def _chosen(self, hits: Sequence[Hit], k: int) -> list[Hit]:
        if self._ranking.diversity and hits:
            return diversified(hits, self._likeness(hits), self._ranking.diversity, k)
        return list(hits[:k])

    def _likeness(self, hits: Sequence[Hit]) -> Similarity:
        """Return the similarity of passages by their vectors or, without vectors, by shared words."""
        keys = [vector_key(hit.title, hit.text) for hit in hits]
        vectors = self.store.vectors(keys) if self._encoder_config else {}
        if all(key in vectors for key in keys):
            mean = self._sample.mean(axis=0)
            usual = float(mean @ mean)  # mean cosine of two passages: with some encoders all texts are similar
            return lambda i, j: (float(vectors[keys[i]] @ vectors[keys[j]]) - usual) / max(1 - usual, 1e-6)
        stems = [analyzer(self.language).stems(hit.text) for hit in hits]
        return lambda i, j: len(stems[i] & stems[j]) / max(len(stems[i] | stems[j]), 1)


def search(
    store: Store, query: str, k: int = 10, filters: Sequence[Filter] = (), ranking: Ranking = Ranking()
) -> list[Hit]:
    """Return the k passages that match a query best, best first; see Searcher."""
    return Searcher(store, ranking).search(query, k, filters)
