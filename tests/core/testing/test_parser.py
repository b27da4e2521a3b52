"""The contract of parsers: the built-in ones hold it, and each property alone finds who breaks it."""

import re
from dataclasses import replace

import pytest

from saferec_core import load_plugins
from saferec_core.data.titles import Title
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.parser import ListParser, ParsedItem, ParsedList, ParseEvent
from saferec_core.testing import ParserContract, check_parser
from saferec_core.testing.contract import failures_of
from tests.core.testing.kinds import only, own_properties


@pytest.mark.parametrize("entry", list(load_plugins().parsers), ids=lambda entry: entry.name)
def test_every_built_in_parser_holds_its_contract(entry):
    check_parser(build(entry, {}))


LINE = re.compile(r"^(.*\S) ~ (\d{4})$", re.MULTILINE)


class Sound(ListParser):
    """Reads lines such as ``Heat ~ 1995``."""

    def __call__(self, text, *, finished=True):
        items, start = [], 0
        for line in text.splitlines(keepends=True):
            match = LINE.match(line.rstrip("\n"))
            if match and not (not finished and start + len(line) == len(text) and line[-1:] != "\n"):
                end = start + len(line)
                items.append(ParsedItem(match[1], int(match[2]), start, end, end - line.endswith("\n")))
            start += len(line)
        return ParsedList(tuple(items))

    def format(self, titles):
        return "".join(f"{title.name} ~ {title.year}\n" for title in titles)


class Changing(Sound):
    """Changes what a sound parser reads."""

    def __call__(self, text, *, finished=True):
        return replace(
            read := super().__call__(text, finished=finished), items=self.changed(text, read.items)
        )


class Raises(Sound):
    def __call__(self, text, *, finished=True):
        raise IndexError


class ReturnsTitles(Sound):
    def __call__(self, text, *, finished=True):
        return [item.title for item in super().__call__(text).items]


class InventsEvents(Sound):
    def __call__(self, text, *, finished=True):
        return replace(super().__call__(text, finished=finished), events=(ParseEvent("odd", 0, 0),))


class Shouts(Sound):
    def format(self, titles):
        return super().format([Title(title.name.replace("é", "e"), title.year) for title in titles])


class BeyondTheText(Changing):
    def changed(self, text, items):
        return (*items[:-1], *(item._replace(end=len(text) + 1) for item in items[-1:]))


class Inverted(Changing):
    def changed(self, text, items):
        return tuple(item._replace(text_end=item.end + 1) for item in items)


class Overlapping(Changing):
    def changed(self, text, items):
        return tuple(item._replace(start=max(0, item.start - 1)) for item in items)


class CreditsOneCharacter(Changing):
    def changed(self, text, items):
        return tuple(item._replace(text_end=item.start + 1) for item in items)


class FindsSomethingInNothing(Sound):
    def __call__(self, text, *, finished=True):
        if text.isspace():
            return ParsedList((ParsedItem("", None, 0, len(text), 1),))
        return super().__call__(text, finished=finished)


class GuessesTheYear(Sound):
    def __call__(self, text, *, finished=True):
        cut = re.search(r"~ (\d\d)\Z", text)
        return super().__call__(f"{text}00\n" if cut and not finished else text)


class TripsOverATab(Sound):
    def __call__(self, text, *, finished=True):
        if "\t" in text and not finished:
            raise ValueError("a tab")
        return super().__call__(text, finished=finished)


class LooksBack(Sound):
    """Searches all of the text again at every bracket."""

    def __call__(self, text, *, finished=True):
        for _ in range(text.count("(")):
            text.count("no")
        return super().__call__(text, finished=finished)


BROKEN = {
    "test_it_answers": (Raises(),),
    "test_it_returns_a_parsed_list": (ReturnsTitles(), InventsEvents()),
    "test_what_it_writes_it_reads": (Shouts(),),
    "test_spans_are_within_the_text": (BeyondTheText(), Inverted()),
    "test_spans_are_in_order_and_do_not_overlap": (Overlapping(),),
    "test_a_span_holds_its_title": (CreditsOneCharacter(),),
    "test_an_empty_completion_recommends_nothing": (FindsSomethingInNothing(),),
    "test_an_unfinished_line_is_not_guessed": (GuessesTheYear(),),
    "test_it_takes_any_text": (TripsOverATab(),),
    "test_its_time_is_linear_in_the_text": (LooksBack(),),
}
CASES = [
    pytest.param(name, broken, id=type(broken).__name__) for name, all_ in BROKEN.items() for broken in all_
]


def test_a_sound_parser_holds_every_property():
    assert failures_of(ParserContract, Sound()) == {}


@pytest.mark.parametrize(("name", "broken"), CASES)
def test_each_property_alone_finds_who_breaks_it(name, broken):
    assert only(ParserContract, broken) == name


def test_every_property_has_a_parser_that_breaks_it():
    assert set(own_properties(ParserContract)) == BROKEN.keys() - {"test_it_answers"}
