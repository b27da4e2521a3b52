"""Intervals, tests and effect sizes, worked out by hand and held to scipy's."""

import math

import numpy as np
import pytest
from scipy import stats

from saferec_core.analysis.estimates import compare_pairs, estimate_means, holm, wilson

NAN = math.nan


def drawing(seed=0):
    return np.random.default_rng(seed)


def estimate(values, users=None, **options):
    """Estimate the mean of one metric; every row has a user of its own if none are given."""
    column = np.asarray(values, dtype=float)[:, None]
    whose = np.arange(len(column)) if users is None else np.asarray(users)
    (estimated,) = estimate_means(column, whose, **{"generator": drawing(), **options})
    return estimated


def compared(first, second, users=None, **options):
    columns = [np.asarray(values, dtype=float)[:, None] for values in (first, second)]
    whose = np.arange(len(first)) if users is None else np.asarray(users)
    (difference,) = compare_pairs(*columns, whose, **{"generator": drawing(), **options})
    return difference


def test_rows_without_a_value_enter_no_mean_and_are_not_counted():
    estimated = estimate([1, NAN, 3, NAN], users=["a", "a", "b", "c"])

    assert estimated.mean == 2
    assert (estimated.rows, estimated.users) == (2, 2)


def test_every_row_weighs_alike_however_many_a_user_has():
    assert estimate([0, 0, 0, 1], users=["a", "a", "a", "b"]).mean == 0.25


def test_no_value_at_all_has_neither_mean_nor_interval():
    estimated = estimate([NAN, NAN])

    assert math.isnan(estimated.mean)
    assert math.isnan(estimated.low)
    assert (estimated.rows, estimated.users, estimated.interval) == (0, 0, "none")


def test_of_one_user_there_is_a_mean_but_no_interval():
    estimated = estimate([1, 2, 3], users=["a", "a", "a"])

    assert estimated.mean == 2
    assert math.isnan(estimated.high)
    assert estimated.interval == "none"


def test_a_share_with_a_row_per_user_gets_the_wilson_interval():
    # 8 of 10, z = 1.96: (0.8 + z^2/20 -+ z sqrt(0.016 + z^2/400)) / (1 + z^2/10)
    estimated = estimate([1] * 8 + [0] * 2, shares=[True])

    assert estimated.interval == "wilson"
    assert (estimated.low, estimated.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_a_share_with_several_rows_per_user_is_as_wide_as_its_users_make_it():
    once = [1, 0, 0, 1, 0, 0, 0, 1, 0, 0] * 10
    estimated = estimate(np.repeat(once, 5), users=np.repeat(np.arange(100), 5), shares=[True])

    by_rows, by_users = wilson(0.3, 500, 0.95), wilson(0.3, 100, 0.95)
    assert estimated.interval == "bootstrap"
    assert estimated.high - estimated.low == pytest.approx(by_users[1] - by_users[0], rel=0.05)
    assert estimated.high - estimated.low > 2 * (by_rows[1] - by_rows[0])


@pytest.mark.parametrize(("value", "bounds"), [(0, (0, 0.2775)), (1, (0.7225, 1))])
def test_rows_that_are_all_0_or_all_1_do_not_rule_out_what_is_rare(value, bounds):
    # 10 users: the bound is z^2 / (10 + z^2) = 3.8415 / 13.8415 off, as if each had one row.
    estimated = estimate([value] * 30, users=np.arange(30) % 10)

    assert estimated.interval == "wilson"
    assert (estimated.low, estimated.high) == pytest.approx(bounds, abs=1e-4)


def test_another_constant_has_an_interval_without_width():
    estimated = estimate([10.0] * 20)

    assert (estimated.low, estimated.high) == (10, 10)


def test_intervals_are_drawn_from_the_generator_alone():
    values = drawing(1).random(50)

    assert estimate(values) == estimate(values)
    assert estimate(values) != estimate(values, generator=drawing(1))


def test_a_metric_has_the_same_interval_whatever_stands_beside_it():
    values = drawing(1).random((60, 3))
    values[:20, 2] = NAN
    together = estimate_means(values, np.arange(60), generator=drawing())

    alone = [estimate(column) for column in values.T]
    assert [estimated.low for estimated in together] == pytest.approx([estimated.low for estimated in alone])
    assert [estimated.high for estimated in together] == pytest.approx(
        [estimated.high for estimated in alone]
    )


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_without_clusters_the_interval_is_that_of_scipy(confidence):
    values = drawing(3).exponential(size=60) ** 2  # skewed, so that the corrections are at work
    estimated = estimate(values, confidence=confidence)

    theirs = stats.bootstrap(
        (values,), np.mean, confidence_level=confidence, n_resamples=10_000, method="BCa", rng=drawing(5)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert (estimated.low, estimated.high) == pytest.approx((theirs.low, theirs.high), abs=0.06 * width)


def test_the_bound_of_what_was_met_once_is_that_of_a_rare_event():
    # The Poisson mean that shows at most 1 with a chance of 5 % is 4.74; the plain percentile is 3.
    estimated = estimate([0.5] + [0.0] * 499, confidence=0.9)

    assert estimated.high == pytest.approx(0.5 * 4.74 / 500, rel=0.2)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    generator, covered, runs = drawing(7), 0, 400
    for _ in range(runs):
        sizes = generator.integers(1, 6, size=60)
        users = np.repeat(np.arange(60), sizes)
        values = generator.normal(size=60)[users] + generator.normal(scale=0.5, size=len(users))
        estimated = estimate(values, users, generator=generator, resamples=1_000)
        covered += estimated.low <= 0 <= estimated.high

    assert 0.93 <= covered / runs <= 0.97


def test_pairs_of_which_one_has_no_value_are_left_out():
    difference = compared([1, NAN, 1, 1], [2, 5, NAN, 4])

    assert difference.mean == 2  # (1 + 3) / 2
    assert (difference.rows, difference.users) == (2, 2)


def test_the_effect_size_is_the_mean_difference_of_users_in_their_standard_deviations():
    # Users differ by 1, 2 and 3 on average: mean 2, standard deviation 1.
    difference = compared([0] * 4, [1, 2, 2, 4], users=["a", "b", "c", "c"])

    assert difference.effect == pytest.approx(2)


def test_a_difference_that_is_the_same_for_every_user_has_no_effect_size():
    difference = compared([0.1, 0.2, 0.3], [0.2, 0.3, 0.4])

    assert math.isnan(difference.effect)
    assert math.isnan(difference.detectable)
    assert (difference.low, difference.high) == pytest.approx((0.1, 0.1))


def test_p_is_the_share_of_sign_patterns_that_reach_as_far():
    # Of three users' 8 patterns, +++ and --- reach the sum: 2 / 8.
    assert compared([0, 0, 0], [1, 1, 1]).p == pytest.approx(0.25, abs=0.02)
    # Sums by user 3, 1, 1: 5 is reached by 2 of 8 patterns, though not by 2 of the 32 of five rows.
    by_user = compared([0] * 5, [1] * 5, users=["a", "a", "a", "b", "c"])
    assert by_user.p == pytest.approx(0.25, abs=0.02)


def test_p_without_any_difference_is_1_and_never_0():
    assert compared([1, 2, 3], [1, 2, 3]).p == 1
    assert compared([0] * 50, [1] * 50, resamples=999).p == 0.001  # (1 + 0) / (1 + 999)


def test_p_agrees_with_the_permutation_test_of_scipy():
    first, second = drawing(1).normal(size=(2, 12))
    second = second + 0.5
    difference = compared(first, second)

    exact = stats.permutation_test(
        (first, second),
        lambda a, b, axis: np.mean(b - a, axis=axis),
        permutation_type="samples",
        vectorized=True,
    )
    assert difference.p == pytest.approx(exact.pvalue, abs=0.015)
    assert 0.01 < difference.p < 0.9


def test_the_detectable_difference_is_that_of_a_paired_t_test():
    # 400 users, standard deviation of the differences 1: (1.960 + 0.842) / sqrt(400), t a little more.
    noise = drawing(2).normal(size=400)
    noise = (noise - noise.mean()) / noise.std(ddof=1)

    assert compared(np.zeros(400), noise).detectable == pytest.approx(2.81 / 20, rel=0.03)


@pytest.mark.parametrize("users", [2, 3, 10, 73, 87, 200, 912, 2001])
def test_a_detectable_difference_is_known_for_every_number_of_users(users):
    values = np.arange(users) % 2 * 2.0 - 1
    difference = compared(np.zeros(users), values, resamples=2_000)

    assert difference.detectable > 2.7 / math.sqrt(users)


def test_a_difference_of_the_detectable_size_is_found_in_four_of_five_samples():
    generator, detected, runs = drawing(4), 0, 300
    size = 2.86 / math.sqrt(50)  # for 50 users with standard deviation 1
    for _ in range(runs):
        noise = generator.normal(size, size=50)
        detected += compared(np.zeros(50), noise, generator=generator, resamples=500).p < 0.05

    assert detected / runs == pytest.approx(0.8, abs=0.06)


def test_one_user_allows_no_test():
    difference = compared([0, 0], [1, 2], users=["a", "a"])

    assert difference.mean == 1.5
    assert math.isnan(difference.p)
    assert math.isnan(difference.low)


def test_holm_multiplies_the_smallest_by_all_and_never_lets_a_later_one_be_smaller():
    # 3 * 0.01, 2 * 0.03, and 0.04, raised to the 0.06 before it.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])


def test_holm_does_not_count_what_has_no_p_value():
    corrected = holm([0.01, NAN, 0.03])

    assert corrected[0] == pytest.approx(0.02)
    assert math.isnan(corrected[1])
    assert corrected[2] == pytest.approx(0.03)
    assert holm([]) == []


def test_resamples_that_meet_no_value_are_left_out():
    estimated = estimate([1.0, 3.0, *[NAN] * 30])

    assert estimated.mean == 2
    assert (estimated.low, estimated.high) == (1, 3)
