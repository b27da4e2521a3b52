"""Resampling of means: bootstrap and sign flips over users, all metrics at once.

``scipy.stats.bootstrap(..., paired=True)`` over the users' sums and counts of rows gives the same intervals:
the mean over all rows is the ratio of the two totals, and a resample draws users. The tests compare with it,
and the sign flips with ``scipy.stats.permutation_test``. This module is kept because it is
several times faster for the metrics of an evaluation together (`benchmarks/resampling.py`): a resample of
all of them is one row of a matrix product, so that a further metric costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

__all__ = ["RESAMPLES", "Floats", "Grouped", "bca_bounds", "bootstrap_means", "grouped", "sign_flips"]

Floats = npt.NDArray[np.float64]

RESAMPLES = 10_000
"""Resamples of a bootstrap, and sign flips of a permutation test."""

_CELLS = 1 << 19  # of the matrix of weights that is made at a time: 4 MB


@dataclass(frozen=True)
class Grouped:
    """M metrics summed up by the U groups of rows."""

    sums: Floats
    """Sum of the values, (U, M)."""
    counts: Floats
    """Rows with a value, (U, M)."""

    def means(self) -> Floats:
        """Return the mean over all rows, (M,)."""
        return _ratio(self.sums.sum(axis=0), self.counts.sum(axis=0))

    def group_means(self) -> Floats:
        """Return the mean of each group, (U, M)."""
        return _ratio(self.sums, self.counts)


def grouped(values: Floats, groups: npt.NDArray[Any]) -> Grouped:
    """Sum rows (N, M) up by group (N,); groups are sorted."""
    names, codes = np.unique(groups, return_inverse=True)
    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)

    def by_group(columns: npt.NDArray[Any]) -> Floats:
        summed = [np.bincount(codes, weights=column, minlength=len(names)) for column in columns.T]
        return np.stack(summed, axis=1) if summed else np.zeros((len(names), 0))

    return Grouped(by_group(filled), by_group(present))


def bootstrap_means(by_user: Grouped, generator: np.random.Generator, resamples: int = RESAMPLES) -> Floats:
    """Draw as many users as there are, with replacement, and average all their rows; (resamples, M).

    A mean is a ratio of sums, so that a user with more rows weighs more, as in the mean itself. NaN where
    a resample met no value.
    """
    users = len(by_user.sums)
    if not users:
        return np.full((resamples, by_user.sums.shape[1]), np.nan)
    # Metrics without a value in the same rows share their counts: they are multiplied once.
    counts, positions = np.unique(by_user.counts, axis=1, return_inverse=True)

    def means(number: int) -> Floats:
        drawn = generator.integers(0, users, (number, users), dtype=np.uint32)
        cells = (drawn + np.arange(number)[:, None] * users).ravel()
        weights = np.bincount(cells, minlength=number * users).reshape(number, users).astype(float)
        return _ratio(weights @ by_user.sums, (weights @ counts)[:, positions.ravel()])

    return np.concatenate(list(_in_chunks(means, resamples, users)))


def bca_bounds(by_user: Grouped, drawn: Floats, m: int, confidence: float) -> tuple[float, float]:
    """Return the bias-corrected and accelerated bounds; the jackknife leaves out a user at a time."""
    sums, counts = by_user.sums[:, m], by_user.counts[:, m]
    mean = sums.sum() / counts.sum()
    drawn = drawn[~np.isnan(drawn)]
    # Resamples of equal values differ by rounding alone: without a tolerance the bounds would be made of it.
    near = 1e-12 * max(float(np.abs(drawn).max(initial=0)), float(np.finfo(float).tiny))
    if not len(drawn) or np.ptp(drawn) <= near:
        return float(mean), float(mean)
    # Half of the ties count as below, so that a coarse metric (0 or 1 a list) is not taken for biased.
    ties = np.abs(drawn - mean) <= near
    below = ((drawn < mean) & ~ties).mean() + ties.mean() / 2
    # Not 0 or 1, whose quantiles are infinite: half a resample is the smallest distinguishable share.
    bias = norm.ppf(np.clip(below, 0.5 / len(drawn), 1 - 0.5 / len(drawn)))
    # Acceleration: skewness of the jackknife (Efron 1987), NaN where the only user with a value is left out.
    left = _ratio(sums.sum() - sums, counts.sum() - counts)
    inner = np.nanmean(left) - left[~np.isnan(left)]
    cubes, squares = (inner**3).sum(), (inner**2).sum()
    acceleration = cubes / (6 * squares**1.5) if squares > 0 else 0.0
    tail = norm.ppf((1 - confidence) / 2)
    reach = bias + np.asarray([tail, -tail])
    shrink = 1 - acceleration * reach
    # Beyond the pole of the correction the bound is the outermost resample.
    levels = norm.cdf(bias + reach / np.where(shrink > 0, shrink, 1e-9))
    low, high = np.quantile(drawn, levels)
    return float(low), float(high)


def sign_flips(sums: Floats, generator: np.random.Generator, flips: int) -> Floats:
    """Return the two-sided p-value of each metric, (M,), from each user's summed differences (U, M)."""
    users = len(sums)
    observed = np.abs(sums.sum(axis=0))
    observed -= 1e-9 * np.abs(sums).sum(axis=0)  # sums in another order are not quite the same

    def reached(number: int) -> Floats:
        signs = generator.integers(0, 2, (number, users), dtype=np.int8).astype(float) * 2 - 1
        reaches: Floats = (np.abs(signs @ sums) >= observed).sum(axis=0, keepdims=True).astype(float)
        return reaches

    hits = np.concatenate(list(_in_chunks(reached, flips, users))).sum(axis=0)
    return np.asarray((1 + hits) / (1 + flips))


def _in_chunks(draw: Callable[[int], Floats], number: int, users: int) -> Iterator[Floats]:
    """Draw *number* rows in parts that fit the processor's cache."""
    size = max(1, _CELLS // max(users, 1))
    for start in range(0, number, size):
        yield draw(min(size, number - start))


def _ratio(sums: Floats, counts: Floats) -> Floats:
    quotients: Floats = np.full(np.shape(sums), np.nan)
    np.divide(sums, counts, out=quotients, where=counts > 0)
    return quotients
