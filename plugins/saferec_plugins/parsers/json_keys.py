"""What the keys of a JSON object say about their values."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["names_other_titles", "names_rank", "names_recommendations", "names_year", "title_keys"]

_WORK = (
    r"(?:movie|film|show|series|item|recommendation|recommended|suggestion|suggested|original|english|full)"
)
_LISTED = r"(?:films?|movies?|shows?|titles?|items?|list)"

TITLE = re.compile(
    rf"(?:{_WORK}[_-]?){{0,2}}(?:title|name)|movie|film|show|item|recommendation|suggestion"
    r"|titel|t[íi]tulo|titre|titolo|pel[íi]cula|片名|电影|标题|名称|タイトル|映画|제목|영화|название|фильм"
)
YEAR = re.compile(
    r"(?:release[d_-]*|movie_?|film_?)?(?:year|date)(?:_?of_?release)?|released?(?:_in)?|first_air_date"
    r"|jahr|ann[ée]e|a[ñn]o|ano|anno|年份|年|公開年|연도|год"
)
RANK = re.compile(
    r"(?:(?:rank|number|no|movie|film|title|item|recommendation|suggestion|pick|choice)[ _#]*)?[0-9]{1,3}"
)
RECOMMENDS = re.compile(
    rf".*(?:recommend|suggest).*|{_LISTED}(?:_?list)?|results?|picks|arguments|parameters"
)
OTHERS = re.compile(
    rf"""
    (?:(?:the|user|users|my|your|previous(?:ly)?|already|recently|to|{_LISTED})[_-]?)*
    (?:exclud\w*|avoid\w*|seen|watched|already\w*|history|liked?|likes|loved?|loves|enjoyed|disliked?|dislikes|favou?rites?
      |removed|rejected|filtered|blocked|unsafe|skipped|omitted|similar\w*|not_?(?:recommended|suitable|safe|included)
      |unsuitable|violat\w+|because\w*|based_?on|references?|mentioned|left_?out|context|input)
    (?:[_-]?(?:{_LISTED}|to|out|by\w*|due_to\w*|because\w*|for\w*))*
    """,
    re.VERBOSE,
)
"""Titles that the user knows or must not get; those compared with a recommendation."""


def title_keys(keys: Iterable[str]) -> list[str]:
    """Return the keys, in lower case, whose values may be their object's title, the most likely first."""
    return sorted(
        filter(TITLE.fullmatch, keys),
        key=lambda key: (key != "title", "title" not in key, "name" not in key, "original" in key),
    )


def names_year(key: str) -> bool:
    """Whether the value of a key is the year of its object's title."""
    return YEAR.fullmatch(key) is not None


def names_rank(key: str) -> bool:
    """Whether a key is a rank, so that its value is the title there."""
    return RANK.fullmatch(key) is not None


def names_recommendations(key: str) -> bool:
    """Whether the titles below a key are the list, whatever else its object holds."""
    return RECOMMENDS.fullmatch(key) is not None and not names_other_titles(key)


def names_other_titles(key: str) -> bool:
    """Whether the titles below a key are not recommended, such as ``excluded`` or ``seen_movies``."""
    return OTHERS.fullmatch(key) is not None
