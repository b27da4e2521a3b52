"""A parsed list is the same whether it is given as items or as lines."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from saferec_core.errors import PluginError
from saferec_core.plugins.contracts.parsed_list import (
    EventKind,
    ParsedItem,
    ParsedList,
    ParsedLists,
    ParseEvent,
    TitleLine,
)
from saferec_core.plugins.contracts.parser import ListParser, parse

HEAT, SAW = ParsedItem("Heat", 1995, 0, 12, 11), ParsedItem("Saw", 2004, 12, 22, 22)
LINES = (TitleLine("Heat", 1995, 11, 12), TitleLine("Saw", 2004, 10, 10))
EVENT = ParseEvent(EventKind.OTHER_TEXT, 0, 5)


def by_lines():
    return ParsedList.of_lines(LINES)


def test_a_list_of_lines_is_the_list_of_their_items():
    assert by_lines().items == (HEAT, SAW)
    assert {type(item) for item in by_lines().items} == {ParsedItem}
    assert by_lines() == ParsedList((HEAT, SAW))
    assert hash(by_lines()) == hash(ParsedList((HEAT, SAW)))
    assert by_lines().size == ParsedList((HEAT, SAW)).size == 2


def test_its_items_are_made_when_somebody_looks_at_them():
    parsed = by_lines()

    assert "items" not in vars(parsed)
    assert parsed.items is parsed.items


@pytest.mark.parametrize("look_first", [True, False], ids=["after a look", "before"])
def test_it_reaches_another_process_unchanged(look_first):
    parsed = by_lines()
    if look_first:
        assert parsed.items

    assert pickle.loads(pickle.dumps(parsed)) == ParsedList((HEAT, SAW))  # noqa: S301 - our own bytes


def test_it_cannot_be_changed_but_copied_with_a_change():
    with pytest.raises(AttributeError, match="items"):
        by_lines().items = ()

    assert replace(by_lines(), events=(EVENT,)) == ParsedList((HEAT, SAW), (EVENT,))
    assert by_lines().events == ()


@pytest.mark.parametrize(
    "batch",
    [
        ParsedLists([ParsedList((SAW._replace(start=0, end=10, text_end=10),)), ParsedList(()), by_lines()]),
        ParsedLists([ParsedList.of_lines(LINES[1:]), ParsedList.of_lines(()), by_lines()]),
        ParsedLists([ParsedList.of_lines(LINES[1:]), ParsedList(()), ParsedList((HEAT, SAW))]),
    ],
    ids=["items first", "lines", "lines first"],
)
def test_the_columns_of_a_batch_go_on_from_list_to_list_whatever_each_was_given_as(batch):
    columns = batch.columns

    assert list(columns.name) == ["Saw", "Heat", "Saw"]
    assert list(columns.year) == [2004, 1995, 2004]
    assert columns.start.tolist() == [0, 0, 12]
    assert columns.end.tolist() == [10, 12, 22]
    assert columns.text_end.tolist() == [10, 11, 22]
    assert batch.sizes == [1, 0, 2]
    assert [item.name for item in batch.items] == ["Saw", "Heat", "Saw"]


def test_a_batch_without_lists_has_columns_without_entries():
    assert list(map(len, ParsedLists([]).columns)) == [0] * 7


class ByLines(ListParser):
    """Returns whatever lines it is given."""

    def __init__(self, lines):
        self.lines = lines

    def __call__(self, text, *, finished=True):
        return ParsedList.of_lines(self.lines)

    def format(self, titles):
        return "\n".join(map(str, titles))


def test_a_parser_may_return_lines_and_they_are_checked_like_items():
    text = "Heat (1995)\nSaw (2004)"

    assert parse(ByLines(LINES), text).items == (HEAT, SAW)
    with pytest.raises(PluginError, match=r"'ByLines', item 2: its span must be"):
        parse(ByLines([LINES[0], LINES[1]._replace(size=99)]), text)


@pytest.mark.parametrize("lines", [[("Saw",)], 7], ids=["of other lengths", "no lines"])
def test_lines_that_make_no_items_are_the_parsers_failure(lines):
    with pytest.raises(PluginError, match="'ByLines' failed"):
        parse(ByLines(lines), "Saw (2004)")
