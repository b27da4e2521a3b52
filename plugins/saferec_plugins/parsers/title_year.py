"""The parser for lists with one ``Title (Year)`` per line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from saferec_core.data.titles import Title
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.parser import EventKind, ListParser, ParsedItem, ParsedList, ParseEvent
from saferec_plugins.parsers.enumeration import read_marker
from saferec_plugins.parsers.json_entries import may_be_json, read_json_entries, recommends_nothing
from saferec_plugins.parsers.listing import read_list
from saferec_plugins.parsers.naming import Naming, check_completion
from saferec_plugins.parsers.plain_lists import PlainLists
from saferec_plugins.parsers.sections import list_sections

__all__ = ["TitleYearParser"]

_LONGEST_LIST = 100
"""A larger number before a title never belongs to the list."""


@component
class TitleYearParser(ListParser):
    """Reads lists with one ``Title (Year)`` per line, for years from 1800 to 2099.

    Numbers and bullets of all styles, emphasis, quotes, links, tables and remarks after the year are
    accepted. If lines are numbered or bulleted, the others are prose and recommend nothing; neither do
    announcements, refusals, a second list or another speaker's turn. Several titles on a line take a rank
    each, in order; a title that a remark merely mentions takes none, but is judged with its item. Reasoning
    is skipped, and if the text has a ``<solution>``, only that counts.
    """

    year: Literal["required", "complete"] = "required"
    """How to treat a line of the list without a year. ``complete``: it gets the year of the catalog's entry
    if exactly one has its name, else it is a title without a year. ``required``: its rank is unreadable and
    counts as wasted."""
    catalog_path: Path | None = None
    """Catalog that completes years and decides between readings of a line; by default that of the run."""
    reasoning_tags: tuple[str, ...] = ()
    """Further tags whose content is reasoning, such as ``inner_voice`` for ``<inner_voice>``."""

    def __post_init__(self) -> None:
        check_completion(self.year, self.catalog_path)

    def __call__(self, text: str, *, finished: bool = True) -> ParsedList:
        """Parse *text*; see `saferec_core.plugins.contracts.parser.ListParser`."""
        lines = self._plain_lists.read(text)
        if lines is not None:
            return ParsedList.of_lines(lines)
        return self._read_closely(text, finished=finished)

    def _read_closely(self, text: str, *, finished: bool) -> ParsedList:
        """Parse any text, plain lists included."""
        items: list[ParsedItem] = []
        events: list[ParseEvent] = []
        for start, stop in list_sections(text, self.reasoning_tags):
            if may_be_json(text, start, stop):
                if entries := read_json_entries(text, start, stop):
                    items += [self._naming.item(entry.rank) for entry in entries]
                    continue
                if recommends_nothing(text, start, stop):
                    events.append(ParseEvent(EventKind.OTHER_TEXT, start, stop))
                    continue
            listed, noticed = read_list(text, start, stop, finished=finished, naming=self._naming)
            items += listed
            events += noticed
        events += [
            ParseEvent(EventKind.UNREADABLE, item.start, item.end) for item in items if not item.readable
        ]
        return ParsedList(tuple(items), tuple(sorted(events, key=lambda event: event.start)))

    @cached_property
    def _naming(self) -> Naming:
        return Naming.of(self.year, self.catalog_path)

    @cached_property
    def _plain_lists(self) -> PlainLists:
        return PlainLists(self._naming)

    def format(self, titles: Sequence[Title]) -> str:
        """Write *titles* as plain lines; see `saferec_core.plugins.contracts.parser.ListParser`.

        A title that would lose its first characters, such as "1. April", is quoted; so is one that might lose
        them in another list, such as "8: The Mormon Proposition". Titles that contain a line break or a year
        in brackets cannot be written.
        """
        return "\n".join(map(self._written, titles))

    def _written(self, title: Title) -> str:
        line = str(title)
        if title.year is None:
            return line
        marker = read_marker(line, line)
        # Some numbers count from 1 on only, as in "Q: The Winged Serpent", so that a quoted first suffices.
        longest = 1 if marker.style.startswith("strict") else _LONGEST_LIST
        doubtful = marker.style not in {"", "bare"} and (marker.value or 0) <= longest
        if doubtful or [item.title for item in self(line).items] != [title]:
            return f'"{title.name}" ({title.year})'
        return line
