"""Intervals and tests for means over rows of which several may belong to one user.

Rows of one user are alike, so that many of them carry less information than as many users would.
Everything here therefore counts users: the bootstrap draws users with all their rows (Davison and Hinkley,
"Bootstrap Methods and their Application", 1997, section 3.8), the permutation test flips users. NaN is "no
value": it enters no mean, and each figure reports how many rows it rests on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, t

from saferec_core.analysis.bootstrap import (
    RESAMPLES,
    Floats,
    bca_bounds,
    bootstrap_means,
    grouped,
    sign_flips,
)

__all__ = [
    "POWER",
    "Difference",
    "Estimate",
    "Interval",
    "compare_pairs",
    "estimate_means",
    "holm",
    "wilson",
]

Interval = tuple[float, float, float]
"""A mean, and the bounds of its 95% interval."""

POWER = 0.8
"""Chance with which the minimum detectable effect would be detected."""

_NONE = math.nan


@dataclass(frozen=True)
class Estimate:
    """A mean over rows and its two-sided interval; NaN where there is none."""

    mean: float
    low: float
    high: float
    rows: int
    """Rows that have a value."""
    users: int
    """Users that have a row with a value."""
    interval: str
    """``"wilson"``, ``"bootstrap"``, or ``"none"`` where one user is all there is."""


@dataclass(frozen=True)
class Difference:
    """Second minus first, over the rows that have a value in both; NaN where there is none."""

    mean: float
    low: float
    high: float
    rows: int
    """Pairs of rows with both values."""
    users: int
    """Users that have such a pair."""
    p: float
    """Two-sided p-value of the sign-flip test, not corrected for the number of metrics."""
    effect: float
    """Cohen's d_z: mean of the users' mean differences over their standard deviation (correction=1)."""
    detectable: float
    """Smallest true difference that a sample like this one shows to be one with probability `POWER`."""


def estimate_means(
    values: Floats,
    users: npt.NDArray[Any],
    *,
    generator: np.random.Generator,
    shares: Sequence[bool] | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> list[Estimate]:
    """Average each metric over its rows, with an interval.

    The interval is the BCa bootstrap over users (Efron, "Better Bootstrap Confidence Intervals", 1987):
    unlike the percentile one it is not too narrow on the long side of rare violations. A share gets the
    Wilson interval where every user has one row: its rows are then independent trials. With several
    rows per user they are not, and Wilson's would be too narrow, so that the bootstrap stands there too.
    Where every row is 0, or every row 1, a bootstrap has no width and would rule out what is merely
    rare. The interval is then Wilson's with as many trials as users, which is all that rows are
    worth when those of a user are always the same (for values within 0..1, whose mean is at most the
    share of rows that are not 0).

    Args:
        values: (N, M), NaN for no value.
        users: Whose each of the N rows is.
        generator: Draws the resamples.
        shares: Which of the M metrics are 0 or 1 in each row; None: none.
        confidence: Confidence level of the two-sided interval. Each bound alone has ``(1 + confidence) / 2``.
        resamples: How many to draw.
    """
    by_user = grouped(values, users)
    drawn = bootstrap_means(by_user, generator, resamples)
    estimates = []
    for m, mean in enumerate(by_user.means()):
        column, counts = values[:, m], by_user.counts[:, m]
        present = column[~np.isnan(column)]
        number = int(np.count_nonzero(counts))
        share = shares is not None and shares[m] and set(np.unique(present)) <= {0.0, 1.0}
        independent = share and counts.max(initial=0) == 1
        all_or_none = mean in {0.0, 1.0} and (present == mean).all()
        if number and (independent or all_or_none):
            low, high, kind = *wilson(mean, number, confidence), "wilson"
        elif number > 1:
            low, high = bca_bounds(by_user, drawn[:, m], m, confidence)
            kind = "bootstrap"
        else:
            low, high, kind = _NONE, _NONE, "none"
        estimates.append(Estimate(float(mean), low, high, len(present), number, kind))
    return estimates


def compare_pairs(
    first: Floats,
    second: Floats,
    users: npt.NDArray[Any],
    *,
    generator: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
) -> list[Difference]:
    """Compare two columns of pairs per metric, pair by pair.

    - Interval: BCa bootstrap over users of the mean difference.
    - p: users keep or swap their pairs at random, which without a difference changes nothing;
      ``(1 + flips at least as far from 0) / (1 + flips)`` (Phipson and Smyth 2010, equation 2).
    - Detectable: the bootstrap's standard error times ``t[1 - alpha/2] + t[POWER]``, quantiles with a
      degree of freedom less than there are users, ``alpha = 1 - confidence`` (Bloom 1995, "Minimum
      Detectable Effects").

    Args:
        first: (N, M), NaN for no value.
        second: (N, M), row by row the partner of *first*.
        users: Whose each of the N pairs is.
        generator: Draws resamples and flips.
        confidence: Confidence level of the two-sided interval.
        resamples: How many to draw, and how often to flip.
    """
    by_user = grouped(second - first, users)
    drawn = bootstrap_means(by_user, generator, resamples)
    p_values = sign_flips(by_user.sums, generator, resamples)
    needed: dict[int, float] = {}
    differences = []
    for m, mean in enumerate(by_user.means()):
        counts = by_user.counts[:, m]
        number = int(np.count_nonzero(counts))
        low = high = p = effect = detectable = _NONE
        if number > 1:
            low, high = bca_bounds(by_user, drawn[:, m], m, confidence)
            p = float(p_values[m])
            effect = _effect(by_user.group_means()[:, m])
            if number not in needed:
                needed[number] = _errors_needed(number, confidence)
            if high > low:
                detectable = needed[number] * float(np.nanstd(drawn[:, m], ddof=1))
        rows = int(counts.sum())
        differences.append(Difference(float(mean), low, high, rows, number, p, effect, detectable))
    return differences


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for how many there are; a NaN stays one and does not count.

    Holm's step-down procedure ("A simple sequentially rejective multiple test procedure", 1979): the
    smallest of m p-values is multiplied by m, the next by m - 1, and so on; none may fall below the one
    before it, nor exceed 1.
    """
    corrected = np.asarray(p_values, dtype=np.float64).copy()
    order = np.argsort(corrected)[: np.count_nonzero(~np.isnan(corrected))]  # NaN sorts last
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.maximum.accumulate(corrected[order] * factors).clip(max=1.0)
    return [float(p) for p in corrected]


def wilson(share: float, trials: int, confidence: float) -> tuple[float, float]:
    """Return the Wilson score interval of a share of independent trials."""
    bounds = binomtest(round(share * trials), trials).proportion_ci(confidence, method="wilson")
    return float(bounds.low), float(bounds.high)


def _effect(means: Floats) -> float:
    """Return the mean of the users' mean differences in standard deviations; NaN if they do not vary."""
    mean, spread = float(np.nanmean(means)), float(np.nanstd(means, ddof=1))
    return mean / spread if spread > 1e-12 * abs(mean) else _NONE


def _errors_needed(users: int, confidence: float) -> float:
    """Return the smallest detectable difference in standard errors.

    In closed form: a root search over the power of the t test, as statsmodels' ``TTestPower`` does it, meets
    a NaN of scipy's noncentral t for many sample sizes.
    """
    return float(t.ppf((1 + confidence) / 2, users - 1) + t.ppf(POWER, users - 1))
