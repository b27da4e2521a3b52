"""What a completion says once it has been parsed: titles with their spans in the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from itertools import chain
from typing import NamedTuple, Self

from saferec_core.data.titles import Title

__all__ = ["EventKind", "ItemColumns", "ParseEvent", "ParsedItem", "ParsedList", "ParsedLists"]


class ParsedItem(NamedTuple):
    """One recommendation, and the line of the completion that it was read from."""

    name: str
    """The title as written, without numbering, bullet, quotes, emphasis, year or remark."""
    year: int | None
    """Year of release; None if neither the completion nor the catalog gives one."""
    start: int
    """Index of the first character of the line."""
    end: int
    """Index after the last character of the line, its line break included."""
    text_end: int
    """Index after the last character of the line that writes anything: what follows, line break and
    trailing spaces, belongs to the list and not to this item."""
    further: tuple[Title, ...] = ()
    """Titles with a year that a remark mentions: not items of their own, but judged with this one."""
    readable: bool = True
    """False for a rank that was written but names no recognizable title; *name* is then its text."""

    @property
    def title(self) -> Title:
        """The item without its span."""
        return Title(self.name, self.year)


_new_item = partial(tuple.__new__, ParsedItem)
"""Makes an item of its fields in a third of the time."""


class EventKind(StrEnum):
    """Something in a completion that a reader of the list would stumble over."""

    SECOND_TITLE = "second-title"
    """A line holds further titles with a year: listed, they take ranks of their own; mentioned in a remark,
    they are judged with the item."""
    UNREADABLE = "unreadable"
    """A line of the list names no recognizable title. It keeps its rank."""
    TRUNCATED = "truncated"
    """The last line breaks off before its year is complete; it is not an item."""
    OTHER_TEXT = "other-text"
    """A line within the list's part of the completion that is not a list entry, such as a greeting."""


class ParseEvent(NamedTuple):
    """One event and the line it happened on."""

    kind: EventKind
    start: int
    end: int


class ItemColumns(NamedTuple):
    """The M items of one or more lists, list after list: a column for each field of `ParsedItem`."""

    name: Sequence[str] = ()
    year: Sequence[int | None] = ()
    start: Sequence[int] = ()
    end: Sequence[int] = ()
    text_end: Sequence[int] = ()
    further: Sequence[tuple[Title, ...]] = ()
    readable: Sequence[bool] = ()


@dataclass(frozen=True, init=False)
class ParsedList:
    """The items of one completion in rank order, and what else was noticed.

    Rewards, metrics and the assignment of tokens to ranks all read this one object, so they cannot
    disagree about which title stands at which rank.
    """

    items: tuple[ParsedItem, ...]
    events: tuple[ParseEvent, ...] = ()

    def __init__(self, items: tuple[ParsedItem, ...], events: tuple[ParseEvent, ...] = ()) -> None:
        """Keep what was read.

        Args:
            items: The items in the order of their lines.
            events: What else was noticed.
        """
        vars(self).update(items=items, events=events)

    @classmethod
    def of_columns(cls, columns: ItemColumns) -> Self:
        """Return a list without events; its items are put together when somebody looks at them."""
        if type(columns) is not ItemColumns:
            raise TypeError(f"expected ItemColumns, but got {type(columns).__name__}")
        parsed = cls.__new__(cls)
        vars(parsed)["columns"] = columns
        return parsed

    @cached_property  # type: ignore[no-redef]  # of the field, for a list that was given as columns
    def items(self) -> tuple[ParsedItem, ...]:
        """The items in rank order."""
        return tuple(map(_new_item, zip(*self.columns, strict=True)))

    @cached_property
    def columns(self) -> ItemColumns:
        """Their fields."""
        return ItemColumns(*zip(*self.items, strict=True))

    def count(self, kind: EventKind) -> int:
        """How often an event of this *kind* happened."""
        return sum(event.kind is kind for event in self.events)


class ParsedLists(tuple[ParsedList, ...]):  # noqa: SLOT001 - columns are kept once they are asked for
    """The lists of a batch, also as columns: to go through them item by item costs more than most rewards."""

    @cached_property
    def items(self) -> Sequence[ParsedItem]:
        """The M items, list after list."""
        return tuple(chain.from_iterable(parsed.items for parsed in self))

    @cached_property
    def columns(self) -> ItemColumns:
        """Their fields."""
        by_field = zip(*(parsed.columns for parsed in self), strict=True)
        return ItemColumns(*(list(chain.from_iterable(of_lists)) for of_lists in by_field))

    @cached_property
    def sizes(self) -> Sequence[int]:
        """How many items each list has (N,)."""
        return [len(parsed.columns.name) for parsed in self]
