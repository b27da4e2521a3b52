"""Numbers as a reader wants them."""

import math

import pytest

from saferec_core.analysis.number_format import figures, interval, p_value


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ((0.012, 0.004, 0.02), ["0.012", "0.004", "0.020"]),
        ((12.34, 11.8, 12.8), ["12.3", "11.8", "12.8"]),
        ((250.4, 180, 320), ["250", "180", "320"]),
        ((0.0123,), ["0.012"]),
        ((0.0,), ["0"]),
        ((10.0, 10.0), ["10", "10"]),
        ((math.nan, 0.5), ["no value", "0.50"]),
        ((-0.0001, 0.2), ["0.00", "0.20"]),
    ],
)
def test_numbers_share_the_decimals_that_their_distance_bears_out(numbers, shown):
    assert figures(*numbers) == shown


def test_decimals_can_be_those_of_other_numbers():
    assert figures(0.5, 0.25, like=(0.01, 0.012)) == ["0.5000", "0.2500"]


def test_an_interval_stands_behind_its_mean_where_there_is_one():
    assert interval(0.012, 0.004, 0.02) == "0.012 [0.004, 0.020]"
    assert interval(0.012, 0.004, 0.02, sign="+") == "+0.012 [+0.004, +0.020]"
    assert interval(0.5, math.nan, math.nan) == "0.50"


def test_p_values_have_three_decimals():
    assert [p_value(p) for p in (0.0004, 0.04, 1, math.nan)] == ["<0.001", "0.040", "1.000", "no value"]
