"""Figures as a table shows them: rounded, with their interval, and what may be said of a difference."""

from __future__ import annotations

import math
from dataclasses import dataclass

from saferec_core.analysis.comparison import MetricComparison
from saferec_core.analysis.estimates import Estimate
from saferec_core.analysis.metrics import written, written_interval
from saferec_core.analysis.number_format import p_value
from saferec_core.analysis.results import MetricFacts

__all__ = ["NO_VALUE", "Figure", "ShownDifference", "estimate_figure", "shown_difference", "written_figure"]


@dataclass(frozen=True)
class Figure:
    """A figure of a table."""

    text: str
    bounds: str
    """Its interval; empty where there is none."""
    sort: float | None
    """What to sort by; None sorts last."""


NO_VALUE = Figure("no value", "", None)


@dataclass(frozen=True)
class ShownDifference:
    """A difference from the first policy."""

    figure: Figure
    between: tuple[str, str]
    """Both means over the same pairs, with as many decimals as the difference bears out."""
    p: str
    sentence: str
    """What may be said, in plain words."""
    verdict: str
    """``"better"``, ``"worse"``, ``"higher"`` or ``"lower"`` where neither is better, or nothing if no
    difference may be claimed."""
    whisker: tuple[float, float, float] | None
    """Mean and bounds as shares of the row's half width, in -1..1; None where there is no interval."""


def estimate_figure(estimate: Estimate | None, facts: MetricFacts) -> Figure:
    """Write a mean with its interval."""
    if estimate is None or math.isnan(estimate.mean):
        return NO_VALUE
    return written_figure(facts, estimate.mean, estimate.low, estimate.high)


def shown_difference(comparison: MetricComparison | None) -> ShownDifference | None:
    """Write a difference; None where the metric is not compared or no pair has a value."""
    if comparison is None or comparison.difference is None or not comparison.difference.rows:
        return None
    difference = comparison.difference
    return ShownDifference(
        written_figure(comparison.facts, difference.mean, difference.low, difference.high, change=True),
        _alike(comparison),
        p_value(comparison.p_adjusted),
        comparison.sentence,
        comparison.claim,
        _whisker(difference.mean, difference.low, difference.high),
    )


def written_figure(
    facts: MetricFacts, mean: float, low: float = math.nan, high: float = math.nan, *, change: bool = False
) -> Figure:
    """Write a mean, and its bounds where there are any; a *change* with its sign."""
    text, bounds = written_interval(facts, mean, low, high, change=change)
    return Figure(_minus(text), _minus(bounds), mean)


def _minus(text: str) -> str:
    """Write numbers with a minus sign instead of a hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")


def _alike(comparison: MetricComparison) -> tuple[str, str]:
    """Write both means with the decimals that their difference bears out."""
    difference = comparison.difference
    assert difference is not None  # the caller has looked
    like = (difference.mean, difference.low, difference.high) if difference.high > difference.low else ()
    first, second = written(comparison.facts, comparison.first, comparison.second, like=like)
    return _minus(first), _minus(second)


def _whisker(mean: float, low: float, high: float) -> tuple[float, float, float] | None:
    reach = max(abs(low), abs(high), abs(mean))
    if math.isnan(reach) or reach == 0:
        return None
    return mean / reach, low / reach, high / reach
