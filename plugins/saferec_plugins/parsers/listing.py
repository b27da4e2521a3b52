"""Which lines of a completion are its list, and which titles its ranks name.

If lines are numbered or bulleted, the other lines are prose. Otherwise every line that names a title with its
year belongs to the list, which is how saferec writes its own targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from functools import lru_cache

from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.parser import EventKind, ParsedItem, ParseEvent
from saferec_plugins.parsers.enumeration import accepted_markers
from saferec_plugins.parsers.naming import Naming
from saferec_plugins.parsers.readings import (
    BULLETED,
    NUMBERED,
    UNMARKED,
    Form,
    Rank,
    Reading,
    WrittenLine,
    written_lines,
)
from saferec_plugins.parsers.tables import Columns, is_rule, read_row
from saferec_plugins.parsers.years import broken_year

__all__ = ["LONGEST", "all_take_ranks", "read_list"]

_NESTED = {BULLETED: 2, NUMBERED: 3}
"""Indentation, in columns, of a line that belongs to a line above."""

LONGEST = 200
"""Lines of a list whose form is remembered."""

_Level = tuple[int, int]
"""The kind of a line, and whether it is nested below others."""


class _Use(Enum):
    """What a line is to the list."""

    RANKS = auto()
    """It takes the next ranks."""
    YEAR = auto()
    """It is the year of the title before."""
    TRUNCATED = auto()
    OTHER = auto()
    """It does not belong to the list."""
    END = auto()
    """From here on, nothing does: another list begins."""


def read_list(
    text: str, start: int, stop: int, *, finished: bool, naming: Naming
) -> tuple[list[ParsedItem], list[ParseEvent]]:
    """Read the list in ``text[start:stop]``.

    Args:
        text: The completion.
        start: Where the part that may contain the list begins.
        stop: Where it ends.
        finished: Whether the policy itself ended the completion.
        naming: Decides which title a line means.

    Returns:
        The items in order, and what happened on other lines.
    """
    lines, origins = _lines_of(text, start, stop)
    if not lines:
        return [], []
    readings, starts = _read(lines, origins)
    readings = _with_titles_as_labels(readings, naming)
    forms = [
        reading.form_if_known if reading.is_open and naming.knows(reading.bare) else reading.form
        for reading in readings
    ]
    cut_off = not readings[-1].entries and _breaks_off(text, lines[-1], origins[-1], finished=finished)
    decide = _uses if len(forms) <= LONGEST else _uses.__wrapped__
    items: list[ParsedItem] = []
    events: list[ParseEvent] = []
    open_rank = Rank(0, 0, 0)
    """The last rank without a year, which may follow on a line of its own."""
    for use, reading, origin, begin in zip(
        decide(tuple(forms), cut_off), readings, origins, starts, strict=False
    ):
        if use is _Use.RANKS:
            for rank in reading.ranks:
                items.append(naming.item(rank, origin, None if rank.start else begin))
            open_rank = rank
            if len(reading.ranks) > 1 or items[-1].further:
                events.append(ParseEvent(EventKind.SECOND_TITLE, begin, origin + reading.line.size))
        elif use is _Use.YEAR:
            names = (name for name in open_rank.bare if isinstance(name, str))
            dated = replace(
                open_rank,
                readings=[Title(name, reading.year_only) for name in names],
                end=reading.line.size,
                text_end=reading.line.length,
            )
            items[-1] = naming.item(dated, origin, items[-1].start)
        elif use is _Use.END:
            events.append(ParseEvent(EventKind.OTHER_TEXT, begin, stop))
        else:
            kind = EventKind.OTHER_TEXT if use is _Use.OTHER else EventKind.TRUNCATED
            events.append(ParseEvent(kind, begin, origin + reading.line.size))
    return items, events


def _lines_of(text: str, start: int, stop: int) -> tuple[list[WrittenLine], list[int]]:
    """Return the lines that are not blank, and where each begins."""
    lines, origins = [], []
    for raw in text[start:stop].splitlines(keepends=True):
        for begin, line in written_lines(raw):
            lines.append(line)
            origins.append(start + begin)
        start += len(raw)
    return lines, origins


def _is_other_head(lines: Sequence[WrittenLine], number: int) -> bool:
    """Whether a row is the head of a table in words of its own: only the rows behind the rule have years."""
    if number + 2 >= len(lines) or (number and lines[number - 1].row) or lines[number].row is None:
        return False
    rule, row = lines[number + 1].line.shadow, lines[number + 2]
    return is_rule(rule) and "|" in rule and row.has_year and not lines[number].has_year


def _breaks_off(text: str, last: WrittenLine, origin: int, *, finished: bool) -> bool:
    """Whether a completion ends within its last line, which has no year."""
    line = last.line
    ends_here = line.length == line.size and origin + line.size == len(text) == len(text.rstrip())
    return ends_here and (not finished or broken_year(line.shadow))


def _read(lines: Sequence[WrittenLine], origins: Sequence[int]) -> tuple[list[Reading], list[int]]:
    """Read every line beside the others; return where each begins with a number that stands above it."""
    accepted = [line.is_numbered for line in lines]
    if any(line.may_be_numbered for line in lines):
        accepted = accepted_markers([line.marker for line in lines], [line.has_year for line in lines])
    accepted = _without_section_headings(lines, accepted)
    readings: list[Reading] = []
    starts = list(origins)
    columns: Columns | None = None
    avoiding = after_number = False
    for number, (line, numbered) in enumerate(zip(lines, accepted, strict=True)):
        if line.is_ordinary and not after_number and columns is None:
            reading = line.reading(numbered=numbered, avoiding=avoiding)
            avoiding = reading.avoiding
            readings.append(reading)
            continue
        shadow = line.line.shadow
        following = lines[number + 1].line.shadow if number + 1 < len(lines) else ""
        header = line.header
        if header and (header.sign != "|" or header.year is not None or is_rule(following)):
            columns, reading = header, line.as_other()
        elif line.separates or _is_other_head(lines, number):
            reading = line.as_other()
        elif line.is_lone_number and following:
            readings.append(line.as_other())
            after_number = True
            continue
        elif row := read_row(shadow, columns) if columns else line.row:
            reading = line.as_row(row, avoiding=avoiding)
        else:
            columns = columns if columns and columns.sign == "|" else None
            reading = line.reading(numbered=numbered, avoiding=avoiding)
            avoiding = reading.avoiding
        if after_number and reading.kind == NUMBERED:
            readings[-1] = replace(readings[-1], kind=NUMBERED)  # a number without a title
        elif after_number and not reading.prose:
            reading = replace(reading, kind=NUMBERED)
            starts[number] = origins[number - 1]
        after_number = False
        readings.append(reading)
    return readings, starts


def _with_titles_as_labels(readings: list[Reading], naming: Naming) -> list[Reading]:
    """Read lines such as ``- **Heat**: a crime film`` as titles if the catalog has most of their labels."""
    levels: dict[int, list[int]] = {}
    for number, reading in enumerate(readings):
        if reading.label and reading.kind == BULLETED:
            levels.setdefault(reading.indent, []).append(number)
    for numbers in levels.values():
        labels = [readings[number].label for number in numbers]
        if 2 * sum(naming.knows([label]) for label in labels) >= len(labels):
            for number, label in zip(numbers, labels, strict=True):
                readings[number] = replace(readings[number], prose=False, bare=(label,))
    return readings


def _without_section_headings(lines: Sequence[WrittenLine], numbered: list[bool]) -> list[bool]:
    """Leave out the numbers of headings that name no title with its year, if other numbered lines do."""
    open_headings = {
        number
        for number, line in enumerate(lines)
        if numbered[number] and line.is_heading and not line.reading(numbered=True, avoiding=False).entries
    }
    if not open_headings or not any(
        has_number and not line.is_heading and line.reading(numbered=True, avoiding=False).entries
        for has_number, line in zip(numbered, lines, strict=True)
    ):
        return numbered
    return [has_number and number not in open_headings for number, has_number in enumerate(numbered)]


@lru_cache(maxsize=1 << 12)
def all_take_ranks(forms: tuple[Form, ...]) -> bool:
    """Whether every line of a list takes the next ranks, by the forms of its lines."""
    uses = _uses(forms, False)
    return len(uses) == len(forms) and {*uses} == {_Use.RANKS}


@lru_cache(maxsize=1 << 12)
def _uses(forms: tuple[Form, ...], cut_off: bool) -> Sequence[_Use]:
    """Decide what each line is to the list, by nothing but the forms of the lines: many lists have the same.

    Args:
        forms: The forms of the lines.
        cut_off: Whether the completion ends within the last one.

    Returns:
        The use of each line, up to the end of the list.
    """
    levels = _levels(forms)
    main = _main_level(forms, levels)
    uses: list[_Use] = []
    last = 0
    falling: bool | None = None
    """Whether the numbers so far count down, as in ``3.``, ``2.``, ``1.``; None: there is one at most."""
    lacks_year = False
    sections: list[str] = []
    """Names of the list's sections, if the first one has a name; each may count from 1."""
    for number, (form, level) in enumerate(zip(forms, levels, strict=True)):
        if number and level == main and form.value == 1:
            above = forms[number - 1]
            is_nested = level[1] > 0 and above.kind != UNMARKED and above.indent < form.indent
            is_section = above.section not in {"", *sections} and bool(sections or not last)
            if is_section:
                sections.append(above.section)
            if is_nested or is_section:
                last, falling = 0, None
        if form.year_only and lacks_year:
            uses.append(_Use.YEAR)
            lacks_year = False
        elif cut_off and number == len(forms) - 1:
            uses.append(_Use.TRUNCATED)
        elif not _belongs(form, level, main):
            uses.append(_Use.OTHER)
        elif level == main and form.value is not None and _begins_anew(form.value, last, falling=falling):
            uses.append(_Use.END)
            break
        else:
            uses.append(_Use.RANKS)
            lacks_year = not form.dated
            if level == main and form.value is not None:
                falling = form.value == last - 1 if last and falling is not False else falling
                last = form.value
    return tuple(uses)


def _begins_anew(value: int, last: int, *, falling: bool | None) -> bool:
    """Whether a number begins another list behind *last* (0: none)."""
    if falling and last == 1:
        return True
    counts_down = falling is not False and last == 2
    return value == 1 and last > 1 and not counts_down


def _levels(forms: Sequence[Form]) -> list[_Level]:
    """Distinguish the lines of a list from those nested below them by their indentation."""
    least = min((form.indent for form in forms if form.kind != UNMARKED), default=0)
    return [
        (form.kind, int(form.kind != UNMARKED and form.indent - least >= _NESTED[form.kind]))
        for form in forms
    ]


def _main_level(forms: Sequence[Form], levels: Sequence[_Level]) -> _Level:
    """Return the kind of lines that are the list: the outermost that names titles."""
    known: dict[_Level, int] = {}
    for form, level in zip(forms, levels, strict=True):
        if form.names and not form.prose:
            known[level] = known.get(level, 0) + form.known
    marked = {level: count for level, count in known.items() if level[0] != UNMARKED}
    if not marked:
        return UNMARKED, 0
    outermost = sorted(marked, key=lambda level: (level[1], -level[0]))
    most = max(marked.values())
    main = next(level for level in outermost if 2 * marked[level] >= most)
    unmarked = sum(form.dated for form in forms if form.kind == UNMARKED and not form.prose)
    return (UNMARKED, 0) if unmarked > most else main


def _belongs(form: Form, level: _Level, main: _Level) -> bool:
    """Whether a line is one of the list's."""
    if form.prose and not (form.kind == NUMBERED and level == main and not form.announces):
        return False
    if level == main:
        return form.kind != UNMARKED or form.known
    if main[0] == UNMARKED:
        return form.dated
    attribute = form.attribute and not form.labeled
    return form.kind != UNMARKED and level[1] <= main[1] and form.dated and not attribute
