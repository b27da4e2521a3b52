"""Which lines of a completion are its list, and which titles its ranks name.

If lines are numbered or bulleted, the other lines are prose. Otherwise every line that names a title with its
year belongs to the list, which is how saferec writes its own targets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.parser import EventKind, ParseEvent
from saferec_plugins.parsers.decoration import label_end, undecorated
from saferec_plugins.parsers.entries import Entry, bare_names, dated_entries
from saferec_plugins.parsers.enumeration import Marker, accepted_markers, read_marker
from saferec_plugins.parsers.lines import Line, lines_of
from saferec_plugins.parsers.prose import announces, excludes, is_prose, looks_like_title
from saferec_plugins.parsers.remembered import remembered
from saferec_plugins.parsers.tables import Columns, Row, header_columns, is_rule, read_row
from saferec_plugins.parsers.years import bracketed_years, broken_year, year_alone

__all__ = ["Rank", "read_list"]

UNMARKED, BULLETED, NUMBERED = range(3)

LONE_NUMBER = re.compile(r"[\s*_#(\[]*[0-9]{1,3}[.)\]:]*[\s*_]*")
ANY_YEAR = re.compile(r"(?:1[89]|20)[0-9]{2}")
FENCE = re.compile(r"\s*(?:```|~~~|---|===|\\(?:begin|end)\b)")
ATTRIBUTE = re.compile(r"\s*(?:[-*+•]\s+)?[*_\"']*[A-Za-z][A-Za-z _]{1,24}[*_\"']*\s?:\s*[*_\"']*\S")

_NESTED = {BULLETED: 2, NUMBERED: 3}
"""Indentation, in columns, of a line that belongs to a line above."""


@dataclass(slots=True)
class Rank:
    """One rank of the list, before the catalog is consulted."""

    start: int
    end: int
    text_end: int
    readings: Sequence[Title] = ()
    """Possible titles with their year, the most likely first; empty without a year."""
    bare: Sequence[str | Title] = ()
    """Possible titles of a line without a year."""
    further: tuple[Title, ...] = ()


@dataclass(slots=True)
class _Item:
    """One line with what was read from it."""

    line: Line
    marker: Marker
    kind: int = UNMARKED
    entries: Sequence[Entry] = ()
    bare: Sequence[str | Title] = ()
    year_only: int | None = None
    labeled: bool = False
    prose: bool = False
    known: bool = False
    """Whether it certainly names a title: one with a year, or one of the catalog."""
    level: tuple[int, int] = (UNMARKED, 0)


def read_list(
    text: str, start: int, stop: int, *, finished: bool, knows: Callable[[Sequence[str | Title]], bool]
) -> tuple[list[Rank], list[ParseEvent]]:
    """Read the list in ``text[start:stop]``.

    Args:
        text: The completion.
        start: Where the part that may contain the list begins.
        stop: Where it ends.
        finished: Whether the policy itself ended the completion.
        knows: Whether the catalog has one of the given names; called for lines without a year.

    Returns:
        The ranks in order, and what happened on other lines.
    """
    items = _looked_at(text, start, stop, knows)
    main = _main_level(items)
    ranks: list[Rank] = []
    events: list[ParseEvent] = []
    last = 0
    open_rank: Rank | None = None
    """The rank whose year may follow on a line of its own."""
    for number, item in enumerate(items):
        line = item.line
        if item.year_only is not None and open_rank is not None:
            open_rank.readings = [
                Title(name, item.year_only) for name in open_rank.bare if isinstance(name, str)
            ]
            open_rank.text_end, open_rank.end = line.text_end, line.end
            open_rank = None
            continue
        belongs = _belongs(item, main)
        is_last = number == len(items) - 1 and line.text_end == len(text.rstrip())
        breaks_off = is_last and not item.entries and (broken_year(line.shadow) or not finished)
        if breaks_off and line.end == len(text) and line.text_end == line.end:
            events.append(ParseEvent(EventKind.TRUNCATED, line.start, line.end))
            continue
        if not belongs:
            events.append(ParseEvent(EventKind.OTHER_TEXT, line.start, line.end))
            continue
        value = item.marker.value if item.kind == NUMBERED else None
        if item.level == main and value is not None:
            if value == 1 and last > 1:
                events.append(ParseEvent(EventKind.OTHER_TEXT, line.start, stop))
                break
            last = value
        new = list(_ranks_of(item))
        ranks += new
        open_rank = new[-1] if not item.entries else None
        if len(new) > 1 or new[-1].further:
            events.append(ParseEvent(EventKind.SECOND_TITLE, line.start, line.end))
    return ranks, events


def _looked_at(
    text: str, start: int, stop: int, knows: Callable[[Sequence[str | Title]], bool]
) -> list[_Item]:
    """Read every line that is not blank, each by itself."""
    lines = [line for line in lines_of(text, start, stop) if line.text_end > line.start]
    shapes = [_shape(line.text, line.shadow) for line in lines]
    markers = [shape.marker for shape in shapes]
    doubtful = any(marker.style and not marker.sure for marker in markers)
    dated = [doubtful and ANY_YEAR.search(line.shadow) is not None for line in lines]
    accepted = accepted_markers(markers, dated)
    items: list[_Item] = []
    columns: Columns | None = None
    avoiding = False
    lone: _Item | None = None
    """A line of nothing but a number, whose title may stand on the next."""
    for number, (line, shape, numbered) in enumerate(zip(lines, shapes, accepted, strict=True)):
        item = _Item(line, shape.marker)
        items.append(item)
        following = lines[number + 1].shadow if number + 1 < len(lines) else ""
        header = shape.header
        if header and (header.sign != "|" or header.year is not None or is_rule(following)):
            columns = header
            item.prose = True
        elif shape.separates:
            item.prose = True
        elif shape.lone_number and following:
            item.prose, lone = True, item
            continue
        else:
            row = read_row(line.shadow, columns) if columns else shape.row
            if row:
                _read_row(item, row)
            else:
                columns = columns if columns and columns.sign == "|" else None
                reading = _reading(line.text, line.shadow, numbered=numbered, avoiding=avoiding)
                item.kind, item.labeled, item.prose = reading.kind, reading.labeled, reading.prose
                item.year_only, item.entries, item.bare = reading.year_only, reading.entries, reading.bare
                avoiding = reading.avoiding
        if lone and item.kind == NUMBERED:
            lone.kind = NUMBERED  # a number without a title
        elif lone and not item.prose:
            item.kind = NUMBERED
            line.start = lone.line.start
        lone = None
        item.known = bool(item.entries) or (bool(item.bare) and not item.prose and knows(item.bare))
    _set_levels(items)
    return items


class _Shape(NamedTuple):
    """What kind of line it is, whatever stands around it."""

    marker: Marker
    header: Columns | None
    separates: bool
    """Whether it is a rule or a fence."""
    lone_number: bool
    row: Row | None
    """Of a table without a header."""


@remembered
def _shape(text: str, shadow: str) -> _Shape:
    return _Shape(
        marker=read_marker(shadow, text),
        header=None if ANY_YEAR.search(shadow) else header_columns(shadow),
        separates=is_rule(shadow) or FENCE.match(shadow) is not None,
        lone_number=LONE_NUMBER.fullmatch(shadow) is not None,
        row=read_row(shadow, None),
    )


class _Reading(NamedTuple):
    """What is read from a line that is not a row of a table; see `_Item`."""

    kind: int
    labeled: bool
    prose: bool
    avoiding: bool
    """Whether the following lines list titles to avoid."""
    year_only: int | None = None
    entries: tuple[Entry, ...] = ()
    bare: tuple[str | Title, ...] = ()


@remembered
def _reading(text: str, shadow: str, *, numbered: bool, avoiding: bool) -> _Reading:
    marker = _shape(text, shadow).marker
    begin, opened = (marker.end, marker.opened) if numbered else (marker.unnumbered, "")
    body = shadow[begin:]
    heading = marker.bullet == "heading"
    labeled = label_end(body) > 0
    kind = NUMBERED if numbered else BULLETED if marker.bullet == "bullet" or labeled else UNMARKED
    if announces(shadow):
        return _Reading(kind, labeled, prose=True, avoiding=excludes(body))
    year_only = year_alone(shadow[marker.unnumbered :])
    if year_only is not None and kind != NUMBERED:
        return _Reading(kind, labeled, prose=False, avoiding=avoiding, year_only=year_only)
    entries = dated_entries(text, shadow, begin, opened, strict=kind == UNMARKED)
    if entries:
        first = entries[0]
        year_at = max(begin, first.start)
        prose = avoiding or is_prose(text[year_at : first.end], text[first.end : first.end + 200])
        return _Reading(kind, labeled, prose, avoiding, entries=entries)
    bare = tuple(bare_names(text, shadow, begin, opened))
    if heading or (kind == UNMARKED and excludes(body)):
        return _Reading(kind, labeled, prose=True, avoiding=excludes(body), bare=bare)
    attribute = kind != NUMBERED and not labeled and ATTRIBUTE.match(body) is not None
    sentence = not any(isinstance(name, str) and looks_like_title(name) for name in bare[:1])
    prose = avoiding or attribute or (sentence and kind != NUMBERED)
    if kind == NUMBERED and any(isinstance(name, str) and is_prose(f"{name} ", "") for name in bare):
        bare = ()  # its rank recommends nothing
    return _Reading(kind, labeled, prose, avoiding, bare=bare)


def _read_row(item: _Item, row: Row) -> None:
    line = item.line
    start, end = row.title
    text, shadow = line.text[:end], line.shadow[:end]
    item.kind = NUMBERED if row.numbered else BULLETED
    item.marker = item.marker._replace(value=None)
    whole = undecorated(text[start:], "")
    if row.year is not None and whole and next(bracketed_years(shadow, start), None) is None:
        item.entries = (Entry((Title(whole, row.year),), start, end),)
    else:
        item.entries = dated_entries(text, shadow, start, strict=False)
    if not item.entries:
        item.bare = bare_names(text, shadow, start)
    item.prose = not item.entries and not item.bare


def _set_levels(items: Sequence[_Item]) -> None:
    """Distinguish the lines of a list from those nested below them by their indentation."""
    marked = [item for item in items if item.kind != UNMARKED]
    least = min((item.marker.indent for item in marked), default=0)
    for item in marked:
        item.level = (item.kind, int(item.marker.indent - least >= _NESTED[item.kind]))


def _main_level(items: Sequence[_Item]) -> tuple[int, int]:
    """Return the kind of lines that are the list: the outermost that names titles."""
    known: dict[tuple[int, int], int] = {}
    for item in items:
        if not item.prose and (item.entries or item.bare):
            known[item.level] = known.get(item.level, 0) + item.known
    marked = {level: count for level, count in known.items() if level[0] != UNMARKED}
    if not marked:
        return UNMARKED, 0
    outermost = sorted(marked, key=lambda level: (level[1], -level[0]))
    most = max(marked.values())
    main = next(level for level in outermost if 2 * marked[level] >= most)
    unmarked = sum(
        item.known and bool(item.entries) for item in items if item.kind == UNMARKED and not item.prose
    )
    return (UNMARKED, 0) if unmarked > most else main


def _belongs(item: _Item, main: tuple[int, int]) -> bool:
    """Whether a line is one of the list's."""
    if item.prose and not (item.kind == NUMBERED and item.level == main and not announces(item.line.shadow)):
        return False
    if item.level == main:
        return item.kind != UNMARKED or bool(item.entries) or item.known
    if main[0] == UNMARKED:
        return bool(item.entries)
    attribute = ATTRIBUTE.match(item.line.shadow) is not None and not item.labeled
    return item.kind != UNMARKED and item.level[1] <= main[1] and bool(item.entries) and not attribute


def _ranks_of(item: _Item) -> Iterator[Rank]:
    """Yield the ranks of a line: one for each of its titles."""
    line = item.line
    if not item.entries or item.prose:
        yield Rank(line.start, line.end, line.text_end, bare=() if item.prose else item.bare)
        return
    for number, entry in enumerate(item.entries):
        is_last = number == len(item.entries) - 1
        start = line.start if number == 0 else line.position(entry.start)
        if is_last:
            end, text_end = line.end, line.text_end
        else:
            text_end = line.position(entry.end)
            end = max(text_end, line.position(item.entries[number + 1].start))
        yield Rank(start, end, text_end, entry.readings, further=entry.further)
