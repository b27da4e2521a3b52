"""What a completion says once it has been parsed: titles with their spans in the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, partial
from itertools import chain, groupby
from typing import TYPE_CHECKING, NamedTuple, Self

from saferec_core.data.titles import Title

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "EventKind",
    "ItemColumns",
    "ParseEvent",
    "ParsedItem",
    "ParsedList",
    "ParsedLists",
    "TitleLine",
]


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
    """The M items of several lists, list after list: a column for each field of `ParsedItem`."""

    name: Sequence[str]
    year: Sequence[int | None]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    text_end: NDArray[np.int64]
    further: Sequence[tuple[Title, ...]]
    readable: Sequence[bool]


class TitleLine(NamedTuple):
    """A line that names one title, wherever in a list it stands."""

    name: str
    """The title as written, as in `ParsedItem`."""
    year: int | None
    length: int
    """Characters up to the last one that writes anything."""
    size: int
    """Characters with the line break."""


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
    def of_lines(cls, lines: Sequence[TitleLine]) -> Self:
        """Return the list that a text of nothing but these lines is, without events.

        This takes a fraction of the time where lines are remembered: items are put together when somebody
        looks at them, and their columns for a whole batch at once.
        """
        parsed = cls.__new__(cls)
        vars(parsed)["_lines"] = tuple(lines)
        return parsed

    @cached_property  # type: ignore[no-redef]  # of the field, for a list that was given as lines
    def items(self) -> tuple[ParsedItem, ...]:
        """The items in rank order."""
        items, start = [], 0
        for name, year, length, size in _lines_of(self) or ():
            items.append(_new_item((name, year, start, start + size, start + length, (), True)))
            start += size
        return tuple(items)

    @property
    def size(self) -> int:
        """How many items there are."""
        lines = _lines_of(self)
        return len(self.items if lines is None else lines)

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
        runs = groupby(self, lambda parsed: _lines_of(parsed) is None)
        parts = [_of_items(run) if of_items else _of_lines(run) for of_items, run in runs]
        return parts[0] if len(parts) == 1 else _joined(parts)

    @cached_property
    def sizes(self) -> Sequence[int]:
        """How many items each list has (N,)."""
        return [parsed.size for parsed in self]


def _lines_of(parsed: ParsedList) -> Sequence[TitleLine] | None:
    """Return what a list was made of by `of_lines`; None if it was made of items."""
    return vars(parsed).get("_lines")


def _of_items(lists: Iterable[ParsedList]) -> ItemColumns:
    from saferec_core.data.integers import int64_array

    items = [item for parsed in lists for item in parsed.items]
    columns = zip(*items, strict=True) if items else ((),) * 7
    names, years, starts, ends, text_ends, further, readable = columns
    start, end, text_end = map(int64_array, (starts, ends, text_ends))
    return ItemColumns(names, years, start, end, text_end, further, readable)


def _of_lines(lists: Iterable[ParsedList]) -> ItemColumns:
    """Return the items of lists that were given as lines; positions in each text begin at 0."""
    import numpy as np

    from saferec_core.data.integers import int64_array

    by_list = [_lines_of(parsed) or () for parsed in lists]
    lines = list(chain.from_iterable(by_list))
    names, years, lengths, sizes = zip(*lines, strict=True) if lines else ((),) * 4
    counts = int64_array(list(map(len, by_list)))
    size_of = int64_array(sizes)
    behind = size_of.cumsum()  # each line, all texts being one behind the other
    before = behind - size_of
    begins = np.repeat(np.append(before, 0)[counts.cumsum() - counts], counts)  # of each line's text
    start, end = before - begins, behind - begins
    none_further, all_readable = ((),) * len(lines), (True,) * len(lines)
    return ItemColumns(names, years, start, end, start + int64_array(lengths), none_further, all_readable)


def _joined(parts: Sequence[ItemColumns]) -> ItemColumns:
    import numpy as np

    if not parts:
        return _of_lines(())
    names, years, starts, ends, text_ends, further, readable = zip(*parts, strict=True)
    return ItemColumns(
        name=list(chain(*names)),
        year=list(chain(*years)),
        start=np.concatenate(starts),
        end=np.concatenate(ends),
        text_end=np.concatenate(text_ends),
        further=list(chain(*further)),
        readable=list(chain(*readable)),
    )
