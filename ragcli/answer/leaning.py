"""Classify a line of a conversation: an independent question, one that depends on another, or a courtesy."""

import re
from enum import Enum

from ragcli.analysis.functions import STOP_WORDS
from ragcli.analysis.words import cjk_bigrams
from ragcli.answer.clauses import is_whole


class Leaning(Enum):
    """State whether a question depends on the one before it, by its words."""

    NO = 0
    MAYBE = 1
    YES = 2


_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_COURTESY = frozenset(
    """
    thanks thank thx ta cheers yes yeah yep yup no nope ok okay great cool nice good fine perfect awesome excellent
    super wonderful hi hello hey bye goodbye understood sure right alright correct exactly interesting wow
    """.split()
)
_AROUND = frozenset(
    """
    you very much a lot so it i see got that's all for now the your help helpful was that makes sense to know well done
    morning evening day night have and indeed welcome again really am is been most never mind not
    """.split()
)
_CHINESE_COURTESY = re.compile(
    r"(?:非常|十分|太|很|真)?(?:谢谢|謝謝|多谢|多謝|感谢|感謝|好|是|对|對|不|嗯|哦|明白|知道|了解|懂|你好|您好|大家好|再见|再見"
    r"|拜拜|不客气|可以|行|好极|棒|没事|沒事|不用|没有|沒有)+"
    r"(?:[了啦呀啊哈吧的你您，,、 ]|谢谢|感谢|大家|帮助|帮忙|非常)*[！!。.~～]*"
)
# What may precede a question: thanks, an answer to the answer, a correction.
_LEAD = re.compile(
    r"^\W*(?:(?:(?:many )?thanks?(?: you)?(?: (?:so|very))?(?: (?:much|a lot))?|ok|okay|great|good|nice"
    r"|perfect|fine|cool|alright|i see|got it|understood|right"
    r"|hi|hello|hey|sorry|no|yes|actually|wait|oh)\s*[,.;:!–—-]+\s*){1,4}(?=\w)"
    r"|^(?:好的?|谢谢|謝謝|明白了?|知道了|不是?|不对|不對|抱歉|对不起)[，,。！!]+(?=\w)",
    re.IGNORECASE,
)
_CORRECTED = re.compile(
    r"^\W*(?:i|we) (?:mean|meant)\b,?\s*(?=\w)|^我(?:是说|是說|是指|指的是|的意思是|想问的是)[，,：:]?(?=\w)",
    re.IGNORECASE,
)
_FOLLOWED = re.compile(
    r"^\W*(?:(?:and|so|ok|okay|well|but)\W+)?(?:(?:what|how) about|what if|why not|how so|how come|since when"
    r"|what(?:['’]s| is| are) the differences? (?:to|from|with|compared to))\b",
    re.IGNORECASE,
)
# "Is the train faster?" compares with what was spoken of; "one" and "instead" stand for it.
_COMPARED = re.compile(
    r"^\W*(?:is|are|was|were)\b(?!.*\bthan\b).*\b(?:better|worse|(?:more|less) \w+|(?:fast|slow|cheap|small|larg|bigg"
    r"|long|short|strong|weak|saf|easi|hard|lat|earli|clos|near|old|simpl|quick|high|low)er)\W*$"
    r"|\b(?:use|need|want|have|make|create) one\b|\binstead\W*$",
    re.IGNORECASE,
)
_JOINED = re.compile(r"^\W*(?:and|but|or|so|then|also|besides|plus)\b", re.IGNORECASE)
_ASKING = re.compile(r"(?:what|who|which|where|when|why|how|whose|whom)\b", re.IGNORECASE)
# Words that ask for more of the same, without naming anything.
_EMPTY = frozenset(
    """
    explain more tell example examples detail details elaborate mean means else continue go please again further
    say give show exactly precisely bit little simpler simply words word another one ones many much long often
    way really know think understand expand summarize summarise repeat rephrase clarify sure true come would
    could can should will any others other anything something everything first second last next happen happens
    happened work works use used using let's ok okay well now today possible difference compare get got make
    """.split()
)
_EXPLETIVE = re.compile(
    r"\b(?:is|was|would|will|does|do|did|can|should) it (?:be |also |really )?(?:possible|true|safe|necessary|better"
    r"|best|ok|okay|allowed|legal|worth|hard|easy|important|take|cost|mean|matter|make sense|rain|snow)\b.+"
    r"\b(?:to|that|if|when|for)\b"
    r"|\bit (?:rains?|snows?|is raining|takes? .+ to|is (?:possible|true|safe|better|worth))\b|\btime is it\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"\b(?:it|its|itself|it['’]s|they|them|their|theirs|they['’]re|he|him|his|he['’]s|she|her|hers|she['’]s)\b"
    r"|\b(?:this|these|those)\b|\bthat(?=\W*$|['’]s\b)"
    r"|^\W*(?:(?:what|why|how|who|when|where|which)['’]?s?\W+)?that\b"
    r"|\b(?:is|was|are|were|does|did|do|can|could|would|will|about|of|for|with|to|from|like|than|in|on|by|after|before"
    r"|why|how|at|use|using|mean|cause[sd]?) that\b",
    re.IGNORECASE,
)
_POINTING = re.compile(
    r"\b(?:there(?=\W*$)|which ones?|the (?:former|latter|same|others?|rest|first|second|last)(?: one)?(?=\W*$)|another"
    r"|else|too(?=\W*$)|as well(?=\W*$)|instead|either(?=\W*$)|similar|alternatives?)\b",
    re.IGNORECASE,
)
_DEFINING = re.compile(r"^\W*(?:what|who)(?:['’]s| is| are| was| were| does| do| did)\b", re.IGNORECASE)
_ONE = re.compile(r"\b(?<!no )ones?\W*$", re.IGNORECASE)
# Possible antecedents of a pronoun in its own question, and the clause boundaries between them.
_NAMED = re.compile(
    r"\b(?:the|a|an|my|your|our|every|each|all|some) (?:[\w’'-]+)|(?<=[\w,] )(?-i:[A-Z])[\w’'-]+"
    r"|\b(?!(?:does|is|was|has|this|its|as|us)\b)\w+(?:[^aeious\W]|[aeo])s\b"
    r"|\b(?:what(?: is| are|['’]s)|about|of|is|are|does|do|did) (?!(?:it|they|he|she|you|we|i|there)\b)[\w’'-]{3,}",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"\b(?:if|when|that|because|while|where|who|which|whose|and|or|but|before|after|once|so|than|then)\b|[,;:]", re.I
)
_POSSESSIVE = re.compile(r"(?:its|their|his|her)\b", re.IGNORECASE)
_CHINESE_FOLLOWED = re.compile(
    r"^\W*(?:那么?|那麼|还有|還有|以及|然后|然後|所以|但是?|可是|不过|另外|除此之外|为什么|為什麼|为啥|怎么说|比如|例如|再|继续|详细|具体|多说)"
    r"|^[^，。？?]{1,8}呢[？?]?$|呢[？?]?$"
)
_CHINESE_PRONOUN = re.compile(
    r"(?<![其吉])[它牠]|(?<!其)(?<!吉)[他她](?!人|国)|其(?![他它中实實余次])|[这這](?!部|是什么)|(?<!刹)那(?:个|個|种|種|些|里|裡|样|樣|是|时|時)|该(?=[一-鿿])"
    r"|上述|前者|后者|後者|两者|兩者|同样|同樣"
)
_CHINESE_COMPARED = re.compile(r"^[^比和与跟，,]*更[^，,]{1,4}[吗嗎][？?]?$")
_CHINESE_ASKING = re.compile(
    r"请问|請問|什么|什麼|为什么|為什麼|怎么样|怎么|怎麼|怎样|怎樣|如何|哪[个個些里裡儿种年]?|谁|誰|多少|几|幾|是否|有没有|有沒有|吗|嗎|呢|是|有|在|可以|能|会|會|要"
    r"|举个?|例子|解释|说明|一下|一点|更多|简单|你|请|对|把|被|和|与|跟|给|让|用|从|的|了|\W"
)
_LONGEST_COURTESY = 60  # characters
_FEW = 1  # content words of a question that may be incomplete


def is_courtesy(said: str) -> bool:
    """Return whether a line is thanks, a greeting, a yes or a no, and not a question."""
    if "?" in said or "？" in said or len(said) > _LONGEST_COURTESY:
        return False
    words = [word.replace("’", "'") for word in _WORD.findall(said.lower())]
    if _CHINESE_COURTESY.fullmatch(said.strip()):
        return True
    return bool(_COURTESY & set(words)) and all(word in _COURTESY or word in _AROUND for word in words)


def without_lead(said: str) -> tuple[str, bool]:
    """Return a line without its thanks or "No, I meant", and whether it corrects the question before with a phrase."""
    rest = said[lead.end() :] if (lead := _LEAD.match(said)) else said
    meant = _CORRECTED.match(rest)
    rest = rest[meant.end() :] if meant else rest
    return rest, bool(meant) and not (_ASKING.match(rest) or is_whole(rest) or rest.endswith(("?", "？", "吗", "呢")))


def leaning(question: str) -> Leaning:
    """Return whether a question depends on the one before it, by its words alone."""
    if cjk_bigrams(question) != question:
        return _chinese(question)
    if _FOLLOWED.search(question) or _COMPARED.search(question) or not _content(question):
        return Leaning.YES
    joined = _JOINED.search(question)
    rest = question[joined.end() :].strip() if joined else question
    if joined and not (_ASKING.match(rest) or is_whole(rest)):
        return Leaning.YES
    pronoun = None if _EXPLETIVE.search(question) else _PRONOUN.search(question)
    if pronoun:
        return _resolved(question, pronoun.start())
    if _ONE.search(question):
        return Leaning.YES
    if _DEFINING.search(question):
        return Leaning.NO
    return Leaning.MAYBE if _POINTING.search(question) or len(_content(question)) <= _FEW else Leaning.NO


def _resolved(question: str, start: int) -> Leaning:
    """Return whether a pronoun at `start` has an antecedent before it, in another clause or its own."""
    named = [match.end() for match in _NAMED.finditer(question, 0, start)]
    if not named:
        return Leaning.YES
    possessive = _POSSESSIVE.match(question, start)
    return Leaning.NO if possessive or _CLAUSE.search(question, named[0], start) else Leaning.MAYBE


def _content(question: str) -> list[str]:
    words = (word.lower().replace("’", "'") for word in _WORD.findall(question))
    return [word for word in words if word.partition("'")[0] not in STOP_WORDS and word not in _EMPTY]


def _chinese(question: str) -> Leaning:
    if _CHINESE_FOLLOWED.search(question):
        rest = _CHINESE_ASKING.sub("", _CHINESE_FOLLOWED.sub("", question, count=1))
        return Leaning.MAYBE if len(rest) > 6 else Leaning.YES
    pronoun = _CHINESE_PRONOUN.search(question)
    if pronoun:
        named = _CHINESE_ASKING.sub("", question[: pronoun.start()])
        last = pronoun.end() + 2 > len(question)
        return Leaning.YES if len(named) < 2 or (last and len(named) < 4) else Leaning.MAYBE
    content = _CHINESE_ASKING.sub("", question)
    if not content or _CHINESE_COMPARED.search(question):
        return Leaning.YES
    return Leaning.NO if len(content) > 2 else Leaning.MAYBE
