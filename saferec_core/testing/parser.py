"""The contract of parsers, property by property."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import ClassVar
from unittest import SkipTest

from hypothesis import strategies as st

from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.parser import EventKind, ListParser, ParsedItem, ParsedList
from saferec_core.testing.contract import Contract, check
from saferec_core.testing.titles import AWKWARD_TITLES, TITLES

__all__ = ["ParserContract", "check_parser"]

_TEXTS = st.text(st.sampled_from("AaZz 1920().,;:*-–•#\"'[]{}|<>/&\n\t\\é漢\u202e\x00"), max_size=120)
"""Texts of all that lists are made of, in no sensible order."""


class ParserContract(Contract[ListParser]):
    """Inherit it and say what to make; see :class:`saferec_core.testing.contract.Contract`."""

    examples: ClassVar[int] = 60
    shrinks: ClassVar[bool] = True
    titles: ClassVar[Sequence[Title]] = (*TITLES, *AWKWARD_TITLES)
    """Titles that must survive being written and read."""

    def inputs(self, size: int = len(TITLES)) -> tuple[str]:
        """Return a list of *size* titles as the parser writes it."""
        return (self.make().format([TITLES[n % len(TITLES)] for n in range(size)]),)

    def call(self, component: ListParser, *inputs: str) -> ParsedList:
        """Parse a text."""
        return component(*inputs)

    def _parsed(self, text: str) -> ParsedList:
        parsed = self.answer(self.make(), text)
        if _wrong_form(parsed):
            raise SkipTest("it does not return a parsed list; see test_it_returns_a_parsed_list")
        return parsed  # type: ignore[no-any-return]

    def _everywhere(self, problem_of: Callable[[str, Sequence[ParsedItem]], str | None]) -> None:
        """Try a property of parsed lists on what the parser writes, and on texts of all kinds."""

        def property_of(text: str) -> None:
            problem = problem_of(text, self._parsed(text).items)
            assert problem is None, f"in {text!r} {problem}"

        property_of(*self.inputs())
        property_of(f"Here you are:\n{self.inputs()[0]}\nEnjoy!")
        self.hold(property_of, st.one_of(_TEXTS, self._lists().map(self.make().format)))

    def _lists(self) -> st.SearchStrategy[list[Title]]:
        return st.lists(st.sampled_from(self.titles), min_size=1, max_size=6, unique=True)

    def test_it_returns_a_parsed_list(self) -> None:
        """A ``ParsedList`` of ``ParsedItem``, with events of the known kinds."""
        for text in (*self.inputs(), "", "nothing of the kind"):
            problem = _wrong_form(self.answer(self.make(), text))
            assert problem is None, f"for {text!r} {problem}"

    def test_what_it_writes_it_reads(self) -> None:
        """``parser(parser.format(titles))`` yields the same titles."""

        def property_of(titles: list[Title]) -> None:
            text = self.make().format(titles)
            read = [item.title for item in self._parsed(text).items if item.readable]
            assert read == titles, f"it writes {titles} as {text!r}, but reads {read}"

        self.hold(property_of, self._lists())
        property_of(list(self.titles))

    def test_spans_are_within_the_text(self) -> None:
        """An item's line is a part of the text, and its text ends within the line."""

        def problem_of(text: str, items: Sequence[ParsedItem]) -> str | None:
            for item in items:
                if not 0 <= item.start < item.text_end <= item.end <= len(text):
                    return (
                        f"{item.name!r} has the span {item.start}:{item.text_end}:{item.end}; expected "
                        f"0 <= start < text_end <= end <= {len(text)}"
                    )
            return None

        self._everywhere(problem_of)

    def test_spans_are_in_order_and_do_not_overlap(self) -> None:
        """Each rank has tokens of its own, and rank 1 stands in front."""

        def problem_of(_text: str, items: Sequence[ParsedItem]) -> str | None:
            for before, after in pairwise(items):
                if before.end > after.start:
                    return (
                        f"{before.name!r} ends at {before.end}, but {after.name!r}, the next one, begins at "
                        f"{after.start}"
                    )
            return None

        self._everywhere(problem_of)

    def test_a_span_holds_its_title(self) -> None:
        """The characters of an item's span are those of its title, so that its own tokens are credited."""
        (text,) = self.inputs()
        for item in self._parsed(text).items:
            assert item.name in text[item.start : item.text_end], (
                f"the span of {item.name!r} holds {text[item.start : item.text_end]!r}"
            )

    def test_an_empty_completion_recommends_nothing(self) -> None:
        """Neither does one of nothing but spaces."""
        for text in ("", " \n\n\t "):
            items = self._parsed(text).items
            assert not items, f"in {text!r} it reads {items[0].name!r}"

    def test_an_unfinished_line_is_not_guessed(self) -> None:
        """Of a completion that was cut off it reads the titles in front of the cut, and no others."""
        titles, (text,) = list(TITLES), self.inputs()
        parser = self.make()
        self._parsed(text)
        for cut in range(len(text)):
            items = parser(text[:cut], finished=False).items
            read = [item.title for item in items if item.readable]
            assert read == titles[: len(read)], (
                f"of a list that is cut off it reads {read[-1]}: {text[max(0, cut - 40) : cut]!r}"
            )

    def test_it_takes_any_text(self) -> None:
        """Whatever a policy writes is parsed: no items is an answer, an exception is not."""
        self._parsed(*self.inputs())
        parser = self.make()

        def property_of(text: str, finished: bool) -> None:
            try:
                problem = _wrong_form(parser(text, finished=finished))
            except Exception as error:
                raise AssertionError(f"{text!r}: {type(error).__name__}: {error}") from error
            assert problem is None, f"for {text!r} {problem}"

        self.hold(property_of, st.one_of(_TEXTS, st.text(max_size=60)), st.booleans())

    def test_its_time_is_linear_in_the_text(self) -> None:
        """Sixteen times the text takes about sixteen times the processor time; squared it would be 256."""
        parser = self.make()
        self._parsed(*self.inputs())
        line = self.make().format(TITLES[:1]) + "\n"
        for what, piece in {
            "its own lines": line,
            "words": "word ",
            "brackets": "(",
            "open years": "(19",
            "spaces": " ",
            "quotes": '"',
            "stars": "*",
            "digits": "1",
            "line breaks": "\n",
            "tags": "<a>",
        }.items():
            small = piece * (1500 // len(piece))
            little, much = _seconds(parser, small), _seconds(parser, small * 16)
            ratio = much / max(little, 2e-4)  # less is not measured reliably
            assert ratio < 100, f"sixteen times as many {what} take {ratio:.0f} times as long"


def _seconds(parser: ListParser, text: str) -> float:
    """Return the least processor time of three calls: others who use the processor only add to it."""
    times = []
    for _ in range(3):
        begin = time.process_time()
        parser(text)
        times.append(time.process_time() - begin)
    return min(times)


def _wrong_form(parsed: object) -> str | None:
    """Say what is wrong with the form of an answer, None if nothing is."""
    if not isinstance(parsed, ParsedList):
        return f"it must return a ParsedList, but returned {type(parsed).__name__}"
    for item in parsed.items:
        if not isinstance(item, ParsedItem):
            return f"an item must be a ParsedItem, but is {item!r}"
        if not isinstance(item.name, str) or not isinstance(item.year, int | None):
            return f"an item must have a name and a year or None, but has {item.name!r} and {item.year!r}"
    for event in parsed.events:
        if not isinstance(event.kind, EventKind):
            return f"an event must be of a known kind, but is {event.kind!r}"
    return None


def check_parser(parser: ListParser, titles: Sequence[Title] = ParserContract.titles) -> None:
    """Check a parser against every property of :class:`ParserContract`.

    Args:
        parser: Built as a run would build it.
        titles: Titles that must survive being written and read.

    Raises:
        ContractError: It lists every property that does not hold.
    """
    check(ParserContract, parser, titles=tuple(titles))
