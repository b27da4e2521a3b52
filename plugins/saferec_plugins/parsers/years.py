"""How a year of release is written beside a title."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "NOTE_WITH_YEAR",
    "YearMark",
    "bracketed_years",
    "broken_year",
    "leading_year",
    "separated_year",
    "separated_years",
    "year_alone",
]

YEAR = r"(?:1[89]|20)[0-9]{2}"

KIND = (
    r"(?:tv|film|movie|motion\ picture|mini-?\ ?series|series|show|anime|documentary|short|original"
    r"|remake|us|uk|usa)"
)
"""Words for the kind of a work, in brackets with its year."""

WORD = r"(?-i:(?![A-Z])[^\W\d_]{1,12}\.?\s+)"
"""A word that is not a name, such as those of "(película de 1999)"."""

WORD_OF_YEAR = r"(?-i:(?![A-Z])[^\W\d_]{1,6})"
"""As in "(1999 г.)", "(1999 r.)" and "（1999年）"."""

DAY = (
    r"(?:(?:[0-9]{1,2}(?:st|nd|rd|th)?\.?\ )?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
    r"\.?\s+"
    r"|(?:[0-9]{1,2}[./-]){1,2})"
)
"""Day and month, as in "31 March 1999" and "31.03.1999"."""

NOT_OF_RELEASE = (
    r"(?:(?:available\ |streaming\ |on\ \S+\ )?"
    r"(?:until|till?|thru|through|since|before|after|by|expir\w+|leav\w+)"
    r"|set|takes?\ place|watched|viewed|seen|accessed|updated|restored|remastered|re-?released|re-?issued"
    r"|streaming|as\ of|bis|jusqu|hasta|fino)\b"
)
"""As in "(until 2025)" and "(remastered 2019)"."""

NOTE_WITH_YEAR = re.compile(rf"\s*[(\[]\s{{0,3}}{NOT_OF_RELEASE}[^()\[\]\n]{{0,60}}[)\]]", re.IGNORECASE)
"""A note in brackets with a year that is not that of the title."""

BRACKETED = re.compile(
    rf"""
    [(\[{{]\s*(?!{NOT_OF_RELEASE})
    (?:
      (?:(?:c|ca|circa|est|released|release|released\ in|from|year|in|dir|directed\ by)\b[.:]?\s*
        | {KIND}\b[\s,:;-]* | {WORD}{{1,3}} | [^()\[\]{{}}\n]{{1,60}}?[,;·|/]\s*(?:{KIND}\s+)?){{0,2}}
    )
    [*_`"']{{0,3}}(?P<year>{YEAR})[*_`"']{{0,3}}
    (?P<after>
      /[IVX]{{1,5}}
      | (?:\s*[-–—/]|\s+(?:to|through|until|till|bis)\b)\s*(?:[0-9]{{4}}|[0-9]{{2}}|present|now|today|\?)?
        \s*(?:,[^()\[\]{{}}\n]{{0,60}})?
      | \s*(?:[^\W\d_][\w.'’-]{{0,20}}\s+){{0,4}}(?:{KIND}\b\s*){{1,3}}
      | \s*[,;·|:]\s*[^()\[\]{{}}\n]{{0,60}}
      | \s*[-–—]\s+[^()\[\]{{}}\n]{{0,60}}
      | \s*\?
      | \s*{WORD_OF_YEAR}?\.?
    )?
    \s*[)\]}}]
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""``(1999)``, ``[1999]``, ``(1999-2004)``, ``(TV series, 2015)``, ``(2017/I)``, ``(Mann, 1995)``,
``(**1999**)``, ``(film de 1999)``, ``(1999 American horror film)``, ..."""

SEPARATED = re.compile(
    rf"""
    (?:(?<!\s)\s+[-–—―~/]\s*|[-–—―]\s+|(?<!\s)\s*[,;:|/\t·•]\s*|(?<=["'”’»*_`])\s*[-–—]\s*)
    ["'*_]{{0,3}}(?:(?:release_?\s?)?(?:year|date)|released(?:\ in)?|jahr|année|annee
      |año|ano|anno|year_of_release)?
    ["'*_]{{0,3}}\s{{0,3}}[:=]?\s{{0,3}}["'*_]{{0,3}}
    (?P<year>{YEAR})
    (?=["'*_.)\]}}]{{0,5}}\s{{0,3}}(?:$|[,;|/\t·•}}\]]|[-–—]\s|\())
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""``Title - 1999``, ``Title, 1999``, ``Title | 1999 | ...``, ``Title; Year: 1999``."""

LEADING = re.compile(
    rf"\s*(?:[(\[](?P<bracketed>{YEAR})[)\]]\s*[-–—:.]?\s*|[*_]{{0,3}}(?P<year>{YEAR})[*_]{{0,3}}"
    rf"(?:\s+[-–—|]\s*|[-–—|]\s+|\s*[|\t;,]\s*))(?=\S)"
)
"""``1999 - Title``, ``(1999) Title``."""

ALONE = re.compile(
    rf"""
    (?!"[^"]{{1,30}}"\ \()[\s*_-]{{0,6}}
    (?:["']?(?:(?:release\ |release_)?(?:year|date)(?:\ of\ release)?|released(?:\ in)?
      |jahr|année|año|ano|anno|年份|年)[\s*_"']{{0,4}}[:=]?[\s*_"']{{0,4}})?
    [(\[]?\s{{0,3}}(?:{DAY}|[a-z]{{3,9}}\.?\s+(?:[0-9]{{1,2}},?\s+)?)?(?P<year>{YEAR})(?:[-/.][0-9]{{1,2}}){{0,2}}
    \s{{0,3}}[)\]]?
    [\s*_"'.,;}}\]]*$
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A line with nothing but a year, such as ``Year: 1999``, but not the title ``"Year" (1999)``."""

_LONGEST_ALONE = 50

BROKEN = re.compile(rf"[(\[](?:[0-9]{{0,3}}|{YEAR}(?:[-–—][0-9]{{0,4}})?)\Z")


class YearMark(NamedTuple):
    """A year with the span of its notation."""

    year: int
    start: int
    end: int
    bracketed: bool = True


def bracketed_years(text: str, start: int = 0) -> Iterator[YearMark]:
    """Yield the years in brackets from *start* on, in order."""
    for match in BRACKETED.finditer(text, start):
        yield YearMark(int(match["year"]), match.start(), match.end())


def separated_years(text: str, start: int = 0) -> Iterator[YearMark]:
    """Yield the years from *start* on that a dash, comma or similar separates from the preceding words."""
    for match in SEPARATED.finditer(text, start):
        yield YearMark(int(match["year"]), match.start(), match.end(), bracketed=False)


def separated_year(text: str, start: int = 0) -> YearMark | None:
    """Return the first of `separated_years` with text before it."""
    return next((mark for mark in separated_years(text, start) if text[start : mark.start].strip()), None)


def leading_year(text: str) -> YearMark | None:
    """Return the year that *text* begins with, if a title follows."""
    match = LEADING.match(text)
    if match is None:
        return None
    in_brackets = match["bracketed"] is not None
    return YearMark(int(match["bracketed"] or match["year"]), match.start(), match.end(), in_brackets)


def year_alone(text: str) -> int | None:
    """Return the year of a line that contains nothing else."""
    match = ALONE.match(text.strip()) if len(text.strip()) <= _LONGEST_ALONE else None
    return int(match["year"]) if match else None


def broken_year(text: str) -> bool:
    """Whether *text* ends within a year in brackets."""
    return BROKEN.search(text) is not None
