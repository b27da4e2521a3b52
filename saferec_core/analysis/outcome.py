"""A comparison in one sentence: what got better, what got worse, and what cannot be claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from saferec_core.analysis.comparison import ComparisonTable, MetricComparison
from saferec_core.analysis.metrics import headline_metrics, label
from saferec_core.data.sentences import listed

__all__ = ["Outcome", "outcome"]


@dataclass(frozen=True)
class Outcome:
    """The headline metrics of a comparison by what may be claimed of them, each by its label."""

    better: Sequence[str]
    worse: Sequence[str]
    higher: Sequence[str]
    """Claimed to rise, where neither direction is better."""
    lower: Sequence[str]
    unchanged: Sequence[str]
    """The same in every pair."""
    unclaimed: Sequence[str]
    """No difference can be claimed."""
    missing: Sequence[str]
    """Without a pair of values, such as a share of the titles of lists that are all empty."""

    @property
    def sentence(self) -> str:
        """What may be claimed, such as ``Better: Recall@5. Worse: Duplicates.``."""
        parts = {
            "Better": self.better,
            "Worse": self.worse,
            "Higher": self.higher,
            "Lower": self.lower,
            "No difference can be claimed in": self.unclaimed,
            "Not comparable": self.missing,
        }
        return " ".join(
            f"{how}{'' if how.endswith('in') else ':'} {listed(labels)}."
            for how, labels in parts.items()
            if labels
        )


def outcome(table: ComparisonTable) -> Outcome:
    """Sort the headline metrics of *table* by what may be claimed of them."""
    compared = {metric.metric: metric for metric in table.overall.metrics}
    by_kind: dict[str, list[str]] = {}
    for name in headline_metrics({name: metric.facts for name, metric in compared.items()}):
        by_kind.setdefault(_kind(compared[name]), []).append(label(name, compared[name].facts))
    kinds = ("better", "worse", "higher", "lower", "unchanged", "unclaimed", "missing")
    return Outcome(*(by_kind.get(kind, []) for kind in kinds))


def _kind(metric: MetricComparison) -> str:
    if metric.claim:
        return metric.claim
    difference = metric.difference
    if difference is None or not difference.rows:
        return "missing"
    return "unchanged" if difference.low == difference.high == difference.mean == 0 else "unclaimed"
