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
from ragcli.answer.roles import roles
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
    r"[\[\]【】]|https?:|www\.|@|#|\*|_{2}|/\d|\d/|\bfull review\b|\bspoilers?\b|\bclick\b|\bgrade:"
    r"|\bthis (?:sentence|review|paragraph)\b|\.{3}|…|[~～]|[?？]"
    r"|\n|[!！]{2}|。{2}|[\U0001F000-\U0001FAFF]|哈哈|呵呵|看到第|QAQ|豆瓣|短评|楼上|评分"
    r"|:$|^[-–—,.;:)）」”、，。\d]|^[“\"][^”\"]*$|^[^(（]*[)）]|[(（][^)）]*$",
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
# What speaks to the reader, or of how the film was seen: no opening.
_URGING = re.compile(
    r"^(?:dear|see|watch|skip|avoid|go|give|take|look|if you|anyone who|do(?: not|n['’]t))\b"
    r"|^(?:看了|看完|不知道?|希望|感觉|目前|没看过|如果|追到|到.{1,12}看了|请)",
    re.IGNORECASE,
)
_WHEN = re.compile(r"^(?:when|where|by the time|once|before|after|as (?:soon|if))\b", re.IGNORECASE)  # of a scene
_NAME = re.compile(r"(?<=[\w,;] )[A-Z][\w’'-]+")
# How a story ends: those who have not seen the film do not want to read it.
_ENDING = re.compile(
    r"\b(?:dies?|dead|deaths?|killed|kills|resurrection|twists?|reveals?|revealed|turns? out to be|learns that"
    r"|(?:the|by the) (?:very )?(?:end(?:ing)?|close)"
    r"|finale|climax|(?:final|last|closing) (?:scene|shot|act|minutes|image)s?)\b"
    r"|死了|去世|牺牲|犧牲|结局|結局|原来是|原來是|凶手|反转|反轉",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\s*\(\d{4}\)$")
_BLANK = re.compile(rf"(?<=[{HAN}])\s+(?=[{HAN}])")  # used instead of a comma
_HAN = re.compile(rf"[{HAN}]")
_LENGTHS = {"en": (35, 240), "zh": (9, 90)}  # characters of a sentence, at least and at most
_ROLES = {"film": "judgement", "verdict": "judgement", "story": "theme", "acting": "acting", "craft": "craft"}
_JUDGING = 0.5  # of the role of a judgement: least for a sentence without a verb
_BEAM = 60
_LEANING = 0.35  # weight of a whole review in the polarity of its sentences
_POOR = 1.0  # least fit of a sentence to its slot, if there are enough others
_FEWEST = 4  # sentences of a review
_FEW = 2  # reviews that make an opinion
_CHOICES = 14  # sentences that are tried for each slot


class _Slot(NamedTuple):
    """Hold what one slot of the review wants: an aspect, and praise (1) or blame (-1)."""

    aspect: str
    sign: int


class _Pool(NamedTuple):
    """Hold the sentences (n) and their polarity, aspects, roles if known (n each), value, and similarity (n, n)."""

    found: list[Candidate]
    polarities: Matrix
    aspects: Mapping[str, Matrix]
    roles: Mapping[str, Matrix]
    leaning: Matrix  # of a sentence's review
    worth: Matrix
    details: Matrix
    personal: Matrix
    urging: Matrix
    broken: Matrix
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
    found, role = _candidates(hits, language, encoder)
    reviews = [_leaning(hit) for hit in hits]
    leaning = np.array([reviews[one.hit] for one in found], dtype=np.float32)
    polarities = np.array([polarity(one.text) for one in found], dtype=np.float32) + _LEANING * leaning
    vectors = tf_idf([bag_of(one.text, language) for one in found])
    worth = np.array([_worth(one, language) for one in found], dtype=np.float32)
    aspects = {
        name: np.array([min(1.0, 0.7 * len(pattern.findall(one.text))) for one in found], dtype=np.float32)
        for name, pattern in _aspects().items()
    }
    named = re.compile(re.escape(_YEAR.sub("", hits[0].title)), re.IGNORECASE)
    aspects["film"] = np.maximum(aspects["film"], [0.7 * bool(named.search(one.text)) for one in found])
    if role:
        worth -= 2.5 * np.clip(role["scene"], 0, 1) + 2.5 * np.clip(role["anecdote"], 0, 1)
    else:
        worth -= 0.8 * (sum(aspects.values()) == 0)  # not about the film
    details = np.array(
        [min(3, len(_NAME.findall(one.text))) + 2 * bool(_WHEN.search(one.text)) for one in found], dtype=np.float32
    )
    if role:
        details += 2 * np.clip(role["acting"], 0, 1)
    personal = np.array([bool(_MYSELF.search(one.text)) for one in found], dtype=np.float32)
    urging = np.array([bool(_URGING.search(one.text)) for one in found], dtype=np.float32)
    broken = np.array([language == "en" and not is_whole(one.text) for one in found], dtype=np.float32)
    typical = central(vectors) if found else worth
    return _Pool(
        found,
        polarities,
        aspects,
        role,
        leaning,
        worth + typical,
        details,
        personal,
        urging,
        broken,
        vectors @ vectors.T,
    )


def _candidates(
    hits: Sequence[Hit], language: str, encoder: Encoder | None
) -> tuple[list[Candidate], Mapping[str, Matrix]]:
    """Return the sentences that are fit for a review, and their roles if an encoder tells them.

    A sentence without a verb is fit if it judges the film: "A frightening film, and a deeply reassuring one."
    """
    whole = all_sentences(hits)
    fit = [one for one in whole if _is_fit(one.text, language)]
    role = roles([one.text for one in fit], encoder) if encoder and language == "en" and fit else {}
    kept = [
        place
        for place, one in enumerate(fit)
        if language != "en" or is_whole(one.text) or (role and role["judgement"][place] >= _JUDGING)
    ]
    if kept:
        return [fit[place] for place in kept], {name: values[kept] for name, values in role.items()}
    return [one for one in whole if _ENDED.search(one.text)] or whole, {}


def _leaning(hit: Hit) -> float:
    """Return the polarity of a whole review, by its field `sentiment` if it has one, else by its words."""
    labelled = {"positive": 1.0, "mixed": -0.3, "neutral": -0.3, "negative": -1.0}
    known = labelled.get(str(hit.metadata.get("sentiment", "")).lower())
    return polarity(hit.text) if known is None else known


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
    )


def _worth(one: Candidate, language: str) -> float:
    """Return the value of a sentence apart from its content, by its length, its subject and what it tells."""
    shortest, longest = _LENGTHS.get(language, _LENGTHS["en"])
    aim = (shortest + longest) / 2.2
    length = -abs(len(one.text) - aim) / (longest - shortest)
    personal = -0.5 * bool(_MYSELF.search(one.text))
    first = 0.3 if one.place == 0 else 0.0
    loose = -0.5 * len(_BLANK.findall(one.text))
    ended = 0.2 if _ENDED.search(one.text) else 0.0
    told = -2.5 if _ENDING.search(one.text) else 0.0
    return length + personal + first + ended + loose + told


@cache
def _aspects() -> dict[str, re.Pattern[str]]:
    words = json.loads(_ASPECTS.read_text(encoding="utf-8"))
    return {name: pattern_of(listed) for name, listed in words.items() if name != "about"}


def _slots(pool: _Pool, sentences: int) -> list[_Slot]:
    """Return the slots in order: first the majority's opinion by aspects, then the minority's, then the verdict."""
    reviews = {one.hit: float(leaning) for one, leaning in zip(pool.found, pool.leaning, strict=True)}
    most = 1 if sum(reviews.values()) >= 0 else -1
    against = sum(max(0.0, -most * one) for one in reviews.values()) / len(reviews)
    others = 0
    if sentences > 1 and (able := int((pool.polarities * most < 0).sum())):
        others = min(max(round(sentences * against), 1), sentences // 2, able)
    between = ["story", "acting", "craft", "story", "craft", "acting"]
    count = sentences - others
    aspects = ["film", *[between[n % len(between)] for n in range(count - 2)], "verdict"][:count]
    slots = [_Slot(aspect, most) for aspect in aspects]
    return (
        [*slots[:-1], *[_Slot("", -most)] * others, *slots[-1:]]
        if count > 1
        else [*slots, *[_Slot("", -most)] * others]
    )


def _fill(slots: Sequence[_Slot], pool: _Pool) -> list[int]:
    """Choose a sentence for each slot so that all together fit best, by beam search; poor ones are left out."""
    beam: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    fits = [_fits(slot, pool) for slot in slots]
    for fit in fits:
        longer = [
            (score + float(fit[place]) - _repeats(place, chosen, pool), (*chosen, place))
            for score, chosen in beam
            for place in _best(fit, chosen)
        ]
        beam = sorted(longer, key=lambda one: (-one[0], one[1]))[:_BEAM] or beam
    return _without_poor(beam[0][1], [float(fit[place]) for place, fit in zip(beam[0][1], fits, strict=True)])


def _without_poor(chosen: Sequence[int], fits: Sequence[float]) -> list[int]:
    """Leave out sentences that hardly fit, if enough remain; a verdict comes first if no opening is good."""
    least = min(_POOR, sorted(fits)[-min(_FEWEST, len(fits))])
    kept = [place for place, fit in zip(chosen, fits, strict=True) if fit >= least]
    return [kept[-1], *kept[:-1]] if len(fits) > 1 and fits[0] < _POOR <= fits[-1] else kept


def _best(fits: Matrix, chosen: Sequence[int]) -> list[int]:
    order: list[int] = np.argsort(-fits, kind="stable")[: _CHOICES + len(chosen)].tolist()
    return [place for place in order if place not in chosen]


def _fits(slot: _Slot, pool: _Pool) -> Matrix:
    """Return how well each sentence fits a slot; the opening and the verdict count more than the others."""
    sign = np.clip(pool.polarities * slot.sign * 2, -1, 1)
    aspect = pool.aspects[slot.aspect] if slot.aspect else np.zeros(len(pool.found), dtype=np.float32)
    role = pool.roles.get(_ROLES.get(slot.aspect, ""), aspect)
    if slot.aspect not in ("film", "verdict"):
        sign = 1.5 * sign if slot.aspect else 2.5 * sign - 0.8 * (pool.leaning * slot.sign < 0)
        return np.asarray(sign + 0.75 * aspect + 1.5 * role - 3.0 * pool.broken + pool.worth)
    opening = slot.aspect == "film"
    general = 4.0 * (role - _JUDGING) - 0.4 * pool.details - opening * (pool.personal + pool.urging)
    return np.asarray(1.5 * (0.5 + sign + 0.4 * aspect + general - 0.3 * pool.broken + pool.worth))


def _repeats(place: int, chosen: Sequence[int], pool: _Pool) -> float:
    """Return the cost of a sentence that is similar to a chosen one, of the same review, or begins alike."""
    if not chosen:
        return 0.0
    one = pool.found[place]
    same = sum(pool.found[other].hit == one.hit for other in chosen)
    personal = float(pool.personal[place] * pool.personal[list(chosen)].max())
    begins = any(pool.found[other].text.split()[:2] == one.text.split()[:2] for other in chosen)
    return 3.0 * float(pool.alike[place][list(chosen)].max()) + 0.7 * same + 0.4 * begins + 0.8 * personal
