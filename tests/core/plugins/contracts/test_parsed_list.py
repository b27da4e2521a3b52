"""A parsed list is the same whether it is given as items or as their columns."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from saferec_core.errors import PluginError
from saferec_core.plugins.contracts.parsed_list import (
    EventKind,
    ItemColumns,
    ParsedItem,
    ParsedList,
    ParsedLists,
    ParseEvent,
)
from saferec_core.plugins.contracts.parser import ListParser, parse

HEAT, SAW = ParsedItem("Heat", 1995, 0, 12, 11), ParsedItem("Saw", 2004, 12, 22, 22)
COLUMNS = ItemColumns(
    name=("Heat", "Saw"),
    year=(1995, 2004),
    start=(0, 12),
    end=(12, 22),
    text_end=(11, 22),
    further=((), ()),
    readable=(True, True),
)
EVENT = ParseEvent(EventKind.OTHER_TEXT, 0, 5)


def by_columns():
    return ParsedList.of_columns(COLUMNS)


def test_a_list_of_columns_is_the_list_of_their_items():
    assert by_columns().items == (HEAT, SAW)
    assert {type(item) for item in by_columns().items} == {ParsedItem}
    assert by_columns() == ParsedList((HEAT, SAW))
    assert hash(by_columns()) == hash(ParsedList((HEAT, SAW)))
    assert ParsedList((HEAT, SAW)).columns == COLUMNS


def test_its_items_are_made_when_somebody_looks_at_them():
    parsed = by_columns()

    assert "items" not in vars(parsed)
    assert parsed.items is parsed.items


@pytest.mark.parametrize("look_first", [True, False], ids=["after a look", "before"])
def test_it_reaches_another_process_unchanged(look_first):
    parsed = by_columns()
    if look_first:
        assert parsed.items

    assert pickle.loads(pickle.dumps(parsed)) == ParsedList((HEAT, SAW))  # noqa: S301 - our own bytes


def test_it_cannot_be_changed_but_copied_with_a_change():
    with pytest.raises(AttributeError, match="items"):
        by_columns().items = ()

    assert replace(by_columns(), events=(EVENT,)) == ParsedList((HEAT, SAW), (EVENT,))
    assert by_columns().events == ()


def test_the_columns_of_a_batch_go_on_from_list_to_list_whatever_each_was_given_as():
    batch = ParsedLists([ParsedList((SAW,)), ParsedList(()), by_columns()])

    assert list(batch.columns.name) == ["Saw", "Heat", "Saw"]
    assert list(batch.columns.text_end) == [22, 11, 22]
    assert batch.sizes == [1, 0, 2]
    assert batch.items == (SAW, HEAT, SAW)
    assert ParsedLists([]).columns == ItemColumns()


class Columnar(ListParser):
    """Returns whatever columns it is given."""

    def __init__(self, columns):
        self.columns = columns

    def __call__(self, text, *, finished=True):
        return ParsedList.of_columns(self.columns)

    def format(self, titles):
        return "\n".join(map(str, titles))


def test_a_parser_may_return_columns_and_they_are_checked_like_items():
    text = "Heat (1995)\nSaw (2004)"

    assert parse(Columnar(COLUMNS), text).items == (HEAT, SAW)
    with pytest.raises(PluginError, match=r"'Columnar', item 2: its span must be"):
        parse(Columnar(COLUMNS._replace(end=(12, 99))), text)


@pytest.mark.parametrize(
    ("columns", "problem"),
    [(ItemColumns(name=("Saw",)), "put the items of columns together"), (("Saw",), "expected ItemColumns")],
    ids=["of other lengths", "of another class"],
)
def test_columns_that_make_no_items_are_the_parsers_failure(columns, problem):
    with pytest.raises(PluginError, match=f"'Columnar' failed.*{problem}"):
        parse(Columnar(columns), "Saw (2004)")
