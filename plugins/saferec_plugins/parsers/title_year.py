"""The parser for lists with one ``Title (Year)`` a line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from saferec_core.data.titles import Title, normal_form
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.parser import EventKind, ListParser, ParsedItem, ParsedList, ParseEvent
from saferec_plugins.parsers.decoration import looks_like_entry, undecorated
from saferec_plugins.parsers.sections import list_sections

__all__ = ["TitleYearParser"]

PLAIN_ENTRY = re.compile(
    r"""
    (?:[0-9]{1,3}[.)][ ]|[-*][ ])?                      # a number or bullet, but
    (?P<bold>\*\*)?
    (?![0-9]{1,3}(?:[.)]|\s+[-–—])\s)                   # one number only,
    (?P<name>[^\W_](?:[^()\r\n]*[^()\s*_])?)            # a title that needs no second look,
    (?(bold)\*\*)
    [ ]\((?P<year>(?:1[89]|20)[0-9]{2})\)               # its year,
    [^(\r\n]*(?:\r\n|[\r\n]|\Z)                        # and no further one
    """,
    re.VERBOSE,
)
"""Nearly every entry of nearly every list, read in one step; the general path says the same."""

YEAR = re.compile(
    r"""
    \(((?:1[89]|20)[0-9]{2})
    (?:\s*[-–—]\s*(?:(?:[0-9]{4}|[0-9]{2}|present)\s*)?)?   # a series: (1999-2004), (2019-)
    \)
    """,
    re.VERBOSE | re.IGNORECASE,
)

BROKEN_YEAR = re.compile(r"\((?:[0-9]{0,3}|(?:1[89]|20)[0-9]{2}(?:[-–—][0-9]{0,4})?)\Z")
"""A year in brackets that the end of the text cuts off."""

SEPARATORS = " \t,;/|&+.:-–—"
"""What stands between two titles on a line."""

LINE_BREAK = re.compile(r"\r\n|[\r\n]")


@component
class TitleYearParser(ListParser):
    """Reads lists with one ``Title (Year)`` a line, the year being 1800 to 2099.

    Numbering, bullets, emphasis, quotes around the title and remarks after the year are put up
    with. The first year that has a title in front of it ends the title, so years and brackets may
    be part of a title. Reasoning is skipped, and of a text with a ``<solution>`` only this counts.
    """

    def __call__(self, text: str, *, finished: bool = True) -> ParsedList:
        """Parse *text*; see `saferec_core.plugins.contracts.parser.ListParser`."""
        items: list[ParsedItem] = []
        events: list[ParseEvent] = []
        known: set[tuple[str, int]] = set()
        for section_start, stop in list_sections(text):
            position = section_start
            while position < stop:
                start = position
                further: tuple[Title, ...] = ()
                plain = PLAIN_ENTRY.match(text, start, stop)
                if plain:
                    name, year = plain["name"], int(plain["year"])
                    position = plain.end()
                else:
                    line_break = LINE_BREAK.search(text, start, stop)
                    line_end, position = line_break.span() if line_break else (stop, stop)
                    line = text[start:line_end]
                    entry = read_entry(line)
                    if entry is None:
                        breaks_off = line_end == len(text) and (
                            not finished or BROKEN_YEAR.search(line) is not None
                        )
                        kind = kind_of_other_line(line, breaks_off=breaks_off)
                        if kind:
                            events.append(ParseEvent(kind, start, position))
                        continue
                    name, year, year_end = entry
                    further = tuple(further_titles(line, year_end))
                    if further:
                        events.append(ParseEvent(EventKind.SECOND_TITLE, start, position))

                text_end = start + len(text[start:position].rstrip())
                items.append(ParsedItem(name, year, start, position, text_end, further))
                key = (normal_form(name), year)
                if key in known:
                    events.append(ParseEvent(EventKind.DUPLICATE, start, position))
                known.add(key)
        return ParsedList(tuple(items), tuple(events))

    def format(self, titles: Sequence[Title]) -> str:
        """Write *titles* as plain lines; see `saferec_core.plugins.contracts.parser.ListParser`.

        A title that would lose its first characters that way, such as "1. April", goes into quotes.
        No spelling saves a title that holds a line break or a year in brackets.
        """
        return "\n".join(map(written_line, titles))


def written_line(title: Title) -> str:
    """Write *title* so that it is read back as it is."""
    line = str(title)
    entry = read_entry(line)
    if entry and entry[0] == title.name:
        return line
    return f'"{title.name}" ({title.year})'


def read_entry(line: str) -> tuple[str, int, int] | None:
    """Read the title, its year and where the year ends in *line*, if it is a list entry."""
    for year in YEAR.finditer(line):  # at most twice: the second year has the first before it
        name = undecorated(line[: year.start()], line[year.end() :])
        if name:
            return name, int(year[1]), year.end()
    return None


def further_titles(line: str, start: int) -> Iterator[Title]:
    """Yield the words that a year follows in *line*, from *start* on.

    They may hold more than the title, as in "Saw (2004) by the director of Malignant (2021)".
    """
    for year in YEAR.finditer(line, start):
        words = undecorated(line[start : year.start()].lstrip(SEPARATORS), line[year.end() :])
        if any(map(str.isalnum, words)):
            yield Title(words, int(year[1]))
        start = year.end()


def kind_of_other_line(line: str, *, breaks_off: bool) -> EventKind | None:
    """Name the event of a line that is no item; a blank one is none."""
    if not line.strip():
        return None
    if breaks_off:
        return EventKind.TRUNCATED
    if looks_like_entry(line) and not YEAR.search(line):
        return EventKind.MISSING_YEAR
    return EventKind.OTHER_TEXT
