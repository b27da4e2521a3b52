import numpy as np
import pytest
from scipy.stats import bootstrap

from saferec_core.analysis.bootstrap import bca_bounds, bootstrap_means, grouped


def test_bounds_over_users_with_several_rows_are_those_of_scipys_paired_bootstrap_over_their_sums():
    draw = np.random.default_rng(5)
    users = np.repeat(np.arange(60), draw.integers(1, 6, 60))
    values = draw.exponential(size=(len(users), 1)) + draw.normal(size=60)[users][:, None]
    values[draw.random(len(users)) < 0.2] = np.nan  # some rows have no value
    by_user = grouped(values, users)
    low, high = bca_bounds(by_user, bootstrap_means(by_user, draw, 20_000), 0, 0.95)

    def mean(sums, counts, axis=-1):
        return sums.sum(axis) / counts.sum(axis)

    sides = (by_user.sums[:, 0], by_user.counts[:, 0])
    expected = bootstrap(
        sides, mean, paired=True, n_resamples=20_000, method="BCa", rng=draw
    ).confidence_interval
    width = expected.high - expected.low
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.04 * width)
