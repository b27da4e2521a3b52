"""A parsed list is the same whether it is given as items or as their columns."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from saferec_core.plugins.contracts.parsed_list import (
    EventKind,
    ItemColumns,
    ParsedItem,
    ParsedList,
    ParsedLists,
    ParseEvent,
)

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
