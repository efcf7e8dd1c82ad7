"""Compose a film's review from sentences of real ones, in an order that reads as one text.

The order is an opening judgement, the story, acting and craft, reservations, and a verdict. Praise and blame have the
same shares as in the reviews.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ragcli.analysis.languages import HAN
from ragcli.answer.candidates import Candidate, all_sentences, cite
from ragcli.answer.clauses import is_whole
from ragcli.answer.features import Matrix
from ragcli.answer.meaning import Encoder
from ragcli.answer.schema import CitedSentence, Source
from ragcli.answer.sentiment import pattern_of, polarity
from ragcli.answer.standalone import stands_alone
from ragcli.answer.summary import central, tf_idf
from ragcli.answer.terms import bag_of
from ragcli.store import Hit

_ASPECTS = Path(__file__).with_name("aspects.json")
_ENDED = re.compile(r"[.!。！][\"'”’」』）)]*$")
# Marks of a sentence that is cut off or part of a web page.
_NOISE = re.compile(
    r"[\[\]【】]|https?:|www\.|@|#|\*|_{2}|/\d|\d/|\bfull review\b|\bspoilers?\b|\bclick\b|\bgrade:|\.{3}|…|[~～]|[?？]"
    r"|\n|哈哈|呵呵|看到第|QAQ|豆瓣|短评|楼上|评分|:$|^[-–—,.;:)）」”、，。\d]|^[“\"][^”\"]*$|^[^(（]*[)）]|[(（][^)）]*$",
    re.IGNORECASE,
)
_SMALL_START = re.compile(
    r"^[\W\d]*[a-z]|^(?:Saw|Seen|Watched|Went|Loved|Came|Caught|Gave|Had|Thought|Liked|Enjoyed|Hated|Felt)\b"
)
_PERSONAL = re.compile(
    r"\b(?:my|mine|our|we|us|me|myself)\b|我们|我們|我[家妈爸朋同]|老公|老婆|男朋友|女朋友|闺蜜|^(?:小时候|昨天|前几天|今天|刚看完|干了)",
    re.IGNORECASE,
)
_MYSELF = re.compile(r"\bI\b|\bI['’]|我|本人|个人|偶|俺")
_NAME = re.compile(r"(?<=[\w,;] )[A-Z][\w’'-]+")
# How a story ends: those who have not seen the film do not want to read it.
_ENDING = re.compile(
    r"\b(?:dies?|dead|deaths?|killed|kills|resurrection|twists?|reveals?|revealed|turns? out to be|learns that"
    r"|the (?:very )?end(?:ing)?|finale|climax|(?:final|last|closing) (?:scene|shot|act|minutes|image)s?)\b"
    r"|死了|去世|牺牲|犧牲|结局|結局|原来是|原來是|凶手|反转|反轉",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\s*\(\d{4}\)$")
_BLANK = re.compile(rf"(?<=[{HAN}])\s+(?=[{HAN}])")  # used instead of a comma
_HAN = re.compile(rf"[{HAN}]")
_LENGTHS = {"en": (35, 240), "zh": (9, 90)}  # characters of a sentence, at least and at most
# Judgements of a film as a whole; sentences similar to these open and close the review.
JUDGEMENTS = (
    "This is one of the best films ever made.",
    "A masterpiece that everyone should see.",
    "The film is a disappointment: overlong, hollow and badly written.",
    "I loved this movie from beginning to end.",
    "It is an entertaining film with some flaws.",
    "Overall a good movie that is worth watching.",
    "A dull and overrated picture.",
    "The film remains powerful and moving after all these years.",
    "As a whole the picture works beautifully.",
    "It is a clever, stylish thriller but it left me cold.",
)
_JUDGING = 1.6  # what a standard deviation of nearness to these counts
_COMPARED = 200  # sentences of which that is known
_BEAM = 60
_POOR = 0.3  # least fit of a sentence to its slot, if there are enough others
_FEWEST = 4  # sentences of a review
_FEW = 2  # reviews that make an opinion
_CHOICES = 14  # sentences that are tried for each slot


class _Slot(NamedTuple):
    """Hold what one slot of the review wants: an aspect, and praise (1) or blame (-1)."""

    aspect: str
    sign: int


class _Pool(NamedTuple):
    """Hold the sentences (n) and their polarity, aspects (n each), value, and similarity (n, n)."""

    found: list[Candidate]
    polarities: Matrix
    aspects: Mapping[str, Matrix]
    worth: Matrix
    details: Matrix
    personal: Matrix
    judging: Matrix
    alike: Matrix


def compose_review(
    hits: Sequence[Hit], sentences: int, language: str, encoder: Encoder | None = None
) -> tuple[CitedSentence, ...]:
    """Return at most `sentences` sentences of reviews, in an order that reads as one review.

    If the reviews contain both praise and blame, so does the result. An encoder helps to find sentences that judge the
    film as a whole.
    """
    if not hits or not (pool := _pool(hits, language, encoder)).found:
        return ()
    slots = _slots(pool, min(sentences, len(pool.found)))
    return tuple(cite(pool.found[place]) for place in _fill(slots, pool))


def opinion(reviews: Sequence[Source]) -> str:
    """Say how many reviews praise a film and how many find fault, by their metadata; empty if not all of them tell."""
    said = [str(one.metadata.get("sentiment", "")).lower() for one in {one.id: one for one in reviews}.values()]
    if len(said) < _FEW or not set(said) <= {"positive", "negative", "mixed", "neutral"}:
        return ""
    praise, blame = said.count("positive"), said.count("negative")
    return (
        f"Of {len(said)} reviews, {praise or 'none'} {'praise' if praise > 1 else 'praises'} the film"
        f" and {blame or 'none'} {'find' if blame > 1 else 'finds'} fault with it."
        if praise + blame
        else ""
    )


def _pool(hits: Sequence[Hit], language: str, encoder: Encoder | None) -> _Pool:
    whole = all_sentences(hits)
    found = [one for one in whole if _is_fit(one.text, language)]
    found = found or [one for one in whole if _ENDED.search(one.text)] or whole
    leaning = [_leaning(hit) for hit in hits]
    polarities = np.array([polarity(one.text) + 0.15 * leaning[one.hit] for one in found], dtype=np.float32)
    vectors = tf_idf([bag_of(one.text, language) for one in found])
    worth = np.array([_worth(one, language) for one in found], dtype=np.float32)
    aspects = {
        name: np.array([min(1.0, 0.7 * len(pattern.findall(one.text))) for one in found], dtype=np.float32)
        for name, pattern in _aspects().items()
    }
    named = re.compile(re.escape(_YEAR.sub("", hits[0].title)), re.IGNORECASE)
    aspects["film"] = np.maximum(aspects["film"], [0.7 * bool(named.search(one.text)) for one in found])
    worth -= 0.8 * (sum(aspects.values()) == 0)  # not about the film
    details = np.array([min(3, len(_NAME.findall(one.text))) for one in found], dtype=np.float32)
    personal = np.array([bool(_MYSELF.search(one.text)) for one in found], dtype=np.float32)
    typical = central(vectors) if found else worth
    judging = _judging([one.text for one in found], encoder if language == "en" else None)
    return _Pool(found, polarities, aspects, worth + typical, details, personal, judging, vectors @ vectors.T)


def _judging(texts: Sequence[str], encoder: Encoder | None) -> Matrix:
    """Return how near each text is to a judgement of a film, in standard deviations from their mean; 0 if unknown."""
    found = np.zeros(len(texts), dtype=np.float32)
    if encoder and len(texts) > 1:
        near = encoder.passages(texts[:_COMPARED]) @ encoder.passages(JUDGEMENTS).T
        nearness = near.max(axis=1) + near.mean(axis=1)
        found[:_COMPARED] = (nearness - nearness.mean()) / (nearness.std() + 1e-6)
    return found


def _leaning(hit: Hit) -> float:
    """Return the polarity of a whole review, by its field `sentiment` if it has one, else by its words."""
    labelled = {"positive": 1.0, "negative": -1.0}.get(str(hit.metadata.get("sentiment", "")).lower())
    return polarity(hit.text) if labelled is None else labelled


def _is_fit(text: str, language: str) -> bool:
    shortest, longest = _LENGTHS.get(language, _LENGTHS["en"])
    return (
        shortest <= len(text) <= longest
        and (language != "en" or bool(_ENDED.search(text)))
        and (language != "zh" or 2 * len(_HAN.findall(text)) > len(text))
        and not _NOISE.search(text)
        and not _SMALL_START.search(text)
        and not _PERSONAL.search(text)
        and stands_alone(text, language)
        and (language != "en" or is_whole(text))
    )


def _worth(one: Candidate, language: str) -> float:
    """Return the value of a sentence apart from its content, by its length, its subject and what it tells."""
    shortest, longest = _LENGTHS.get(language, _LENGTHS["en"])
    aim = (shortest + longest) / 2.2
    length = -abs(len(one.text) - aim) / (longest - shortest)
    personal = -1.0 * bool(_MYSELF.search(one.text))
    first = 0.3 if one.place == 0 else 0.0
    loose = -0.5 * len(_BLANK.findall(one.text))
    ended = 0.2 if _ENDED.search(one.text) else 0.0
    told = -1.0 if _ENDING.search(one.text) else 0.0
    return length + personal + first + ended + loose + told


@cache
def _aspects() -> dict[str, re.Pattern[str]]:
    words = json.loads(_ASPECTS.read_text(encoding="utf-8"))
    return {name: pattern_of(listed) for name, listed in words.items() if name != "about"}


def _slots(pool: _Pool, sentences: int) -> list[_Slot]:
    """Return the slots in order: first the majority's opinion by aspects, then the minority's, then the verdict."""
    most = 1 if pool.polarities.sum() >= 0 else -1
    with_most, against = int((pool.polarities * most > 0).sum()), int((pool.polarities * most < 0).sum())
    others = 0
    if against and sentences > 1:
        others = min(max(round(sentences * against / (with_most + against)), 1), sentences // 2, against)
    between = ["story", "acting", "craft", "story", "craft", "acting"]
    count = sentences - others
    aspects = ["film", *[between[n % len(between)] for n in range(count - 2)], "verdict"][:count]
    slots = [_Slot(aspect, most) for aspect in aspects]
    return (
        [*slots[:-1], *[_Slot("film", -most)] * others, *slots[-1:]]
        if count > 1
        else [*slots, *[_Slot("", -most)] * others]
    )


def _fill(slots: Sequence[_Slot], pool: _Pool) -> list[int]:
    """Choose a sentence for each slot so that all together fit best, by beam search."""
    beam: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for slot in slots:
        fits = _fits(slot, pool)
        longer = [
            (score + float(fits[place]) - _repeats(place, chosen, pool), (*chosen, place))
            for score, chosen in beam
            for place in _best(fits, chosen)
        ]
        beam = sorted(longer, key=lambda one: (-one[0], one[1]))[:_BEAM] or beam
    chosen = beam[0][1]
    good = [place for place, slot in zip(chosen, slots, strict=True) if _fits(slot, pool)[place] >= _POOR]
    return good if len(good) >= _FEWEST else list(chosen)


def _best(fits: Matrix, chosen: Sequence[int]) -> list[int]:
    order: list[int] = np.argsort(-fits, kind="stable")[: _CHOICES + len(chosen)].tolist()
    return [place for place in order if place not in chosen]


def _fits(slot: _Slot, pool: _Pool) -> Matrix:
    sign = np.clip(pool.polarities * slot.sign * 2, -1, 1)
    aspect = pool.aspects[slot.aspect] if slot.aspect else np.zeros(len(pool.found), dtype=np.float32)
    general = (
        _JUDGING * pool.judging - 0.4 * pool.details - (aspect == 0) - pool.personal
        if slot.aspect in ("film", "verdict")
        else 0.0
    )
    return np.asarray(1.5 * sign + 1.5 * aspect + general + pool.worth)


def _repeats(place: int, chosen: Sequence[int], pool: _Pool) -> float:
    """Return the cost of a sentence that is similar to a chosen one, of the same review, or begins alike."""
    if not chosen:
        return 0.0
    one = pool.found[place]
    same = sum(pool.found[other].hit == one.hit for other in chosen)
    personal = float(pool.personal[place] * pool.personal[list(chosen)].max())
    begins = any(pool.found[other].text.split()[:2] == one.text.split()[:2] for other in chosen)
    return 3.0 * float(pool.alike[place][list(chosen)].max()) + 0.7 * same + 0.4 * begins + 0.8 * personal
