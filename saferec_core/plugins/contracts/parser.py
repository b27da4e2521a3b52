"""What a completion says once it has been parsed: titles with their spans in the text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from saferec_core.data.titles import Title

__all__ = ["EventKind", "ListParser", "ParseEvent", "ParsedItem", "ParsedList"]


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
