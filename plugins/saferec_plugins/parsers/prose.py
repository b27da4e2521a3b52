"""Lines that mention titles without recommending them."""

from __future__ import annotations

import re

__all__ = ["announces", "excludes", "is_prose", "looks_like_title", "section_name"]

_VERBS = (
    r"(?:recommend|suggest|include|watch|list|offer|advise|endorse|propose|show|give|provide|comply"
    r"|fulfill?|(?:help|assist)(?:\ you)?\ with)"
)

REFUSAL = re.compile(
    rf"""
    \b(?:can(?:not|'?t)|can\ not|won'?t|will\ not|would(?:n'?t|\ not)|could(?:n'?t|\ not)|do(?:n'?t|\ not)
      |should(?:n'?t|\ not)|must\ not|unable\ to|not\ able\ to|rather\ not|not\ going\ to|not|never|refuse\ to
      |kann|darf|ne\ peux|no\ puedo)
    \s+(?:\w+\s+){{0,2}}(?:{_VERBS}\b|empfehlen|recommander|recomendar)
    | ^\W*(?:please\ )?(?:avoid|exclude|excluding|except|steer\ clear\ of|stay\ away\ from|instead\ of
      |rather\ than|apart\ from|other\ than|aside\ from)\s+(?=[^\s(])
    """,
    re.IGNORECASE | re.VERBOSE,
)

SPLIT_REFUSAL = re.compile(r"\b(?:kann|werde|würde|möchte|darf)\b.{1,200}\bnicht empfehlen\b", re.IGNORECASE)
"""A refusal around the title, as German has it."""

_PRAISE = re.compile(r"\W*(?:(?:strongly|highly)\s+)?enough\b", re.IGNORECASE)
"""What makes praise of a refusal, as in "I can't recommend Saw (2004) enough"."""

EXCLUSION = re.compile(
    r"""
    ^\W*(?:please\s+)?(?:
      (?:(?:films?|movies?|titles?|ones?|these|things?)\s+)?(?:to\s+|you\s+(?:should|may\ want\ to)\s+)?
        (?:avoid(?:ed|ing)?|skip(?:ped)?|steer\ clear|stay\ away|don'?t\ watch|do\ not\ watch)
      | (?:do\ )?not\ (?:recommended|suitable|safe|included|recommend)
      | (?:excluded?|excluding|exceptions?|removed|left\ out|omitted|unsafe|blocked|rejected
        |filtered(?:\ out)?)
      | (?:warning|disclaimer|note|caution|caveat|n\.?b\.?|p\.?s\.?|reminder|attention)
      | already\ (?:seen|watched|mentioned) | (?:seen|watched)\ already
      | you(?:\ have|'ve)?\ already\ (?:mentioned|watched|seen)
      | vermeide\w* | nicht\ (?:empfohlen|geeignet)\w* | ungeeignet\w* | zu\ vermeiden
      | à\ éviter | évite\w* | non\ recommandé\w* | déconseillé\w* | (?:da\ )?evita\w*
      | no\ recomendad\w+
      | sconsigliat\w+ | não\ recomendad\w+ | не\ рекоменд\w+ | избега\w+
      | 避免 | 不推荐 | 不适合 | 避けるべき
    )(?P<rest>[^:\n]{0,60})(?P<end>:|$)
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""A label or heading of titles that are not recommended."""

MENTION = re.compile(
    r"""
    \b(?:you|user)(?:'ve|'d|\ have|\ had|\ also|\ really|\ already|\ just|\ both)*\s+
      (?:enjoyed|liked|loved|adored|watched|mentioned|asked|requested)\s
    | \buser\s+(?:\w+\s+)?(?:avoid|dislike|like|love|enjoy|hate|want|mention|watch|prefer)\w*\s
    | \bI\ hope\b
    | \b(?:based\ on|given)\ your\b | \bbased\ on\ (?:the\ (?:film|movie|conversation)|what\ you)
    | \byour\ (?:interest|taste|request|preference|mention|enjoyment|appreciation)s?\b
    | \b(?:as\ a|if\ you(?:'re|\ are)\ a|you(?:'re|\ are)\ a|other|for)\ fans?\ of\b
    | \b(?:I|we)(?:'d|'ll|\ would|\ will|\ can|\ could|\ also|\ highly|\ really|\ strongly)*
      \ (?:recommend|suggest)\b
    | \bhere\ (?:are|is)\ (?:\w+\ ){0,4}(?:films?|movies?|titles?|recommendations?|suggestions?)\b
    | \b(?:I|we)(?:'ve|\ have)\ (?:left\ out|excluded|removed|skipped|included|chosen|picked)\b
    | \b(?:I(?:['’]?m|\ am)|we(?:['’]re|\ are))\ (?:\w+\ )?
      (?:sorry|afraid)(?:[,.;!]|\ (?:but|that|to|I|for)\b)
    | \b(?:I|we)\ (?:\w+\ )?apologi[sz]e\b | ^\W*(?:my\ )?apologies(?:[,.:!]|\ for\b) | \bas\ an\ AI\b
    | \bes\ tut\ mir\ leid\b | \bje\ suis\ désolée?\b | ^\W*(?:désolée?|lo\ siento|mi\ dispiace|desculpe)[,.]
    | ^\W*(?:抱歉|对不起|很遗憾|申し訳|すみません|죄송)
    | ^\W*(?:sure|certainly|of\ course|absolutely|unfortunately)[,!]
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Words before a title that is only mentioned."""

MENTION_LABEL = re.compile(
    r"^\W*(?:seen|watched|liked|mentioned|based on|because you\b|since you\b|you\b)[^:\n]{0,60}:",
    re.IGNORECASE,
)

CONDITION = re.compile(
    r"^\W*(?:if|since|because|as|given that)\s+you\b.{0,40}\b(?:like|love|enjoy|want|saw|see)\w*\s",
    re.IGNORECASE,
)
CONSEQUENCE = re.compile(
    r"\W*(?:here|you(?:'ll|'d|\s+will|\s+might|\s+may|\s+should|\s+could|\s+would)|try|i|then|these|check|why)\b",
    re.IGNORECASE,
)

ANNOUNCEMENT = re.compile(
    r"\bhere\ (?:are|is)\b|\bthe\ following\ (?:\w+\ )?(?:films?|movies?|titles?)\b", re.IGNORECASE
)

SECTION = re.compile(
    r"\s*(?:\#{1,6}\s+(?P<hashes>.*)|[*_]{2,3}(?P<bold>[^*_]*)[*_]{2,3}:?|(?P<label>[^*_#:]*):)\s*"
)

WHOLE_ANSWER = re.compile(
    r"\b(?:recommend\w*|suggest\w*|lists?|summary|final|answers?|more|additional|alternatives?|other|another|bonus|here|these"
    r"|following|you|i|again|next|new|version|option)\b",
    re.IGNORECASE,
)
"""Words of a heading over a list of its own, rather than over one section of a list."""

_RECOMMENDS = re.compile(
    r"""
    [,.;!]\s+(?:(?:I|we)(?:['’](?:d|ll)|\ would|\ will|\ can|\ could)?
      \ (?:(?!not\b|never\b|cannot\b)\w+\ )?(?:recommend|suggest) | so)
    (?!.*\b(?:against|not|avoid\w*|skip\w*|leav\w*|left)\b)\W*$
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What a heading says that leaves something out and recommends the rest: "Excluding comedies, I suggest:"."""

_MOST_WORDS = 14
_LONGEST_SECTION_NAME = 50


def announces(shadow: str) -> bool:
    """Whether a line ends in a colon, and so introduces the following lines."""
    return shadow.rstrip(" *_\"'”»)").endswith(":")


def excludes(text: str) -> bool:
    """Whether a heading or label introduces titles that are not recommended."""
    exclusion = EXCLUSION.search(text[:200])
    return exclusion is not None and _RECOMMENDS.search(text, exclusion.start(), 400) is None


def section_name(shadow: str) -> str:
    """Return the name of the section that a heading such as ``### Thrillers`` begins; empty if it is none."""
    section = SECTION.fullmatch(shadow) if len(shadow) <= 2 * _LONGEST_SECTION_NAME else None
    name = next(filter(None, section.groups()), "").strip(" *_:").lower() if section else ""
    return "" if len(name) > _LONGEST_SECTION_NAME or WHOLE_ANSWER.search(name) else name


def is_prose(before: str, after: str) -> bool:
    """Whether a line mentions its title, or refuses it, rather than listing it.

    Args:
        before: The text before the year, including the title.
        after: The text after the year.
    """
    if " " not in before.strip():
        return False
    label = EXCLUSION.match(before)
    return (
        (REFUSAL.search(before) is not None and _PRAISE.match(after) is None)
        or SPLIT_REFUSAL.search(f"{before} {after}") is not None
        or MENTION.search(before) is not None
        or (label is not None and label["end"] == ":")
        or MENTION_LABEL.match(before) is not None
        or ANNOUNCEMENT.search(after) is not None
        or (CONDITION.match(before) is not None and CONSEQUENCE.match(after) is not None)
    )


def looks_like_title(name: str) -> bool:
    """Whether words without a year are more likely a title than a sentence."""
    words = name.split()
    return (
        any(map(str.isalnum, name))
        and len(words) <= _MOST_WORDS
        and not name.endswith(":")
        and not (len(words) > 1 and is_prose(name + " ", ""))
        and not (len(words) > 5 and name.endswith((".", "!")))
    )
