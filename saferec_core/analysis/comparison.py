"""What a comparison of two policies says: metric by metric, overall and by trait."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from saferec_core.analysis.estimates import Difference
from saferec_core.analysis.metrics import label, written, written_interval
from saferec_core.analysis.number_format import p_value
from saferec_core.analysis.results import MetricFacts

__all__ = ["ComparisonTable", "GroupComparison", "MetricComparison"]


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two policies over the same pairs of rows."""

    metric: str
    facts: MetricFacts
    first: float
    """Mean of the first over the pairs in which both have a value; NaN if there are none."""
    second: float
    """Mean of the second over the same pairs."""
    difference: Difference | None
    """Second minus first; None where it rests on too few users to be shown."""
    p_adjusted: float
    """p-value, corrected by Holm for all other metrics of its tables; the primary metric's is its own."""
    one_sided: int
    """Pairs in which only one has a value; they are left out."""
    confidence: float
    """Of the interval."""

    @property
    def name(self) -> str:
        """What a reader calls the metric."""
        return label(self.metric, self.facts)

    @property
    def claimed(self) -> bool:
        """Whether a difference may be claimed: by its interval and by its corrected p-value."""
        difference = self.difference
        if difference is None or not self.p_adjusted < 1 - self.confidence:
            return False
        return difference.low > 0 or difference.high < 0

    @property
    def verdict(self) -> str:
        """``"better"`` or ``"worse"`` where that may be claimed, else nothing."""
        if not self.claimed or self.difference is None or self.facts.better not in {"higher", "lower"}:
            return ""
        return "better" if (self.difference.mean > 0) == (self.facts.better == "higher") else "worse"

    @property
    def sentence(self) -> str:
        """What can be claimed about this metric, in plain words."""
        difference = self.difference
        if difference is None:
            return f"{self.name} rests on fewer users than may be shown"
        if not difference.rows:
            return f"{self.name} has no value in both evaluations, in any row"
        if difference.users < 2:
            return f"nothing can be claimed about {self.name}: all rows with a value belong to one user"
        if self.claimed:
            size, low, high = difference.mean, difference.low, difference.high
            if difference.mean < 0:
                size, low, high = -difference.mean, -difference.high, -difference.low
            text, bounds = written_interval(self.facts, size, low, high)
            verdict = f": {self.verdict}" if self.verdict else ""
            return f"{self.name} {self.direction} by {text} {bounds}{verdict}"
        if math.isnan(difference.detectable):
            (change,) = written(self.facts, difference.mean, change=True)
            how = "is the same" if difference.mean == 0 else f"differs by {change}"
            return f"{self.name} {how} for every one of {difference.users:,} users"
        (detectable,) = written(self.facts, difference.detectable)
        nothing = f"no difference in {self.name} can be claimed"
        if difference.low > 0 or difference.high < 0:
            nothing += (
                f" once all metrics are accounted for (p = {p_value(difference.p)} on its own, "
                f"{p_value(self.p_adjusted)} after Holm)"
            )
        return f"{nothing}; one larger than {detectable} would probably have been detected"

    @property
    def claim(self) -> str:
        """``"better"``, ``"worse"``, or ``"higher"``, ``"lower"`` where neither is better; else nothing."""
        return self.verdict or {"rises": "higher", "falls": "lower"}.get(self.direction, "")

    @property
    def direction(self) -> str:
        """``"rises"`` or ``"falls"`` where a difference may be claimed, else nothing."""
        if not self.claimed or self.difference is None:
            return ""
        return "rises" if self.difference.mean > 0 else "falls"


@dataclass(frozen=True)
class GroupComparison:
    """The metrics over all pairs, or over those in which a trait is a constraint."""

    trait: str | None
    """The trait; None: all pairs."""
    rows: int | None
    """Pairs of rows; None where there are too few users to be shown."""
    users: int | None
    """Users of these pairs; None where they are too few to be shown."""
    metrics: Sequence[MetricComparison]
    """One for each metric; none where the users are too few to be shown."""

    @property
    def suppressed(self) -> bool:
        """Whether the users are too few for anything to be shown."""
        return self.users is None


@dataclass(frozen=True)
class ComparisonTable:
    """Everything that can be claimed about two policies."""

    names: tuple[str, str]
    overall: GroupComparison
    traits: Sequence[GroupComparison]
    """By trait; empty if not asked for."""
    confidence: float
    resamples: int
    min_cell: int
    by: str
    """What a pair is."""
    remarks: Sequence[str]
    """How the evaluations differ, what has no partner."""
    primary: str | None = None
    """The metric that is tested on its own over all pairs; None: all are corrected for one another."""

    @property
    def groups(self) -> list[GroupComparison]:
        """All pairs, then trait by trait."""
        return [self.overall, *self.traits]

    @property
    def caption(self) -> str:
        """How the figures were made, for beneath a table."""
        holm_for = "all metrics"
        if self.primary is not None:
            (alone,) = (metric.name for metric in self.overall.metrics if metric.metric == self.primary)
            holm_for = f"all metrics but the primary one, {alone}, which is tested on its own"
        return (
            f"[...]: {self.confidence:.0%} interval (BCa bootstrap over users, {self.resamples:,} "
            f"resamples), not corrected; paired by {self.by}. p: sign-flip test by user, corrected by Holm "
            f"for {holm_for}. A difference is claimed only if both p and the interval allow it"
        )

    def as_data(self) -> dict[str, Any]:
        """Return everything, ready for JSON; NaN becomes null."""
        return {
            "first": self.names[0],
            "second": self.names[1],
            "confidence": self.confidence,
            "interval": "BCa bootstrap over users",
            "resamples": self.resamples,
            "paired_by": self.by,
            "min_cell": self.min_cell,
            "primary": self.primary,
            "remarks": list(self.remarks),
            "groups": [_group_data(group, self.min_cell) for group in self.groups],
        }


def _group_data(group: GroupComparison, min_cell: int) -> dict[str, Any]:
    few = f"fewer than {min_cell} users"
    data: dict[str, Any] = {"trait": group.trait, "rows": group.rows, "users": group.users}
    if group.suppressed:
        return {**data, "suppressed": few}
    return {**data, "metrics": {metric.metric: _metric_data(metric, few) for metric in group.metrics}}


def _metric_data(metric: MetricComparison, few: str) -> dict[str, Any]:
    if metric.difference is None:
        return {"suppressed": few}
    data = asdict(metric.difference)
    numbers = {
        "first": metric.first,
        "second": metric.second,
        "difference": data.pop("mean"),
        **data,
        "p_adjusted": metric.p_adjusted,
    }
    return {
        **{name: None if number != number else number for name, number in numbers.items()},
        "one_sided": metric.one_sided,
        "claimed": metric.claimed,
        "verdict": metric.verdict,
        "sentence": metric.sentence,
    }
