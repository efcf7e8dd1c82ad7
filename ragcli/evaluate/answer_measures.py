"""Measures of an answer against the accepted answers.

Languages with spaces between words follow SQuAD's rules; Chinese and Japanese follow CMRC's, by characters.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from rapidfuzz.distance import LCSseq

from ragcli.analysis.languages import detect_language
from ragcli.analysis.sentences import sentence_spans
from ragcli.answer.schema import CitedSentence

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CMRC_MARKS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_HAN = "\u4e00-\u9fff\u3040-\u30ff"
_CMRC_SEGMENT = re.compile(rf"[{_HAN}]|(?:(?![{_HAN}])\w)+(?:[.,'](?:(?![{_HAN}])\w)+)*|[^\w\s]")
_ROUGE_WORD = re.compile(r"[^\W_]+")
_END_MARKS = string.punctuation + string.whitespace + "。！？…“”‘’"


def by_characters(texts: Iterable[str]) -> bool:
    """Return whether texts are compared by characters, as in Chinese and Japanese."""
    return detect_language(texts) in ("zh", "ja")


def normalized(text: str) -> str:
    """Return a text in lower case without ASCII punctuation, articles and extra blanks.

    Source: Rajpurkar et al. 2016, SQuAD, section 6.1, and its evaluation script.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, accepted: Sequence[str], characters: bool) -> float:
    """Return 1.0 if the normalised answer equals an accepted one, else 0.0."""
    plain = _without_marks if characters else normalized
    return float(any(plain(answer) == plain(text) for text in accepted))


def f1(answer: str, accepted: Sequence[str], characters: bool) -> float:
    """Return the best F1 with an accepted answer: of shared tokens, or of the longest shared run of characters.

    Source: Rajpurkar et al. 2016, SQuAD, section 6.1; for Chinese Cui et al. 2019, CMRC 2018, section 4.
    """
    return max((_cmrc_f1 if characters else _token_f1)(answer, text) for text in accepted)


def contains(answer: str, accepted: Sequence[str], characters: bool) -> float:
    """Return 1.0 if the answer contains an accepted one as whole words, else 0.0."""
    if characters:
        return float(any(_without_marks(text) in _without_marks(answer) for text in accepted))
    padded = f" {normalized(answer)} "
    return float(any(f" {normalized(text)} " in padded for text in accepted if normalized(text)))


def rouge_l(answer: str, accepted: Sequence[str], characters: bool) -> float:
    """Return the best ROUGE-L with an accepted answer: F1 of the longest common subsequence of words or characters.

    Source: Lin 2004, ROUGE, section 3; precision and recall have equal weight, as in Google's implementation.
    """
    words = _segments if characters else _rouge_words
    ours = words(answer)
    return max(_f1(LCSseq.similarity(ours, theirs), ours, theirs) for theirs in map(words, accepted))


def groundedness(answer: str, sources: Iterable[str]) -> float | None:
    """Return the share of the answer's sentences that occur verbatim in a source; None without sentences.

    Case, white space, and punctuation at the ends of a sentence are ignored.
    """
    texts = [_folded(source) for source in sources]
    sentences = [_folded(answer[start:end]).strip(_END_MARKS) for start, end in sentence_spans(answer)]
    found = [any(_stands_in(sentence, text) for text in texts) for sentence in sentences if sentence]
    return sum(found) / len(found) if found else None


def citations(sentences: Sequence[CitedSentence]) -> dict[str, float | None]:
    """Return citation precision and recall, and the share of sentences that any source supports.

    Recall is the share of sentences that their citations support, alone or together; precision that of citations that
    do, without those beside which they add nothing. What supports is told by words, numbers and the reader instead of
    an entailment model.
    Source: Gao et al. 2023, Enabling Large Language Models to Generate Text with Citations, section 4 (ALCE).
    """
    right = [set(one.cited) & set(one.supporting) for one in sentences]
    cited = sum(len(one.cited) for one in sentences)
    return {
        "citation_precision": sum(map(len, right)) / cited if cited else None,
        "citation_recall": sum(map(bool, right)) / len(sentences) if sentences else None,
        "faithfulness": sum(bool(one.supporting) for one in sentences) / len(sentences) if sentences else None,
    }


def _stands_in(sentence: str, text: str) -> bool:
    if by_characters([sentence]):
        return sentence in text
    return re.search(rf"(?<!\w){re.escape(sentence)}(?!\w)", text) is not None


def _token_f1(answer: str, accepted: str) -> float:
    ours, theirs = normalized(answer).split(), normalized(accepted).split()
    if not ours or not theirs:
        return float(ours == theirs)
    return _f1((Counter(ours) & Counter(theirs)).total(), ours, theirs)


def _cmrc_f1(answer: str, accepted: str) -> float:
    ours, theirs = _segments(answer), _segments(accepted)
    match = SequenceMatcher(None, ours, theirs, autojunk=False).find_longest_match()
    return _f1(match.size, ours, theirs)


def _f1(shared: int, ours: Sequence[str], theirs: Sequence[str]) -> float:
    """Return 2PR / (P + R), which is 2 · shared / (length of both)."""
    return 2 * shared / (len(ours) + len(theirs)) if shared else 0.0


def _without_marks(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in _CMRC_MARKS)


def _segments(text: str) -> list[str]:
    """Split a text into Chinese characters, other words, and the marks that CMRC keeps."""
    return _CMRC_SEGMENT.findall(_without_marks(text))


def _rouge_words(text: str) -> list[str]:
    return _ROUGE_WORD.findall(text.lower())


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
