"""The titles that a line of a list names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from saferec_core.data.titles import Title
from saferec_plugins.parsers.decoration import label_end, undecorated
from saferec_plugins.parsers.labels import (
    is_remark,
    labeled_titles,
    last_titles,
    split_remark,
)
from saferec_plugins.parsers.prose import is_prose
from saferec_plugins.parsers.remembered import remembered
from saferec_plugins.parsers.years import (
    NOTE_WITH_YEAR,
    YearMark,
    bracketed_years,
    leading_year,
    separated_year,
    separated_years,
    year_alone,
)

__all__ = ["Entry", "bare_names", "dated_entries"]

JOINER = re.compile(
    r"""
    (?:[\s”’»」』》*_`)\].]|["'](?!\w))*
    (?:(?:[,;/|&+•·、]|[-–—](?=\s)|\b(?:and|or|und|oder|et|ou|y|o|e)\b|\#?[0-9]{1,2}[.):])\s*)*
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Text that may separate two listed titles on one line."""

PAIR = re.compile(
    r"""[(\[]\s*(?P<quote>["'])(?P<name>[^\n]{1,200}?)(?P=quote)\s*,\s*["']?(?P<year>(?:1[89]|20)[0-9]{2})["']?\s*[)\]]"""
)
"""A title with its year as Python and JSON write a pair: ``("Heat", 1995)``."""

PAIR_BEGINS = re.compile(rf"(?:\w{{1,30}}\s?=\s?)?[\s\[(]{{0,3}}{PAIR.pattern}")

WORDS_JOIN = " \t,;/|&+.:-–—\"'“”*_"

STRONG_CUT = re.compile(
    r"(?<!\s)\s+[-–—―|~]+\s+|(?<!\s)\s*[—–―|\t]\s*|(?<!\s)\s+[(\[{]|,?(?<!\s)\s+(?:directed\s+by|dir\.|by|starring|feat\.)\s+",
    re.IGNORECASE,
)
"""Where a remark certainly begins, if a title precedes it."""

WEAK_CUT = re.compile(
    r"[:;,.]\s+(?=[a-z]|[0-9]{1,3}\s?(?:min|h)|(?:\S+\s+){4}\S|(?:\S+\s+){0,3}[^\W\d_]{3,}[.!][”\"*_]{0,3}\s*$)|(?<!\s)\s+(?=[★☆⭐\U0001f31f])|(?<!\s)\s+(?:with|from|about|is|was)\s+"
)
"""Where a remark may begin."""

WRAPPED = re.compile(
    r"""\s*(?:(\*{1,3}|_{1,3}|`)(?P<marked>[^*_`\n]{1,200})\1
    |["“„](?P<quoted>[^"“”\n]{1,200})["”“]|[«»](?P<guillemets>[^«»\n]{1,200})[«»]
    |[「『《〈](?P<corners>[^」』》〉\n]{1,200})[」』》〉])""",
    re.VERBOSE,
)
"""A title in emphasis or quotes, with a remark behind it."""

DIRECTED = re.compile(r"[,(]?(?<!\s)\s+\(?(?:directed\s+by|dir\.)\s.*$", re.IGNORECASE | re.DOTALL)
"""The director, between title and year."""

BY = re.compile(r"\s+by\s")

TRAILING_YEAR = re.compile(r"(?<!\s)\s+((?:1[89]|20)[0-9]{2})$")

BARE_YEAR = re.compile(r"[(\[{]\s*[0-9]{4}\s*[)\]}]")

_MOST_CUTS = 6
_REMARK = 200
"""Characters after a year in which decoration of the title may be closed."""


class Entry(NamedTuple):
    """A title with its year."""

    readings: tuple[Title, ...]
    """Possible titles, the most likely first; the others count only if the catalog has them. One without
    a year is a year that may be a title itself."""
    start: int
    """Where its text begins in the line."""
    end: int
    """Where its year ends."""
    further: tuple[Title, ...] = ()
    """Titles named in the remark after it."""
    remark: int | None = None
    """Where a remark may begin that stands between a title without a year and this year."""
    mention: Title | None = None
    """The title that this remark names."""
    labeled: tuple[Title, ...] = ()
    """What it would be without a label or advice in front; counts only where the catalog has it."""


@remembered
def dated_entries(text: str, shadow: str, start: int, opened: str = "", *, strict: bool) -> tuple[Entry, ...]:
    """Read the titles with a year in a line.

    Args:
        text: The line.
        shadow: The line with the digits and punctuation of ASCII.
        start: Where its text begins, after bullet and number.
        opened: Emphasis that opens before *start*.
        strict: Whether a year must stand in brackets or else end the line; for lines without any mark.
    """
    if PAIR_BEGINS.match(shadow, start):
        return tuple(
            Entry((Title(text[slice(*pair.span("name"))], int(pair["year"])),), pair.start(), pair.end())
            for pair in PAIR.finditer(shadow, start)
        )
    first = _first(text, shadow, start, opened, strict=strict)
    if first is None:
        return ()
    entry, dashed = first
    entries = [entry]
    end = entry.end
    for mark in _years_after(shadow, end):
        joint = JOINER.match(shadow, end, mark.start)
        assert joint is not None, "it may match nothing"
        words = undecorated(text[joint.end() : mark.start], text[mark.end : mark.end + _REMARK])
        if any(map(str.isalnum, words)):
            listed = (mark.bracketed or dashed) and joint.end() > end and _begins_title(words)
            if listed and not is_prose(words, "") and not is_remark(words):
                entries.append(Entry((Title(words, mark.year),), joint.end(), mark.end))
            else:
                words = undecorated(
                    text[end : mark.start].strip(WORDS_JOIN), text[mark.end : mark.end + _REMARK]
                )
                if any(map(str.isalnum, words)):
                    last = entries[-1]
                    entries[-1] = last._replace(further=(*last.further, Title(words, mark.year)))
        end = mark.end
        entries[-1] = entries[-1]._replace(end=end)
    return tuple(entries)


def bare_names(text: str, shadow: str, start: int, opened: str = "") -> list[str | Title]:
    """Return the titles that a line without a year may name, the most likely first.

    If the line ends in four digits without brackets, one of the others is a title with that year.
    """
    start += label_end(shadow[start:])
    body = opened + NOTE_WITH_YEAR.sub("", text[start:])
    whole = undecorated(body, "")
    names: list[str | Title] = []
    wrapped = WRAPPED.match(body)
    if wrapped:
        names.append(_within(wrapped))
    strong = [match.start() for match in islice(STRONG_CUT.finditer(body), _MOST_CUTS)]
    weak = [match.start() for match in islice(WEAK_CUT.finditer(body), _MOST_CUTS)]
    cut = {
        position: undecorated(body[:position], body[position:])
        for position in {*strong, *weak}
        if position > len(opened)
    }
    likely = cut.get(min(strong, default=-1)) or whole
    names += [likely, whole]
    if match := TRAILING_YEAR.search(whole):
        names.append(Title(whole[: match.start()].rstrip(" -–—,:;"), int(match[1])))
    names += [cut[position] for position in sorted(cut, reverse=True)]
    return [name for name in dict.fromkeys(names) if name]


def _first(text: str, shadow: str, start: int, opened: str, *, strict: bool) -> tuple[Entry, bool] | None:
    marks = bracketed_years(shadow, start)
    for mark in marks:
        readings = _readings(text, shadow, start, opened, mark)
        if readings:
            after = next(marks, None)
            if after and not shadow[mark.end : after.start].strip(" *_\"'`”»"):
                others = _readings(text, shadow, start, opened, after)  # Fantasia (2000) (1999)
                plain = BARE_YEAR.fullmatch(shadow, mark.start, mark.end) is not None
                readings = readings + others if plain else others + readings
            return _with_words_around(Entry(tuple(readings), start, mark.end), text, opened, mark), False
    leading = leading_year(shadow[start:])
    if leading and not strict and year_alone(shadow[start + leading.end :]) is None:
        body = start + leading.end
        names = [name for name in bare_names(text, shadow, body) if isinstance(name, str)]
        if names:
            readings = [Title(name, leading.year) for name in names]
            if not leading.bracketed:  # "1917 - A war film"
                readings.append(Title(str(leading.year), None))
            return Entry(tuple(readings), start, len(text)), True
    mark_at = separated_year(shadow, start)
    if mark_at and (not strict or not shadow[mark_at.end :].strip(" .*_\"')]")):
        readings = _readings(text, shadow, start, opened, mark_at)
        if readings and (not strict or _begins_title(readings[0].name)):
            return Entry(tuple(readings), start, mark_at.end), True
    return None


def _readings(text: str, shadow: str, start: int, opened: str, mark: YearMark) -> list[Title]:
    """Return the titles that the words before a year may be."""
    label = label_end(shadow[start : mark.start])
    before = opened + text[start + label : mark.start]
    after = text[mark.end : mark.end + _REMARK]
    undirected = DIRECTED.sub("", before) or before
    name = undecorated(undirected, after if undirected == before else "")
    if not name:
        return []
    names = [name]
    wrapped = WRAPPED.match(undirected)
    if wrapped and BY.match(undirected, wrapped.end()):
        names.insert(0, _within(wrapped))
    if label:
        names.append(undecorated(opened + text[start : mark.start], after))
    cuts = islice(STRONG_CUT.finditer(before), _MOST_CUTS)
    names += [undecorated(before[: cut.start()], "") for cut in cuts]
    return [Title(name, mark.year) for name in dict.fromkeys(names) if name]


def _with_words_around(entry: Entry, text: str, opened: str, mark: YearMark) -> Entry:
    """Add the titles behind a label ("Crime: Heat (1995)") and before a remark ("Heat: like Saw (2004)")."""
    words = opened + text[entry.start : mark.start]
    after = text[mark.end : mark.end + _REMARK]
    split = split_remark(words)
    names = last_titles(words, after) if split is None else labeled_titles(words, after)
    labeled = tuple(Title(name, mark.year) for name in dict.fromkeys(names) if name)
    if split is None:
        return entry._replace(labeled=labeled)
    name, at = split
    return entry._replace(
        labeled=(Title(name, None), *labeled),
        remark=entry.start + at - len(opened),
        mention=Title(undecorated(words[at:], after), mark.year),
    )


def _within(wrapped: re.Match[str]) -> str:
    return next(filter(None, wrapped.groupdict().values()), "").strip(" :-")


def _years_after(shadow: str, start: int) -> Iterator[YearMark]:
    """Yield the years after the first title, in order and without overlap."""
    marks = [*bracketed_years(shadow, start), *separated_years(shadow, start)]
    position = start
    for mark in sorted(marks, key=lambda mark: mark.start):
        if mark.start >= position:
            yield mark
            position = mark.end


def _begins_title(words: str) -> bool:
    """Whether words begin like a title: not with a lowercase letter, in scripts that have case."""
    first = next(filter(str.isalnum, words), "a")
    return not first.islower()
