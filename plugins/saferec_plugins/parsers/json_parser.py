"""The parser for lists in JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from saferec_core.data.titles import Title
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.parser import EventKind, ListParser, ParsedItem, ParsedList, ParseEvent
from saferec_plugins.parsers.json_entries import read_json_entries
from saferec_plugins.parsers.naming import Naming, check_completion
from saferec_plugins.parsers.sections import list_sections

__all__ = ["JsonParser"]


@component
class JsonParser(ListParser):
    """Reads a JSON array of titles: strings, objects with ``title`` and perhaps ``year``, or pairs.

    Other keys, such as ``id``, are ignored. The array may be fenced, the value of a key, or embedded in other
    text; the first one counts. A truncated array keeps its complete elements. Reasoning is skipped as by the
    parser ``title-year``.
    """

    year: Literal["required", "complete"] = "required"
    """How to treat an element without a year. ``complete``: it gets the year of the catalog's entry if
    exactly one has its name, else it is a title without a year. ``required``: its rank is unreadable and
    counts as wasted."""
    catalog_path: Path | None = None
    """Catalog that completes years; by default that of the run."""
    reasoning_tags: tuple[str, ...] = ()
    """Further tags whose content is reasoning, such as ``inner_voice`` for ``<inner_voice>``."""

    def __post_init__(self) -> None:
        check_completion(self.year, self.catalog_path)

    def __call__(self, text: str, *, finished: bool = True) -> ParsedList:  # noqa: ARG002 - the contract
        """Parse *text*; see `saferec_core.plugins.contracts.parser.ListParser`."""
        for start, stop in list_sections(text, self.reasoning_tags):
            entries = read_json_entries(text, start, stop)
            if entries:
                break
        else:
            return ParsedList(())
        items: list[ParsedItem] = []
        events: list[ParseEvent] = []
        for entry in entries:
            item = self._naming.item(entry.rank)
            items.append(item)
            if not item.readable:
                events.append(ParseEvent(EventKind.UNREADABLE, entry.start, entry.end))
            elif entry.further:
                events.append(ParseEvent(EventKind.SECOND_TITLE, entry.start, entry.end))
        return ParsedList(tuple(items), tuple(events))

    @cached_property
    def _naming(self) -> Naming:
        return Naming.of(self.year, self.catalog_path)

    def format(self, titles: Sequence[Title]) -> str:
        """Write *titles* as an array of objects, one a line."""
        return "[\n" + ",\n".join(map(_object, titles)) + "\n]" if titles else "[]"


def _object(title: Title) -> str:
    content: dict[str, Any] = {"title": title.name}
    if title.year is not None:
        content["year"] = title.year
    return json.dumps(content, ensure_ascii=False)
