"""Say which source supports each sentence of a text that was written freely."""

from collections.abc import Sequence

from ragcli.analysis.sentences import sentence_spans
from ragcli.answer.candidates import Candidate, all_sentences, cite
from ragcli.answer.schema import CitedSentence
from ragcli.answer.terms import terms, weigh, words_by_term
from ragcli.store import Hit, Store

SUPPORTED = 0.5  # share of a sentence's weight from which on a source sentence supports it


def attribute(text: str, hits: Sequence[Hit], store: Store, supported: float = SUPPORTED) -> tuple[CitedSentence, ...]:
    """Return the sentences of a text in order, each with the source sentence that holds most of its weight.

    Support is the share of a sentence's terms, weighed by idf, that the source sentence holds; below `supported`
    there is no source.
    """
    language = store.config.language if store.config else "en"
    found = all_sentences(hits)
    held = [frozenset(terms(candidate.text, language)) for candidate in found]
    passages = store.counts().passages

    def attributed(sentence: str) -> CitedSentence:
        words = words_by_term(sentence, language)
        weights = weigh(words, store.frequencies(list(words.values())), passages)
        shares = [weights.share(own) for own in held]
        best = max(range(len(found)), key=shares.__getitem__, default=None)
        if best is None or shares[best] < supported:
            return CitedSentence(sentence, None, 0, 0, 0.0 if best is None else shares[best])
        return _cited(sentence, found[best], shares[best])

    return tuple(attributed(text[start:end]) for start, end in sentence_spans(text))


def _cited(sentence: str, candidate: Candidate, support: float) -> CitedSentence:
    return cite(candidate, support)._replace(text=sentence)
