"""The contract of transforms: built-in ones hold it, and each property alone finds who breaks it."""

import math

import pytest

from saferec_core import load_plugins
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.transform import Counted, Rejected, Removed, Surveying, Transform
from saferec_core.testing import ROWS, TransformContract, check_transform
from saferec_core.testing.contract import failures_of
from tests.core.testing.kinds import only, own_properties


class Sound(Transform):
    """Marks each row with the length of its prompt, and leaves out what is marked as spam."""

    columns = ("prompt",)

    def __call__(self, rows):
        for row in rows:
            if row.get("spam"):
                yield Removed(row, "spam", {"spam": True})
                continue
            yield Counted("words", len(row["prompt"][0]["content"].split()))
            yield {**row, "turns": len(row["prompt"])}


class Raises(Sound):
    def __call__(self, rows):
        raise ArithmeticError


class YieldsTitles(Sound):
    def __call__(self, rows):
        for row in rows:
            yield row["groundtruth_with_release_year"]


class YieldsNothing(Sound):
    def __call__(self, rows):
        for row in rows:
            yield Removed(row, "none is good enough")


class HoldsASet(Sound):
    def __call__(self, rows):
        for row in rows:
            yield {**row, "kinds": {"film"}}


class HoldsNaN(Sound):
    def __call__(self, rows):
        for row in rows:
            yield {**row, "score": math.nan}


class LosesRows(Sound):
    def __call__(self, rows):
        for row in rows:
            if row.get("constraints"):
                yield row


class Numbers(Sound):
    def __call__(self, rows):
        for number, row in enumerate(rows):
            yield {**row, "number": number}


class StopsEarly(Sound):
    """Ends at a row that is marked, and yields what is left as one."""

    def __call__(self, rows):
        for row in rows:
            yield row
            if row["id"] == "last":
                return


class Collects(Sound):
    def __call__(self, rows):
        yield from list(rows)


class OutOfNothing(Sound):
    def __call__(self, rows):
        empty = True
        for row in rows:
            empty = False
            yield row
        if empty:
            yield {"id": "filler"}


class RejectsACopy(Sound):
    def __call__(self, rows):
        for row in rows:
            yield Rejected(dict(row), "no title") if row.get("constraints") else row


class ReadsAColumn(Sound):
    columns = ()


class Surveys(Surveying):
    """Marks each row with the number of all rows."""

    def survey(self, rows):
        return Marks(len(list(rows)))


class Marks(Transform):
    def __init__(self, number):
        self.number = number

    def __call__(self, rows):
        for row in rows:
            yield {**row, "of": self.number}


LAST = (*ROWS[:3], {**ROWS[3], "id": "last"}, *ROWS[4:])

BROKEN = {
    "test_it_answers": (Raises(),),
    "test_it_yields_outcomes": (YieldsTitles(),),
    "test_something_comes_out": (YieldsNothing(),),
    "test_what_comes_out_can_be_written_as_json": (HoldsASet(), HoldsNaN()),
    "test_no_row_vanishes_without_a_reason": (LosesRows(),),
    "test_rows_are_transformed_by_themselves": (Numbers(),),
    "test_it_does_not_wait_for_the_last_row": (Collects(),),
    "test_no_rows_give_no_rows": (OutOfNothing(),),
    "test_a_rejected_row_is_the_row_that_was_given": (RejectsACopy(),),
    "test_it_declares_its_columns": (ReadsAColumn(),),
}
CASES = [
    pytest.param(name, broken, id=type(broken).__name__) for name, all_ in BROKEN.items() for broken in all_
]


@pytest.mark.parametrize("name", ["filter-samples", "split", "to-dataset"])
def test_built_in_transforms_hold_their_contract(name):
    check_transform(build(load_plugins().transforms.get(name), {}))


def test_sound_transforms_hold_every_property():
    assert failures_of(TransformContract, Sound()) == failures_of(TransformContract, Surveys()) == {}
    spam = [*ROWS, {**ROWS[0], "spam": True}]
    assert failures_of(TransformContract, Sound(), rows=spam) == {}


@pytest.mark.parametrize(("name", "broken"), CASES)
def test_each_property_alone_finds_who_breaks_it(name, broken):
    assert only(TransformContract, broken) == name


def test_a_transform_that_stops_before_the_last_row_is_found():
    name = "test_it_reads_all_of_its_rows"

    assert failures_of(TransformContract, StopsEarly(), rows=LAST)[name] == (
        "it stops before it has read all rows: 2 of 6 are left"
    )


def test_every_property_has_a_transform_that_breaks_it():
    assert set(own_properties(TransformContract)) - BROKEN.keys() == {"test_it_reads_all_of_its_rows"}
