"""Tables of a page: metrics of several policies side by side, with what may be said of their differences."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from saferec_core.analysis.compare import compare
from saferec_core.analysis.comparison import ComparisonTable, GroupComparison, MetricComparison
from saferec_core.analysis.metrics import WholeFigure, label, ordered
from saferec_core.analysis.pairing import mismatches
from saferec_core.analysis.results import MetricFacts, Results
from saferec_core.errors import SaferecError
from saferec_core.report.estimates import Estimator
from saferec_core.report.figures import (
    NO_VALUE,
    Figure,
    ShownDifference,
    estimate_figure,
    shown_difference,
    written_figure,
)
from saferec_core.report.reading import CheckpointChoice

__all__ = ["CheckpointTable", "MetricRow", "MetricTable", "TraitTable", "checkpoint_table", "metric_table"]


UNKNOWN = MetricFacts("none", "mean", "")
"""What is known of a metric that no stored evaluation describes."""


@dataclass(frozen=True)
class MetricRow:
    """One metric of all policies."""

    metric: str
    name: str
    facts: MetricFacts
    values: Sequence[Figure]
    """By policy."""
    changes: Sequence[ShownDifference | None]
    """By policy but the first; None where the two are not compared."""


@dataclass(frozen=True)
class TraitRow:
    """Safety and relevance of two policies among users with one constraint."""

    trait: str
    users: int | None
    """None where they are too few for anything to be shown."""
    changes: Sequence[tuple[Figure, Figure, ShownDifference] | None]
    """By metric: first, second and their difference; None where too few users have a value."""


@dataclass(frozen=True)
class TraitTable:
    """Two policies, constraint by constraint."""

    names: tuple[str, str]
    rows: Sequence[TraitRow]
    min_cell: int
    """Users that a cell must rest on to be shown."""


@dataclass(frozen=True)
class MetricTable:
    """Policies side by side: before and after, or run by run."""

    title: str
    heading: str
    """Heading that it is collapsed under, perhaps with others, unless it is the first."""
    names: Sequence[str]
    rows: Sequence[MetricRow]
    remarks: Sequence[str]
    """Why policies are not compared, how they differ."""
    protocols: Sequence[str]
    """Protocol id by policy."""
    comparisons: Sequence[ComparisonTable | None]
    """By policy but the first."""
    rows_used: Sequence[int]
    """Completions by policy."""
    whole: Mapping[str, Sequence[str]]
    """Metrics of all lists together, by policy; they have no intervals."""
    lede: str = ""
    """What the table shows, in a sentence or two; empty where its title says it."""

    @property
    def caption(self) -> str:
        """How the figures were made; nothing where nothing is compared."""
        return next((table.caption for table in self.comparisons if table), "")

    @property
    def primary(self) -> str:
        """Label of the metric that is tested on its own; empty where there is none."""
        alone = next((table.primary for table in self.comparisons if table), None)
        return next((row.name for row in self.rows if row.metric == alone), "")

    def by_trait(self, metrics: Sequence[str]) -> list[TraitTable]:
        """Return a table by trait for each policy that is compared with the first."""
        return [
            TraitTable(table.names, [_trait_row(group, metrics) for group in table.traits], table.min_cell)
            for table in self.comparisons
            if table and table.traits
        ]


def metric_table(
    title: str,
    heading: str,
    policies: Mapping[str, Results],
    estimator: Estimator,
    whole: Sequence[Mapping[str, WholeFigure]] = (),
    *,
    apart: Collection[str] = (),
    lede: str = "",
) -> MetricTable:
    """Lay policies side by side and compare each with the first, where their protocols and data agree.

    Args:
        title: Title of the table.
        heading: What it is folded under.
        policies: The policies by name.
        estimator: Averages them.
        whole: What was measured of all lists together, by policy.
        apart: Choices of the protocol in which the policies differ on purpose: what the table is about.
        lede: What the table shows, where its title does not say it.
    """
    names, evaluations = list(policies), list(policies.values())
    remarks: list[str] = []
    comparisons = [
        _comparison(_without(apart, evaluations[0]), _without(apart, other), (names[0], name), remarks)
        for name, other in zip(names[1:], evaluations[1:], strict=True)
    ]
    means = [estimator(results) for results in evaluations]
    known = {metric: fact for results in evaluations for metric, fact in results.metrics.items()}
    return MetricTable(
        title,
        heading,
        names,
        [
            MetricRow(
                metric,
                label(metric, known[metric]),
                known[metric],
                [estimate_figure(by_metric.get(metric), known[metric]) for by_metric in means],
                [shown_difference(_of_metric(table, metric)) for table in comparisons],
            )
            for metric in ordered(known)
        ],
        remarks,
        [str(results.protocol.get("id", "not stated")) for results in evaluations],
        comparisons,
        [len(results) for results in evaluations],
        {
            label(metric, facts): [
                figures[metric].text if metric in figures else "no value" for figures in whole
            ]
            for metric, facts in {
                metric: figure.facts for figures in whole for metric, figure in figures.items()
            }.items()
        },
        lede,
    )


@dataclass(frozen=True)
class CheckpointTable:
    """Metrics of every checkpoint that was a candidate."""

    names: Sequence[str]
    rows: Mapping[str, Sequence[Figure]]
    """By checkpoint, a cell for each metric."""


def checkpoint_table(choice: CheckpointChoice, facts: Mapping[str, MetricFacts]) -> CheckpointTable:
    """Lay checkpoints out, a row each.

    Args:
        choice: The checkpoints with their metrics.
        facts: What is known of the metrics.
    """
    named = dict.fromkeys(metric for measured in choice.metrics.values() for metric in measured)
    known = {metric: facts.get(metric, UNKNOWN) for metric in named}
    metrics = ordered(known)
    rows = {
        checkpoint: [
            NO_VALUE if (value := measured.get(metric)) is None else written_figure(known[metric], *value)
            for metric in metrics
        ]
        for checkpoint, measured in choice.metrics.items()
    }
    return CheckpointTable([label(metric, known[metric]) for metric in metrics], rows)


def _comparison(
    first: Results, second: Results, names: tuple[str, str], remarks: list[str]
) -> ComparisonTable | None:
    """Compare two policies, or remark why that would mislead."""
    reasons = mismatches(first.protocol, second.protocol, names)
    if first.data_sha256 != second.data_sha256:
        reasons.append("held-out records")
    if reasons:
        remarks.append(
            f"{names[1]} was evaluated differently from {names[0]}, so their figures are shown side by side "
            f"but not compared ({'; '.join(reasons)})."
        )
        return None
    try:
        table = compare(first, second, names=names)
    except SaferecError as error:
        remarks.append(f"{names[1]} is not compared with {names[0]}: {error}")
        return None
    remarks += [f"{names[1]}: {remark}" for remark in table.remarks]
    return table


def _without(choices: Collection[str], results: Results) -> Results:
    """Leave choices out of a protocol, and with them its id."""
    if not choices:
        return results
    kept = {name: value for name, value in results.protocol.items() if name not in {"id", *choices}}
    return replace(results, protocol=kept)


def _of_metric(table: ComparisonTable | None, metric: str) -> MetricComparison | None:
    if table is None:
        return None
    return next((comparison for comparison in table.overall.metrics if comparison.metric == metric), None)


def _trait_row(group: GroupComparison, metrics: Sequence[str]) -> TraitRow:
    by_metric = {metric.metric: metric for metric in group.metrics}
    return TraitRow(
        str(group.trait), group.users, [_pair_of_cells(by_metric.get(metric)) for metric in metrics]
    )


def _pair_of_cells(comparison: MetricComparison | None) -> tuple[Figure, Figure, ShownDifference] | None:
    change = shown_difference(comparison)
    if comparison is None or change is None:
        return None
    first, second = change.between
    return Figure(first, "", comparison.first), Figure(second, "", comparison.second), change
