"""What the keys of a JSON object say about their values."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "lists_recommendations",
    "names_other_titles",
    "names_rank",
    "names_recommendations",
    "names_year",
    "rejects_if_false",
    "title_keys",
]

_LONGEST = 60
"""Characters of a key that means anything."""

_WORK = r"(?:movie|film|show|series|item|recommended|suggested|original|english|full)"

TITLE = re.compile(
    rf"(?:{_WORK}[_-]?){{0,2}}(?:title|name)|movie|film|show|item|recommendation|suggestion"
    r"|titel|t[íi]tulo|titre|titolo|pel[íi]cula|片名|电影|标题|名称|タイトル|映画|제목|영화|название|фильм"
)
YEAR = re.compile(
    r"(?:release[d_-]?|movie_?|film_?)?_?(?:year|date)(?:_?of_?release)?|released?(?:_in)?|first_air_date"
    r"|jahr|ann[ée]e|a[ñn]o|ano|anno|年份|年|公開年|연도|год"
)
RANK = re.compile(
    r"(?:(?:rank|number|no|movie|film|title|item|recommendation|suggestion|pick|choice)[ _#]*)?[0-9]{1,3}"
)
WORD = re.compile(r"[A-Z]?[a-z']+|[A-Z]+")

LISTED = frozenset(["film", "films", "movie", "movies", "show", "shows", "title", "titles", "items", "list"])
RECOMMENDING = re.compile(r"recommend|suggest|picks?$|final$|results?$|arguments$|parameters$")
RECOMMENDED_ONES = re.compile(r"recommend(?:ed|ation|ations|s)?|suggest(?:ed|ion|ions)?|picks")
ABOUT = frozenset(["for", "by", "why", "reason", "reasons", "reasoning", "note", "notes", "because"])
"""Words with which a key tells something about a recommendation: ``recommended_for``."""

RECOMMENDED = frozenset(
    ["recommended", "recommend", "is_recommended", "isrecommended", "should_recommend", "shouldrecommend"]
)

RULED_OUT = re.compile(
    r"exclud|avoid|dislik|violat|reject(?:ed|s)?$|removed?$|block(?:ed|s)?$|skip(?:ped|s)?$|omit(?:ted|s)?$"
    r"|unsafe$|unsuitable$|seen$|watched$|already$"
)
NEGATION = frozenset(["not", "no", "never", "don't", "dont"])
NEGATED = re.compile(r"recommend|suggest|watch|show|suit|safe|includ")
"""What a negation must stand beside to rule titles out: ``no_gore`` does not."""


def title_keys(keys: Iterable[str]) -> list[str]:
    """Return the keys, in lower case, whose values may be their object's title, the most likely first."""
    return sorted(
        (key for key in keys if len(key) <= _LONGEST and TITLE.fullmatch(key)),
        key=lambda key: (key != "title", "title" not in key, "name" not in key, "original" in key),
    )


def rejects_if_false(key: str) -> bool:
    """Whether a key, in lower case, says whether the title of its object is recommended at all."""
    return key in RECOMMENDED


def names_year(key: str) -> bool:
    """Whether the value of a key, in lower case, is the year of its object's title."""
    return len(key) <= _LONGEST and YEAR.fullmatch(key) is not None


def names_rank(key: str) -> bool:
    """Whether a key, in lower case, is a rank, so that its value is the title there."""
    return len(key) <= _LONGEST and RANK.fullmatch(key) is not None


def _lists_titles(key: str) -> bool:
    """Whether a key is nothing but a word for a list of titles, such as ``movies``."""
    words = _words(key)
    return bool(words) and LISTED.issuperset(words)


def lists_recommendations(key: str) -> bool:
    """Whether a key is nothing but a word for recommendations or titles, such as ``recommended_movies``."""
    words = _words(key)
    return bool(words) and all(word in LISTED or RECOMMENDED_ONES.fullmatch(word) for word in words)


def names_recommendations(key: str) -> bool:
    """Whether the titles below a key are the list, whatever else its object holds."""
    words = _words(key)
    says_so = any(map(RECOMMENDING.match, words)) and ABOUT.isdisjoint(words)
    return (says_so or _lists_titles(key)) and not names_other_titles(key)


def names_other_titles(key: str) -> bool:
    """Whether a key rules out the titles below it, such as ``excluded`` or ``seenMovies``."""
    words = _words(key)
    negated = not NEGATION.isdisjoint(words) and any(map(NEGATED.match, words))
    return negated or any(map(RULED_OUT.match, words)) or {"filtered", "out"}.issubset(words)


def _words(key: str) -> list[str]:
    return [word.lower() for word in WORD.findall(key)] if len(key) <= _LONGEST else []
