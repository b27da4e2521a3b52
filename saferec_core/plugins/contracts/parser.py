"""What a completion says once it has been parsed: titles with their spans in the text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import le, lt
from typing import Any, NamedTuple

from saferec_core.data.titles import Title
from saferec_core.errors import PluginError
from saferec_core.plugins.calls import calling, named, undisturbed

__all__ = ["EventKind", "ListParser", "ParseEvent", "ParsedItem", "ParsedList", "parse", "parse_all"]


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


@dataclass(frozen=True, slots=True)
class ParsedList:
    """The items of one completion in rank order, and what else was noticed.

    Rewards, metrics and the assignment of tokens to ranks all read this one object, so they cannot
    disagree about which title stands at which rank.
    """

    items: tuple[ParsedItem, ...]
    events: tuple[ParseEvent, ...] = ()

    def count(self, kind: EventKind) -> int:
        """How often an event of this *kind* happened."""
        return sum(event.kind is kind for event in self.events)


class ListParser(ABC):
    """Reads the recommended titles out of a completion, and writes lists that it can read."""

    @abstractmethod
    def __call__(self, text: str, *, finished: bool = True) -> ParsedList:
        """Parse *text* in time linear in its length.

        Args:
            text: The completion as decoded, special tokens left out.
            finished: Whether the policy ended the completion itself. If not, the last line may be
                incomplete.

        Returns:
            The items in the order of their lines. Spans do not overlap and are indices into *text*.
        """

    @abstractmethod
    def format(self, titles: Sequence[Title]) -> str:
        """Write *titles* the way this parser reads them, for prompts and training targets.

        ``parser(parser.format(titles))`` yields the same titles.
        """


def parse(parser: ListParser, text: str, *, finished: bool = True) -> ParsedList:
    """Have *parser* read one completion; see :func:`parse_all`."""
    (parsed,) = parse_all(parser, [text], [finished])
    return parsed


def parse_all(parser: ListParser, texts: Sequence[str], finished: Sequence[bool]) -> list[ParsedList]:
    """Have *parser* read completions, and check what it returns.

    Which titles repeat an earlier one is worked out from the items; a parser does not report it.

    Args:
        parser: The parser.
        texts: The completions as decoded.
        finished: Of each, whether the policy ended it itself.

    Raises:
        PluginError: The parser failed, or an item's span is empty, reversed, outside of the text, or not
            behind that of the item before: its reward would be credited to other tokens.
    """
    what = named("parser", parser)
    with calling(what), undisturbed(what):
        lists = [parser(text, finished=ended) for text, ended in zip(texts, finished, strict=True)]
    return [_checked(what, parsed, len(text)) for parsed, text in zip(lists, texts, strict=True)]


def _checked(what: str, parsed: ParsedList, length: int) -> ParsedList:
    """Return what a parser returned for a text of some length, if it is sound."""
    if type(parsed) is not ParsedList:  # of a class of its own it may say something else each time
        raise PluginError(f"{what} must return a ParsedList, but returned {type(parsed).__name__}")
    for name, kept in (("items", parsed.items), ("events", parsed.events)):
        if not isinstance(kept, tuple | list):  # a generator could be read only once
            raise PluginError(f"{what}: {name} must be a tuple, but is {type(kept).__name__}")
    if type(parsed.items) is not tuple or type(parsed.events) is not tuple:
        parsed = ParsedList(tuple(parsed.items), tuple(parsed.events))  # the parser may still hold its lists
    if strange := [event for event in parsed.events if not isinstance(event, ParseEvent)]:
        raise PluginError(f"{what}: events must hold ParseEvents, but holds {strange[0]!r:.200}")
    if not _are_plain(parsed.items, length):
        last = 0
        for number, item in enumerate(parsed.items, start=1):
            if fault := _fault_of_titles(item) or _fault(item, last, length):
                raise PluginError(f"{what}, item {number}: {fault}")
            last = item.end
    return parsed


_LAST_YEAR = 9999


def _are_plain(items: Sequence[Any], length: int) -> bool:
    """Whether items are certainly sound, as nearly all are; those with further titles need a closer look.

    Checked column by column, because item by item costs more than most rewards.
    """
    if not {*map(type, items)} <= {ParsedItem}:
        return False
    names, years, starts, ends, text_ends, further, _ = zip(*items, strict=True) if items else [()] * 7
    return (
        {*map(type, names)} <= {str}
        and _is_text("".join(names))
        and {*map(type, years)} <= {int, type(None)}
        and all(0 <= year <= _LAST_YEAR for year in {*years} - {None})
        and {*map(type, further)} <= {tuple}
        and not any(further)
        and {*map(type, (*starts, *ends, *text_ends))} <= {int}
        and all(map(le, (0, *ends), (*starts, length)))
        and all(map(lt, starts, text_ends))
        and all(map(le, text_ends, ends))
    )


def _is_text(name: str) -> bool:
    """Whether a name holds whole characters only: half of a pair cannot be written."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fault_of_titles(item: object) -> str:
    """Say what is wrong with the names of an item; nothing if it is sound."""
    if type(item) is not ParsedItem:
        return f"expected a ParsedItem, but got {type(item).__name__}"
    if type(item.name) is not str or not (item.year is None or type(item.year) is int):
        return f"expected a name and a year or None, but got {item.name!r} and {item.year!r}"
    if item.year is not None and not 0 <= item.year <= _LAST_YEAR:
        return f"the year must lie in 0..{_LAST_YEAR}, but is {item.year}"
    if not _is_text(item.name):
        return f"the name must be text, but {item.name!r} holds half of a character"
    if not isinstance(item.further, tuple | list) or not all(
        isinstance(each, Title) for each in item.further
    ):
        return f"further must hold Titles, but is {item.further!r:.200}"
    return ""


def _fault(item: ParsedItem, last: int, length: int) -> str:
    """Say what is wrong with the span of an item after one that ends at *last*; nothing if it is sound."""
    if not all(type(index) is int for index in (item.start, item.text_end, item.end)):
        span = f"{item.start!r}, {item.text_end!r}, {item.end!r}"
        return f"start, text_end and end must be integers, but are {span}"
    if not 0 <= item.start < item.text_end <= item.end <= length:
        return (
            f"its span must be 0 <= start < text_end <= end <= {length}, the length of the text, but is "
            f"{item.start}, {item.text_end}, {item.end} ({item.name!r})"
        )
    if item.start < last:
        return f"it begins at {item.start}, before the end of the item before, {last} ({item.name!r})"
    return ""
