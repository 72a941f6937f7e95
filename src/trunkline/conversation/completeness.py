"""Do these words sound finished? Rules on text alone: no audio, no clock.

The words may come from any recogniser: lower or mixed case, with or without punctuation, digits spelled or written.
Whisper ends whatever it is given with a full stop, so a full stop proves little; a word that can't stand last
("my number is", "on the") proves much. English; words of other languages come out as UNKNOWN.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Final

from trunkline.conversation.dictation import MONTH, Dictation, dictation, ends_in_year, has_date_word, is_time_or_date


class Asked(enum.Enum):
    """What kind of answer the agent's last words asked for."""

    FREE = enum.auto()
    OFFER = enum.auto()
    """"What can I do for you?", "anything else?": a bare yes is only the beginning of an answer."""
    YES_NO = enum.auto()
    PHONE = enum.auto()
    """A telephone number."""
    NUMBER = enum.auto()
    """Another number that is dictated: account, code, postcode. How many people come is FREE."""
    SPELLING = enum.auto()
    """Letters, an e-mail address."""
    BIRTH_DATE = enum.auto()
    """A date that has a year."""
    UNKNOWN = enum.auto()


DICTATED: Final = frozenset((Asked.PHONE, Asked.NUMBER, Asked.SPELLING, Asked.BIRTH_DATE))
"""Answers that come in groups with pauses between them."""


class Completeness(enum.Enum):
    """How finished the words sound."""

    WHOLE = enum.auto()
    """Nothing is missing: a known answer or farewell, all digits of a telephone number, a date with its year."""
    COMPLETE = enum.auto()
    """A sentence. More may come: short ones are often only the beginning of a longer one."""
    OPEN = enum.auto()
    """More must come: they end in a filler, in a preposition, in "my number is"."""
    DICTATING = enum.auto()
    """In the middle of digits or letters, where every pause sounds like the end."""
    UNKNOWN = enum.auto()


def completeness(said: str, asked: Asked = Asked.UNKNOWN) -> Completeness:
    """How finished the transcript `said` sounds as an answer to what was `asked`. Empty text is UNKNOWN."""
    text = _plain_spelling(said)
    words = _WORD.findall(text)
    if not words:
        return Completeness.UNKNOWN
    for rule in _RULES:
        if (verdict := rule(text, words, asked)) is not None:
            return verdict
    return Completeness.UNKNOWN


# ── words ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _set(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_FILLERS: Final = _set("um uh uhm umm er erm hmm hm mm ah eh well like basically actually so")
_CANNOT_BE_LAST: Final = _FILLERS | _set(
    "and or but because cause if that whether when while since although unless than as then",
    "to of for with at from by about into until till between without during in on onto against towards per via",
    "a an the my your our their his this these every some another",
    "i we they he she i'd i'll i've i'm we'd we'll we've we're they're he's she's it's it'll you're there's that's",
    "is are was were am be been has had will would should could can may might must does did do have isn't gonna wanna",
    "what's where's who's want wanted need needed trying wondering tell give says called named number's name's",
)
"""Words after which English goes on; `_MAY_STILL_END` knows exceptions."""
_COUNTS: Final = frozenset(map(str, range(1, 100))) | _set(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen twenty thirty"
)
_ASIDES: Final = _set("sure yes yeah yep no okay ok right well oh so and hi hello alright it")
"""Before a number nothing but these has been said: it is still to come."""

_GOES_ON: Final = re.compile(
    r"(?:^|\s)(?:you know|i mean|let me see|let's see|let me (?:just )?(?:check|think|look)|hold on|hang on|"
    r"(?:one|just a|just one) (?:second|moment|minute)(?: please)?|would like|half past|kind of|sort of|"
    r"quarter (?:to|past)|the thing is|either|in order|any day after|"
    r"(?:can|could|would|will) you (?:please )?tell me|"
    r"(?:can|could|would|will|shall|should|may|do|does|did) (?:you|we|it|they)|"
    r"(?:is|are|was|were|be) (?:about|around|(?!early|lovely|friendly|likely|daily|weekly|monthly)\w+ly)|"
    r"(?:caller|flight|order|room|booking|reference|invoice|account|bus|gate|platform) number|"
    r"(?:have|need|want|like|going|able|trying) two|"  # "I have to", misheard
    r"(?!(?:the|an|this|that|dead|week|low|high|other|far)\b)\w+ end)$|"  # "six of us and", misheard
    r"^(?:and |but |so |well )?(?:i think|i guess|i suppose|maybe)$|"
    rf"^(?:in |maybe )?(?:{MONTH})(?: (?:{MONTH}))?$|"
    r"^(?:\w+ )?(?:(?:my|the) )?(?:\w+ )?(?:number|code)$"
)
"""Said by people who keep the floor."""
_WANTS_AN_OBJECT: Final = re.compile(
    r"(?:^|\s)(?:to|can|could|would|will|should|must|please|i|we|somebody|someone|anybody|just|and|then|already) "
    r"(?:return(?:ed)?|check|change[d]?|order(?:ed)?|buy|bought|get|got|make|made|send|sent|see|find|found|bring|"
    r"brought|take|took|put|give|gave|show|use|used|let|keep|kept|confirm|report(?:ed)?|schedule|discuss|receive[d]?|"
    r"repair|fix|update|add(?:ed)?|remove|rent(?:ed)?|renew|track|visit|include|mention|describe|replace[d]?|"
    r"install(?:ed)?|download(?:ed)?|recommend|request(?:ed)?|submit(?:ted)?|avoid|choose|chose|set up|pick up|"
    r"drop off|look for|ask for|find out|sort out|lost|ask|asked|book(?:ed)?)$"
)
"""Verbs that stand alone in no sentence that isn't a question for what they lack."""
_ASKS_FOR_IT: Final = re.compile(r"\b(?:wh\w+|how|that|\w+thing|all|the (?:one|ones)|not|never|cannot)\b|n't\b")
"""Where the object has been named before its verb, or it is denied: "the one I ordered", "I didn't order"."""
_ANNOUNCES: Final = re.compile(
    r"^(?:(?:and|so|well|yes|yeah|okay|oh|actually|just|hi|hello) )*"
    r"(?:(?:let me (?!know)|hang on|hold on|bear with me|give me (?:a|one|two) (?:second|moment|minute)).*|"
    r"(?:just )?(?:one|a|another|the) (?:\w+ )?(?:thing|question)(?: is)?|"
    r"i (?:just )?(?:have|had|'ve got) (?:a|one|another) (?:\w+ )?question|first of all|by the way|to be honest|"
    r"in that case|as i said|on the other hand|at the moment|my (?:\w+ )?problem is)$"
)
"""Said before the point, or to gain time for it."""
_MAY_STILL_END: Final = re.compile(
    r"(?:^|\s)(?:come|go|log|sign|hold|fill|fill it|check|dial|turn it|hang|carry|move|get|stay) (?:in|on)$|"
    r"(?:^|\s)(?:like|do|hear|know|about|want|need|believe|is|was|for|after|before|you|me) (?:that|this|these|so)$|"
    r"(?:^|\s)(?:i|we|you) (?:think|hope|guess|suppose|believe) so$|(?:^|\s)if (?:you|i|we) (?:can|could|may|must|do)$|"
    r"(?:^|\s)(?:what|whatever|anything|everything) (?:you|we|i|they) (?:\w+ )?(?:can|do|have|want|need|did|could)$"
)
"""Ends that look open and needn't be."""
_ASKS_BACK: Final = re.compile(r"^(?:and |so )?(?:what|who|where|which|how|when|why)\b.*\?$")
""""What is it for?" ends as no statement does."""
_NO_MAIN_CLAUSE: Final = r"(?!.*, (?!who|which|that|where|when|and|or)[\w']+ [\w']+)"
_LEADS_UP: Final = re.compile(rf"^{_NO_MAIN_CLAUSE}(?:to|if|although|while|since|unless) \S+ \S+ \S+")
""""To change my booking." comes before the point."""
_STARTS_A_CLAUSE: Final = re.compile(
    rf"^{_NO_MAIN_CLAUSE}(?:to|if|when|while|since|although|after|before|because|at)\b"
)
"""So does "when I come home", unless it is the answer."""

_WHOLE: Final = re.compile(
    r"(?:(?:yes|yeah|yep|no|nope|okay|ok|oh|well|sure|right|hi|hello|um|uh) )*"
    r"(?:yes|yeah|yep|yup|no|nope|nah|no (?:i don't|i'm not|i can't|it isn't)|"
    r"(?:yes|no) (?:i|we|it|they|he|she) (?:am|is|are|do|does|did|have|has|had|will|would|can|could|was|were)|"
    r"not (?:really|yet|now|today)|okay|ok|sure|of course|certainly|absolutely|definitely|exactly|correct|right|"
    r"alright|all right|fine|great|perfect|perhaps|nothing|none|never|just me|(?:i'm )?sorry|pardon|excuse me|hello|hi|"
    r"what|stop|cancel|help|operator|repeat|speaking|go ahead|this is s?he|i don't know|i'm not sure|yeah i guess|"
    r"i (?:do|am|can|will|did|don't|can't|won't|(?:guess|hope|think|suppose) so|don't (?:think so|remember|mind))|"
    r"i'm (?:not|afraid (?:so|not))|it is|it isn't|no idea|not at all|as soon as possible|any ?time|whenever|either|"
    r"it was|who is this|who are you|what is it|what's that|what is that|how are you|where are you|(?:please )?do|"
    r"(?:can|could) you (?:please )?(?:repeat (?:that|it)|say that again|help(?: me)?))"
    r"(?: (?:please|thanks|then|really|actually|though|again|at all))?"
)
"""Whole answers."""
_CLOSES: Final = re.compile(
    r"(?:^|\s)(?:(?:thank you|thanks)(?: very much| a lot| so much)?|you're welcome|bye|goodbye|no problem|"
    r"(?<!moment )(?<!second )(?<!minute )please|"
    r"that's (?:all|it|everything|right|correct|fine|okay|ok|great|perfect|good)|that is (?:all|it|everything|right)|"
    r"that works(?: for me)?|(?:sounds|looks) (?:good|great|fine|perfect)|nothing else|"
    r"see you(?: then| later| soon| tomorrow| there)?|have a (?:nice|good|great) (?:day|one|evening|weekend)|"
    r"(?:that would|that will|that'd|that'll) be (?:\w+ )?(?:fine|great|good|perfect|okay|ok|lovely|nice))$"
)
"""However a turn begins, with these it ends."""

_REFUSES: Final = re.compile(r"\b(?:no|not|cannot|sorry|none|never|later|already|why|what|who|how)\b|n't\b")
"""In what is said instead of a number that was asked for."""

_OTHER_SPELLINGS: Final = (
    ("’", "'"),
    ("good-by", "goodby"),
    ("to-morrow", "tomorrow"),
    ("half-pas", "half pas"),
    ("half pass", "half past"),
)
_WORD: Final = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[@+#]")


def _plain_spelling(said: str) -> str:
    text = said.strip().lower()
    for other, ours in _OTHER_SPELLINGS:
        text = text.replace(other, ours)
    text = re.sub(r"\bgoodby\b", "goodbye", text)
    return re.sub(r"(\d)([ap])\.?m\b", r"\1 \2m", text)


# ── rules ──────────────────────────────────────────────────────────────────────────────────────────────────────

_Rule = Callable[[str, list[str], Asked], Completeness | None]


def _trails_off(text: str, words: list[str], asked: Asked) -> Completeness | None:
    return Completeness.OPEN if text.endswith(("...", "…", "-", "–", "—", ":")) else None


def _only_an_aside(text: str, words: list[str], asked: Asked) -> Completeness | None:
    """ "Sure, it is" where a number is awaited, "yes" where a wish is."""
    awaits_more = (asked in DICTATED or asked is Asked.OFFER) and words != ["no"]
    announces = asked in DICTATED and words[-1] in ("number", "code", "address", "name")
    aside = all(word in _ASIDES or word in _CANNOT_BE_LAST for word in words)
    return Completeness.OPEN if announces or (awaits_more and aside) else None


def _closes(text: str, words: list[str], asked: Asked) -> Completeness | None:
    return Completeness.WHOLE if _CLOSES.search(" ".join(words)) else None


def _is_a_whole_answer(text: str, words: list[str], asked: Asked) -> Completeness | None:
    return Completeness.WHOLE if _WHOLE.fullmatch(" ".join(words)) else None


def _dictates(text: str, words: list[str], asked: Asked) -> Completeness | None:
    digits = asked in (Asked.PHONE, Asked.NUMBER)
    match dictation(text, letters=asked is Asked.SPELLING, digits=digits, of_phone=asked is not Asked.NUMBER):
        case Dictation.GOING_ON:
            return Completeness.DICTATING
        case Dictation.DONE:
            return Completeness.WHOLE
        case None:
            return None


def _is_a_birth_date(text: str, words: list[str], asked: Asked) -> Completeness | None:
    if asked is not Asked.BIRTH_DATE:
        return None
    plain = " ".join(words)
    if ends_in_year(plain):
        return Completeness.WHOLE
    return Completeness.DICTATING if is_time_or_date(plain) or has_date_word(plain) else None


def _is_a_time(text: str, words: list[str], asked: Asked) -> Completeness | None:
    if asked in DICTATED or not is_time_or_date(" ".join(words)):
        return None
    return Completeness.COMPLETE if text.endswith(",") else Completeness.WHOLE


def _is_a_count(text: str, words: list[str], asked: Asked) -> Completeness | None:
    """ "Seven." to "how many?"."""
    return Completeness.WHOLE if asked is Asked.FREE and len(words) == 1 and words[0] in _COUNTS else None


def _goes_on(text: str, words: list[str], asked: Asked) -> Completeness | None:
    plain = " ".join(words)
    if _GOES_ON.search(plain) or _LEADS_UP.search(text) or _ANNOUNCES.search(plain):
        return Completeness.OPEN
    if _WANTS_AN_OBJECT.search(plain) and not _ASKS_FOR_IT.search(plain):
        return Completeness.OPEN
    ends_well = words[-1] not in _CANNOT_BE_LAST or _MAY_STILL_END.search(plain) or _ASKS_BACK.search(text)
    return None if ends_well else Completeness.OPEN


def _is_a_sentence(text: str, words: list[str], asked: Asked) -> Completeness | None:
    """Unless a number is awaited: then it leads up to it, or is misheard."""
    if asked in DICTATED and not _REFUSES.search(" ".join(words)):
        return Completeness.DICTATING
    ended = len(words) >= 3 and text.endswith((".", "!", "?"))
    return Completeness.COMPLETE if ended and not _STARTS_A_CLAUSE.search(text) else None


_RULES: Final[tuple[_Rule, ...]] = (
    _trails_off,
    _closes,
    _only_an_aside,
    _is_a_whole_answer,
    _is_a_birth_date,
    _dictates,
    _is_a_time,
    _is_a_count,
    _goes_on,
    _is_a_sentence,
)
"""The first that has an opinion decides."""


# ── what was asked ─────────────────────────────────────────────────────────────────────────────────────────────

_ASKS: Final = (
    (Asked.SPELLING, re.compile(r"\bspell|\be-?mail address|\bletter by letter")),
    (Asked.BIRTH_DATE, re.compile(r"\bdate of birth|\bbirth ?da(?:y|te)|\b(?:were|was) \w+ born")),
    (Asked.OFFER, re.compile(r"\banything else|\b(?:can|may|could) i (?:help|do for)|\bhelp you\b")),
    (Asked.FREE, re.compile(r"\bhow (?:many|much|old|long|often)\b")),
    (
        Asked.PHONE,
        re.compile(r"\b(?:(?:tele)?phone|mobile|cell|call-?back|contact|your) number\b|\bnumber\b.*\b(?:reach|call)\b"),
    ),
    (
        Asked.NUMBER,
        re.compile(r"\b(?:number|digits|code|postcode|zip|pin|extension)\b[^.?!]*(?:\?|$)"),
    ),
    (Asked.FREE, re.compile(r"\b(?:can|could|may|would|will) (?:you|i)\b[^.?!]*\b(?:tell|give|have|get|say|repeat)\b")),
    (
        Asked.YES_NO,
        re.compile(
            r"(?:^|[.!?,;] |\bso |\band |\bor )(?:is|are|was|were|do|does|did|can|could|will|would|shall|should|have|"
            r"has|may|am|isn't|aren't|don't|won't) \w+\b[^.!?]*\?$|\b(?:right|okay|correct)\?$"
        ),
    ),
)


def what_was_asked(agent_said: str) -> Asked:
    """The kind of answer the agent's words call for."""
    text = _plain_spelling(agent_said)
    for asked, pattern in _ASKS:
        if pattern.search(text):
            return asked
    return Asked.FREE if text.endswith("?") else Asked.UNKNOWN
