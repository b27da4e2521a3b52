"""Which lines of a completion are its list, and which titles its ranks name.

If lines are numbered or bulleted, the other lines are prose. Otherwise every line that names a title with its
year belongs to the list, which is how saferec writes its own targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.parser import EventKind, ParsedItem, ParseEvent
from saferec_plugins.parsers.enumeration import accepted_markers
from saferec_plugins.parsers.line_uses import Use, uses_of
from saferec_plugins.parsers.naming import Naming
from saferec_plugins.parsers.readings import (
    BULLETED,
    NUMBERED,
    Rank,
    Reading,
    WrittenLine,
    written_lines,
)
from saferec_plugins.parsers.tables import Columns, is_rule, read_row
from saferec_plugins.parsers.years import broken_year

__all__ = ["read_list"]


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
    items: list[ParsedItem] = []
    events: list[ParseEvent] = []
    open_rank = Rank(0, 0, 0)
    """The last rank without a year, which may follow on a line of its own."""
    for use, reading, origin, begin in zip(uses_of(forms, cut_off), readings, origins, starts, strict=False):
        if use is Use.RANKS:
            for rank in reading.ranks:
                items.append(naming.item(rank, origin, None if rank.start else begin))
            open_rank = rank
            if len(reading.ranks) > 1 or items[-1].further:
                events.append(ParseEvent(EventKind.SECOND_TITLE, begin, origin + reading.line.size))
        elif use is Use.YEAR:
            names = (name for name in open_rank.bare if isinstance(name, str))
            dated = replace(
                open_rank,
                readings=[Title(name, reading.year_only) for name in names],
                end=reading.line.size,
                text_end=reading.line.length,
            )
            items[-1] = naming.item(dated, origin, items[-1].start)
        elif use is Use.END:
            events.append(ParseEvent(EventKind.OTHER_TEXT, begin, stop))
        else:
            kind = EventKind.OTHER_TEXT if use is Use.OTHER else EventKind.TRUNCATED
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
