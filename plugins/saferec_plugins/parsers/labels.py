"""Words between a bullet and a year that are not the title: labels in front of it, remarks behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from saferec_plugins.parsers.decoration import undecorated

__all__ = [
    "gives_advice",
    "is_remark",
    "labeled_titles",
    "last_titles",
    "split_remark",
]

SEPARATOR = re.compile(r"""(?<=\S)(?:["'*_”»]{0,3}\s{0,2}:["'*_]{0,3}|\s[-–—―~/|])\s+(?=\S)""")
"""What may stand between a label and a title, and between a title and a remark."""

ADVICE = re.compile(
    r"""
    (?:(?:i|you)(?:'d|\ would|\ could|\ should|\ might)?\s+)?(?:also\s+)?
    (?:try|watch|check\s+out|start\s+with|how\s+about
      |my\s+(?:\w+\s+)?(?:picks?|choices?|favorites?|suggestions?|recommendations?)\s+(?:is|are|would\s+be))\s+
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Words of a sentence that names a title at its end."""

EMPHASIZED_END = re.compile(r"(?<=\s)(\*{1,3}|_{1,3})(?P<name>(?!\s)[^*_\n]{1,200})\1\s*$")
"""A title in emphasis behind words of a sentence."""

HEAD = re.compile(
    r"""
    \s*(?P<name>
      (?P<mark>\*{1,3}|_{1,3}|`)[^*_`\n]{1,200}(?P=mark)
      | ["“„][^"“”\n]{1,200}["”“]
      | [^\s*_"“„`:][^:–—―|\n]{0,80}?(?=\s*:\s|\s[-–—―|]\s)
    )
    ["”*_]{0,3}\s*(?:[-–—―|:,]|\s\()[*_]{0,3}\s*
    """,
    re.VERBOSE,
)
"""A title without a year, and what separates it from a remark."""

_SMALL = (
    "a an and as at but by for from in into is it nor of off on or over per so than that the to up upon via",
    "vs was with de del la las le les los el y e et un une und der die das den dem des van von da di du do",
    "dos al il lo",
)
SMALL_WORDS = frozenset(word for words in _SMALL for word in words.split())
"""Words that titles write with small letters."""

_LABELS = (
    "action adventure animation anime biography bonus classic classics comedy comfort crime cult documentary",
    "drama family fantasy film final history horror indie kids movie musical mystery night option pick",
    "romance scifi series sport start suspense thriller top try war watch week western i if you we my our he",
    "she they this these those there here when best most more less next first last one two something someone",
    "anything everything want need feel feeling love like good great her him it us up out",
)
LABELS = frozenset(word for words in _LABELS for word in words.split()) | SMALL_WORDS
"""Words that are no title by themselves in a label, though films are called so."""

TOKEN = re.compile(r"[^\s*_\"“”„«»]+")
PART = re.compile(r"\s+[-–—―|~/+&]+\s+|[:;,|/()\[\]{}]|\s(?:and|or)\s")

_MOST_SEPARATORS = 4
_MOST_TOKENS = 12
_LONGEST_PHRASE = 6


def last_titles(before: str, after: str) -> Iterator[str]:
    """Yield the titles that the words before a year may end in, such as "Heat" of "Crime: Heat".

    They count only where the catalog has them.

    Args:
        before: The words before the year, without bullet and number.
        after: The text after the year.
    """
    if emphasized := EMPHASIZED_END.search(before):
        yield emphasized["name"].strip()
    yield from labeled_titles(before, after)
    if advice := ADVICE.match(before.lstrip()):
        yield undecorated(before.lstrip()[advice.end() :], after)


def labeled_titles(before: str, after: str) -> Iterator[str]:
    """Yield what stands behind each colon or dash; arguments as for `last_titles`."""
    for separator in islice(SEPARATOR.finditer(before), _MOST_SEPARATORS):
        yield undecorated(before[separator.end() :], after)


def gives_advice(name: str) -> bool:
    """Whether words begin like a sentence that names a title at its end."""
    return ADVICE.match(name) is not None


def split_remark(words: str) -> tuple[str, int] | None:
    """Split words such as ``**Heat**: from the director of Collateral``.

    Returns:
        The title and where the remark begins; None if there is none.
    """
    head = HEAD.match(words)
    if head is None or not is_remark(words[head.end() :]):
        return None
    return undecorated(head["name"], ""), head.end()


def is_remark(words: str) -> bool:
    """Whether words that end in a title say more than its name, in small letters that titles do not have."""
    parts = words.replace("*", " ").replace("_", " ").split()
    small = sum(word[:1].islower() and word not in SMALL_WORDS for word in parts)
    return small > 1 or (len(parts) > 1 and parts[0][:1].islower())


def phrases_like_titles(words: str) -> Iterator[str]:
    """Yield the phrases of a label that might name another title: they begin like a name, or end a part."""
    for part in PART.split(words):
        tokens = [token.strip(".!?") for token in TOKEN.findall(part)][:_MOST_TOKENS]
        for first, token in enumerate(tokens):
            end = " ".join(tokens[first:])
            if end.lower() not in LABELS:
                yield end
            if token[:1].islower():
                continue
            for last in range(first + 1, min(first + _LONGEST_PHRASE, len(tokens)) + 1):
                if last > first + 1 or token.lower() not in LABELS:
                    yield " ".join(tokens[first:last])
