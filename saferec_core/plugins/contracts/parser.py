"""How lists are read from completions and written into targets, and what makes a reading sound."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from operator import le, lt

from saferec_core.data.titles import Title
from saferec_core.errors import PluginError
from saferec_core.plugins.calls import calling, named, undisturbed
from saferec_core.plugins.contracts.parsed_list import (
    EventKind,
    ItemColumns,
    ParsedItem,
    ParsedList,
    ParsedLists,
    ParseEvent,
    TitleLine,
)
from saferec_core.plugins.last_words import is_built_in

__all__ = [
    "EventKind",
    "ItemColumns",
    "ListParser",
    "ParseEvent",
    "ParsedItem",
    "ParsedList",
    "ParsedLists",
    "TitleLine",
    "parse",
    "parse_all",
]


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


def parse_all(parser: ListParser, texts: Sequence[str], finished: Sequence[bool]) -> ParsedLists:
    """Have *parser* read completions, and check what it returns.

    Which titles repeat an earlier one is worked out from the items; a parser does not report it. What a
    parser of saferec itself returns is not checked but for names that are no text; it is tested.

    Args:
        parser: The parser.
        texts: The completions as decoded.
        finished: Of each, whether the policy ended it itself.

    Raises:
        PluginError: The parser failed, or an item's span is empty, reversed, outside of the text, or not
            behind that of the item before: its reward would be credited to other tokens.
    """
    what = named("parser", parser)
    with undisturbed(what), calling(what):
        lists = [parser(text, finished=ended) for text, ended in zip(texts, finished, strict=True)]
    if is_built_in(what):
        batch = ParsedLists(lists)
        if _is_text("".join(batch.columns.name)):  # as a policy may write half of a character
            return batch
    with calling(what, doing=" to put the items of lines together"):  # once a batch: it arms a timer
        _ = [parsed.items for parsed in lists if type(parsed) is ParsedList]
    sound = ParsedLists(_in_shape(what, parsed, len(text)) for parsed, text in zip(lists, texts, strict=True))
    if not _are_plain(sound, texts):
        for parsed, text in zip(sound, texts, strict=True):
            _check_items(what, parsed.items, len(text))
    return sound


def _in_shape(what: str, parsed: object, length: int) -> ParsedList:
    """Return what a parser returned, if it is a parsed list whatever its items are, as a tuple of them."""
    if type(parsed) is not ParsedList:  # of a class of its own it may say something else each time
        raise PluginError(f"{what} must return a ParsedList, but returned {type(parsed).__name__}")
    for name, kept in (("items", parsed.items), ("events", parsed.events)):
        if not isinstance(kept, tuple | list):  # a generator could be read only once
            raise PluginError(f"{what}: {name} must be a tuple, but is {type(kept).__name__}")
    parsed = ParsedList(
        tuple(parsed.items), tuple(parsed.events)
    )  # the parser may still hold lists and lines
    for event in parsed.events:
        if not _is_event(event, length):
            raise PluginError(
                f"{what}: events must hold ParseEvents, each of an EventKind and a span within the "
                f"{length} characters of the text, but holds {event!r:.200}"
            )
    return parsed


def _is_event(event: object, length: int) -> bool:
    if type(event) is not ParseEvent or type(event.kind) is not EventKind:
        return False
    return type(event.start) is int and type(event.end) is int and 0 <= event.start <= event.end <= length


def _check_items(what: str, items: Sequence[ParsedItem], length: int) -> None:
    """Refuse items that are not sound, for a text of some length."""
    last = 0
    for number, item in enumerate(items, start=1):
        if fault := _fault_of_titles(item) or _fault(item, last, length):
            raise PluginError(f"{what}, item {number}: {fault}")
        last = item.end


_LAST_YEAR = 9999


def _are_plain(lists: ParsedLists, texts: Sequence[str]) -> bool:
    """Whether items are certainly sound, as nearly all are; those with further titles need a closer look."""
    if not {*map(type, lists.items)} <= {ParsedItem}:
        return False
    if not lists.items:
        return True
    names, years, starts, ends, text_ends, further, _ = zip(*lists.items, strict=True)
    return (
        {*map(type, names)} <= {str}
        and _is_text("".join(names))
        and {*map(type, years)} <= {int, type(None)}
        and all(year is None or 0 <= year <= _LAST_YEAR for year in {*years})
        and {*map(type, further)} <= {tuple}
        and not any(further)
        and {*map(type, (*starts, *ends, *text_ends))} <= {int}
        and _are_in_order(lists.sizes, starts, ends, texts)
        and all(map(lt, starts, text_ends))
        and all(map(le, text_ends, ends))
    )


def _are_in_order(
    sizes: Sequence[int], starts: Sequence[int], ends: Sequence[int], texts: Sequence[str]
) -> bool:
    """Whether each item begins behind that before it, and the last of each list ends within its text."""
    before = [0, *ends]
    first = 0
    for size, text in zip(sizes, texts, strict=True):
        last = first + size
        if size and before[last] > len(text):
            return False
        before[first] = 0
        first = last
    return all(map(le, before, starts))


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
