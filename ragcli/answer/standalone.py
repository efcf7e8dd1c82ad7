"""Decide whether a sentence can be understood out of context, by rules for English and Chinese."""

import re

from ragcli.analysis.functions import STOP_WORDS
from ragcli.answer.clauses import is_verb

# Beginnings that join a sentence to the one before.
_JOINED = re.compile(
    r"^\W*+(?:and|but|or|nor|so|yet|then|also|still|however|otherwise|meanwhile|instead|besides|moreover|furthermore"
    r"|therefore|thus|hence|again|too|likewise|similarly|nevertheless|nonetheless|additionally|conversely|afterwards"
    r"|finally|secondly|thirdly|later|soon|after that|after all|in other words|in fact|indeed|rather|even so|even then"
    r"|that said|that is|for example|for instance|as a result|on the other hand|in addition|in contrast|by contrast"
    r"|of course|because|which|no,|yes,?|sure,?|true,?|there,|such|both|neither|either|first|opposite it"
    r"|from (?:there|here|then)"
    r"|around (?:her|him|it|them)|the (?:former|latter|rest|others?|same|result)|others?|another|one of th(?:em|ese)"
    r"|[\w-]+(?:, [\w -]+)? and [^,.;]+, (?:it|he|she|they)(?:['’]s)?"
    r"|I (?:grant|admit|concede|forgive)|(?:in|for|with|among|of) [^,;]* it (?:is|was) (?:an?|the))\b",
    re.IGNORECASE,
)
# A sentence that begins with a pronoun. "This film" and "This is a film" name what they refer to.
_POINTING = re.compile(
    r"^\W*+(?:he|she|they|him|her|his|hers|their|theirs|them|its?|it['’]s|they['’]re|he['’]s|she['’]s|th(?:is|at|ese|ose)"
    r"(?!\s+(?:is\b|(?:\w+\s+)?(?:film|movie|picture|drama|comedy|thriller|sequel|adaptation)\b)))\b",
    re.IGNORECASE,
)
# References back from within a sentence.
_BACK = re.compile(
    r"\b(?:(?:that|those|these|such|this) (?:\w+ )?(?:scene|sequence|moment|image|shot|speech|passage|patch|question"
    r"|argument|line|point|way|reason|respect|sense|case|creature|place|guard|time|last|one)s?|the whole argument"
    r"|(?:in|at|of|from|for|on|with|by|around|against|over|under|to|before|after) (?:that|those|these|such|this)\b"
    r"(?! (?:film|movie|picture))|(?:all|until|even) (?:that|this|then|so)\b(?! (?:can|is|you|we|one|the|many|much))"
    r"|of either|(?:both|none|neither) of them|belongs? to both|(?:n.t|not) either|(?:is|was|are|were) not\."
    r"|the other (?:one|two|half|end|side)|so too|as well\.|the same (?:place|thing|way)|mentioned above|as follows"
    r"|following examples?|(?:but|yet) (?:this|that) (?:is|was)"
    r"|both sides|above|below|earlier|the former|the latter)\b|, (?:though|however|then),"
    r"|\btoo[,.:;!]|, th(?:at|is) (?:is|was)\b",
    re.IGNORECASE,
)
# "It" within a sentence is fine after its antecedent, as an expletive, or for the film itself.
_IT = re.compile(r"\b(?:it|its|itself)\b", re.IGNORECASE)
_THING = re.compile(
    r"\b(?:the|a|an|this|its|his|her|no|every|each|any|some|and|[\w’-]+['’]s|[a-z]+ of) [a-z]"
    r"|\b(?:see|saw|seen|watch(?:ed)?|loved?|enjoy(?:ed)?|liked?|recommend|admired?|hated?|find|found|forget|makes?|made"
    r"|takes?|think|sure)\s+\Z",
    re.IGNORECASE,
)
_EXPLETIVE = re.compile(
    r"\bit(?:(?:['’]s| is| was)(?! (?:an?|the|one|also|my|his|her) )| takes| seems| feels| may| would| will| has been"
    r"| can be| might)\b",
    re.IGNORECASE,
)
_PERSONS = re.compile(r"\b(?:he|she|him|her|his|hers|himself|herself)\b", re.IGNORECASE)
_PERSON = re.compile(
    r"(?<!^)\b[A-Z][\w’'-]+|\b(?:wo)?m[ae]n\b|\b(?:girl|boy|actor|actress|director|hero|heroine|character|star|child|kid"
    r"|father|mother|son|daughter|wife|husband|king|queen|prince|princess|player|filmmaker|lead|villain|person|somebody"
    r"|anyone|someone|everyone|teenager|detective|soldier|writer|author|cowboy|policeman|user)s?\b"
    r"|\b(?:[Tt]he|[Aa]n?|old|young) (?!(?:other|latter|former|water|matter|paper|letter|order|number|power)\b)"
    r"\w{2,}(?:er|or|ist|ian)\b"
)
# "Anna Berg makes him gentle": somebody else than the subject.
_OBJECT = re.compile(
    r"^(?:[A-Z][\w’'-]*\s+)+[a-z]+s "
    r"(?:him|her(?=[^\w\s]|\s+(?:as|so|into|with|from|the|an?|and|to|very|\w+ly)\b)|them)\b"
)
_PLURAL_PRONOUN = re.compile(r"\b(?:they|them|their|theirs|themselves)\b", re.IGNORECASE)
_PLURAL = re.compile(
    r"\b(?!(?:is|was|has|its|this|us|as|does|plus|thus)\b)\w{2,}(?<!s)s\b|\b(?:people|children|men|women|everyone|anyone"
    r"|everybody|anybody|cast|audience|who|and)\b",
    re.IGNORECASE,
)
_FIRST_WORD = re.compile(r"[\w’'-]+")
_CHINESE = re.compile(
    r"^[\s\W\d]*(?:但是?|不过|不過|而且|所以|然后|然後|还有|還有|另外|因为|因為|因此|于是|於是|可是|然而|其中|其次|最后|最後|同时|同時|反而"
    r"|否则|并且|並且|而是|甚至|尤其|比如|例如|以及|接着|也|却|卻|就|又|而|且|或者|即使|只是|何况|除此|此外|再者|[它他她](?:们|們)?"
    r"|这(?!部|是|片|电影|种片)|這(?!部|是|片|電影)|那|该(?!片|剧)|此(?!片))"
)
_READ = 1_000  # characters of a sentence: some patterns take the square of that


def stands_alone(text: str, language: str) -> bool:
    """Return whether a sentence depends on none before it: no joining word, no pronoun without antecedent."""
    text = text[:_READ]
    if language != "en":
        return not _CHINESE.search(text)
    if any(pattern.search(text) for pattern in (_JOINED, _POINTING, _BACK, _OBJECT)):
        return False
    thing = _EXPLETIVE.search(text) is not None or _is_named(text, _IT, _THING)
    person = _begins_with_a_name(text) or _is_named(text, _PERSONS, _PERSON)
    return thing and person and _is_named(text, _PLURAL_PRONOUN, _PLURAL)


def _is_named(text: str, pronoun: re.Pattern[str], noun: re.Pattern[str]) -> bool:
    """Return whether the antecedent of a pronoun comes before it."""
    used = pronoun.search(text)
    return used is None or noun.search(text, 0, used.start()) is not None


def _begins_with_a_name(text: str) -> bool:
    first = _FIRST_WORD.search(text)
    word = first[0].lower() if first else ""
    stem = word.removesuffix("ing")
    participle = word != stem and any(is_verb(verb) for verb in (stem, stem + "e", stem[:-1]))
    return word.isalpha() and not (
        word in STOP_WORDS or word.endswith("thing") or participle or word.endswith(("ed", "ly")) or is_verb(word)
    )
