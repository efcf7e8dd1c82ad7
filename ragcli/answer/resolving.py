"""Replace a pronoun by what the question before was about, by rules for English and Chinese."""

import re

from ragcli.analysis.words import cjk_bigrams
from ragcli.answer.clauses import is_verb, is_whole

_MOST = 7  # words of a subject; a longer one is cut
_PRONOUN = re.compile(
    r"\b(?P<own>its|theirs?|his|her(?= \w))\b|\b(?:(?:this|that) one|it(?!['’]s)|they|them|he|him|she|her)\b"
    r"|\bthis(?=\W*$| (?:is|was|works?|means?|do|happens?)\b)|\b(?:that|these|those)(?=\W*$)"
    r"|(?<!no )(?<!first )(?<!second )(?<!third )(?<!last )(?<!other )(?<!which )\bones?(?=\W*$)",
    re.IGNORECASE,
)
_SINGULAR = re.compile(r"(?:its?|this|that)\b", re.IGNORECASE)
# What precedes the subject of a question: "what is", "tell me about", "how do I", "is there a way to", "can".
_OPENING = re.compile(
    r"\W*(?:(?:so|and|but|ok|okay|well|please|also|then)\b\W*)*(?:"
    r"(?P<about>(?:(?:can|could|would) you )?(?:please )?(?:tell me(?: more)? about|explain|describe|define"
    r"|(?:what|how) about|what (?:do you|can you) (?:know|tell me|say) about"
    r"|(?:what|who)(?:['’]s| is| are| was| were| do| does| did))\b)"
    r"|(?P<act>(?:(?:what|how|why|when|where|which)\b[\w ]{0,20}?\b)?"
    r"(?:(?:do|does|can|could|should|would|must|may|will|did)(?:n['’]t)? (?:i|you|we|one|people)\b"
    r"|(?:is|are) there (?:a|any|some)?\s*(?:\w+ )?ways? (?:to|of)|to\b))"
    r"|(?:(?:how|why|when|where|since when|how \w+)\b\W*)?"
    r"(?P<verb>is|are|was|were|do|does|did|can|could|should|will|would|has|have|must|may)(?:n['’]t| not)?\b"
    r")\s*",
    re.IGNORECASE,
)
_ASKED = re.compile(r"(?<=[.?!])\s+|, (?=wh|how )", re.IGNORECASE)  # the question begins after the last of these
_BETWEEN = re.compile(r"\bdifferences? between\s+(.+)", re.IGNORECASE)
_END = re.compile(
    r"[?!,;:—()]|\.(?!\w)|\s(?:that|which|who|whom|whose|when|while|where|if|because|so|than|mean|costs?|stand for|do"
    r"|works?|like|used|called)\b",
    re.IGNORECASE,
)
_AUXILIARY = r"(?:do|does|did|can|could|are|is|was|were|has|have|will|would)\b"
_CHOSEN = re.compile(rf"\W*(?:which|what) (?!{_AUXILIARY}|about\b)(.{{1,60}}?) {_AUXILIARY}", re.IGNORECASE)
_PHRASE = re.compile(
    r"^\W*(?:(?:and|but|so|or)\b\W*)?(?:(?:what|how) about\b\W*)?(?P<phrase>[\w’'. -]{2,40}?)\W*$", re.IGNORECASE
)
_DAY = re.compile(r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun|week|holi)days?|weekends?)$", re.IGNORECASE)
_PREPOSITION = re.compile(r"(?:on|at|in|for|by|with|without|from|to|during|before|after|until)\b", re.IGNORECASE)
_NO_PHRASE = re.compile(
    r"(?:who|what|which|where|when|why|how|since|else|more|again|it|they|that|this|them)\b|.*(?:\b(?:ones?|way)\b|ing$)",
    re.IGNORECASE,
)
_PARTICLES = frozenset("up out rid of to off on over from with for into about".split())
_ARTICLE = re.compile(r"(?:the|an?|my|your|our|every|each|all|some|any)\b", re.IGNORECASE)
_PERSONAL = re.compile(r"(?:i|you|we|it|they|he|she|one|this|that|these|those|there|him|them|her)\b", re.IGNORECASE)
_CHINESE_PRONOUN = re.compile(r"(?<![其吉])[它牠他她](?:们|們)?|[这這那](?:个|個|些|种|種)|[这這](?=怎|是|有|能|可)")
_CHINESE_ASKING = r"(?:请问|請問)?(?:为什么|為什麼|为何|怎么|怎麼|怎样|怎樣|如何)?\s*"
_CHINESE_SUBJECT = re.compile(
    r"(?:请问|請問)?(?:什么|什麼|谁|誰)(?:是|叫)\s*([^，。？?]+)"
    rf"|{_CHINESE_ASKING}([^，。？?]+?)\s*(?:是|可以|能|会|會|有|为什么|為什麼|怎么|怎麼|如何|适合|要|的意思)"
    rf"|{_CHINESE_ASKING}([^，。？?吗嗎呢]+)"
)


def resolved(said: str, before: str) -> str | None:
    """Return a question with the subject of the one before in place of its first pronoun; None without either."""
    chinese = cjk_bigrams(said) != said
    pronoun = (_CHINESE_PRONOUN if chinese else _PRONOUN).search(said)
    if not pronoun:
        return None
    subject = _chinese_subject(before) if chinese else subject_of(before, bool(_SINGULAR.match(pronoun[0])))
    if not subject:
        return None
    own = "" if chinese or not pronoun["own"] else "'" if subject.endswith("s") else "'s"
    return said[: pronoun.start()] + subject + own + said[pronoun.end() :]


def substituted(said: str, before: str) -> str | None:
    """Return the English question before with a phrase in place of its subject, or at its end.

    "And on Sundays?" after "When does the library open?" gives "When does the library open on Sundays?".
    """
    found = _PHRASE.match(said)
    if not found or cjk_bigrams(said) != said or _NO_PHRASE.match(found["phrase"]):
        return None
    phrase = found["phrase"].strip()
    if _DAY.match(phrase):
        phrase = f"on {phrase}"
    if _PREPOSITION.match(phrase):
        return f"{before.rstrip(' ?.!')} {phrase}?"
    subject = subject_of(before)
    is_one = not any(is_verb(word) or word in _PARTICLES for word in subject.lower().split())
    return before.replace(subject, phrase, 1) if subject and is_one and not is_whole(phrase) else None


def subject_of(question: str, singular: bool = False) -> str:
    """Return what an English question is about; empty if unknown. If `singular`, "methods of a list" gives "a list"."""
    asked = _ASKED.split(question.strip())[-1]
    if chosen := _CHOSEN.match(asked):
        return _cut(chosen[1])
    if found := _BETWEEN.search(asked):
        return _cut(found[1])
    opening = _OPENING.match(asked)
    rest = asked[opening.end() :] if opening else asked
    subject = _cut(_without_verb(rest) if opening and opening["act"] else rest)
    if _PERSONAL.match(subject):
        return ""
    if opening and opening["verb"]:
        subject = _before_predicate(subject, opening["verb"].lower() in ("is", "are", "was", "were"))
    head, of, owner = subject.partition(" of ")
    return owner if of and singular and head.endswith("s") else subject


def _cut(text: str) -> str:
    end = _END.search(text)
    return " ".join(text[: end.start() if end else len(text)].split()[:_MOST])


def _without_verb(text: str) -> str:
    """Leave out the verb and its particles: "get rid of"."""
    words = text.split()[1:]
    while words and words[0].lower() in _PARTICLES:
        del words[0]
    return " ".join(words)


def _before_predicate(text: str, copula: bool) -> str:
    """Return the subject before a verb or preposition, or else before the adjective that follows a copula."""
    words = text.split()
    ends = _PARTICLES - {"of"}
    for place, word in enumerate(words[1:], 1):
        if (is_verb(word.lower()) or word.lower() in ends) and not _ARTICLE.fullmatch(words[place - 1]):
            return " ".join(words[:place])
    least = 2 if _ARTICLE.match(text) else 1
    return " ".join(words[:-1] if copula and len(words) > least else words)


def _chinese_subject(question: str) -> str:
    found = _CHINESE_SUBJECT.match(question.strip())
    subject = next((group for group in found.groups() if group), "") if found else ""
    return "" if _CHINESE_PRONOUN.search(subject) else subject.strip()
