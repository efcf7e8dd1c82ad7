"""Measures of an answer against the answers that are accepted: pure functions.

Languages that put spaces between words follow SQuAD's rules; Chinese and Japanese follow CMRC's, by characters.
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

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CMRC_MARKS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_HAN = "\u4e00-\u9fff\u3040-\u30ff"
_CMRC_SEGMENT = re.compile(rf"[{_HAN}]|(?:(?![{_HAN}])\w)+(?:[.,'](?:(?![{_HAN}])\w)+)*|[^\w\s]")
_ROUGE_WORD = re.compile(r"[^\W_]+")
_END_MARKS = string.punctuation + string.whitespace + "。！？…“”‘’"


def by_characters(texts: Iterable[str]) -> bool:
    """Tell whether texts are compared by characters: Chinese and Japanese, which put no blanks between words."""
    return detect_language(texts) in ("zh", "ja")


def normalized(text: str) -> str:
    """Return a text in small letters without ASCII punctuation, articles and extra blanks.

    Source: Rajpurkar et al. 2016, SQuAD, section 6.1, and its evaluation script.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, accepted: Sequence[str], characters: bool) -> float:
    """Return 1.0 where the answer equals an accepted one but for what normalisation drops, else 0.0."""
    plain = _without_marks if characters else normalized
    return float(any(plain(answer) == plain(text) for text in accepted))


def f1(answer: str, accepted: Sequence[str], characters: bool) -> float:
    """Return the best F1 with an accepted answer: of shared tokens, or of the longest shared run of characters.

    Source: Rajpurkar et al. 2016, SQuAD, section 6.1; for Chinese Cui et al. 2019, CMRC 2018, section 4.
    """
    return max((_cmrc_f1 if characters else _token_f1)(answer, text) for text in accepted)


def contains(answer: str, accepted: Sequence[str], characters: bool) -> float:
    """Return 1.0 where an accepted answer stands in the answer, in whole words, else 0.0."""
    if characters:
        return float(any(_without_marks(text) in _without_marks(answer) for text in accepted))
    padded = f" {normalized(answer)} "
    return float(any(f" {normalized(text)} " in padded for text in accepted if normalized(text)))


def rouge_l(answer: str, accepted: Sequence[str], characters: bool) -> float:
    """Return the best ROUGE-L with an accepted answer: F1 of the longest common subsequence of words, or characters.

    Source: Lin 2004, ROUGE, section 3; precision and recall weigh the same, as in Google's implementation.
    """
    words = _segments if characters else _rouge_words
    ours = words(answer)
    return max(_f1(LCSseq.similarity(ours, theirs), ours, theirs) for theirs in map(words, accepted))


def groundedness(answer: str, sources: Iterable[str]) -> float | None:
    """Return the share of the answer's sentences that stand word by word in a source; None for no sentence.

    Letters' case, white space, and marks at a sentence's ends are not looked at.
    """
    texts = [_folded(source) for source in sources]
    sentences = [_folded(answer[start:end]).strip(_END_MARKS) for start, end in sentence_spans(answer)]
    found = [any(_stands_in(sentence, text) for text in texts) for sentence in sentences if sentence]
    return sum(found) / len(found) if found else None


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
    """Return 2PR / (P + R), which is twice what is shared over both lengths together."""
    return 2 * shared / (len(ours) + len(theirs)) if shared else 0.0


def _without_marks(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in _CMRC_MARKS)


def _segments(text: str) -> list[str]:
    """Cut a text into Chinese characters, other words, and marks that CMRC's rule keeps."""
    return _CMRC_SEGMENT.findall(_without_marks(text))


def _rouge_words(text: str) -> list[str]:
    return _ROUGE_WORD.findall(text.lower())


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
