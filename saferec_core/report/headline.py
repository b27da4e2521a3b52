"""What a page says first: one sentence a comparison, and the figures that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from saferec_core.analysis.compare import ComparisonTable, MetricComparison
from saferec_core.analysis.number_format import figures
from saferec_core.report.naming import label, minus, percent, relevance_metric, safety_metric
from saferec_core.report.tables import Change, MetricRow, MetricTable

__all__ = ["Tile", "headlines", "tiles"]


@dataclass(frozen=True)
class Tile:
    """One figure, large."""

    name: str
    summary: str
    first: str
    """What the second is compared with; empty for a policy that stands alone."""
    second: str
    bounds: str
    change: Change | None


def headlines(table: MetricTable) -> list[str]:
    """Return a sentence for each policy that is compared with the first, or one on the first alone."""
    if len(table.names) > 1:
        return [
            f"{name} was evaluated differently and is not compared with {table.names[0]}."
            if found is None
            else _compared(found)
            for name, found in zip(table.names[1:], table.comparisons, strict=True)
        ]
    parts = [
        f"{row.name} {row.values[0].text} {row.values[0].bounds}".rstrip()
        for row in table.rows
        if row.metric in _telling([row.metric for row in table.rows])
    ]
    name = f"{table.names[0][:1].upper()}{table.names[0][1:]}"
    return [f"{name}: {' and '.join(parts)} over {table.rows_used[0]:,} completions."] if parts else []


def tiles(table: MetricTable) -> list[Tile]:
    """Return safety, relevance and list length of one policy, or of two that are compared."""
    if len(table.names) > 2 or table.comparisons == [None]:
        return []
    by_metric = {row.metric: row for row in table.rows}
    wanted = [*_telling(list(by_metric)), "list_length", "out_of_catalog", "coverage"]
    return [
        Tile(
            row.name,
            row.facts.summary,
            *_shown(row),
            row.values[-1].bounds,
            row.changes[-1] if row.changes else None,
        )
        for row in (by_metric[metric] for metric in wanted if metric in by_metric)
    ][:4]


def _shown(row: MetricRow) -> tuple[str, str]:
    change = row.changes[-1] if row.changes else None
    if change:
        return change.between
    return (row.values[0].text if len(row.values) > 1 else ""), row.values[-1].text


def _telling(metrics: Sequence[str]) -> list[str]:
    return [metric for metric in (safety_metric(metrics), relevance_metric(metrics)) if metric]


def _compared(table: ComparisonTable) -> str:
    found = {metric.metric: metric for metric in table.overall.metrics}
    before, after = table.names
    text = "; ".join(_said(found[metric]) for metric in _telling(list(found)))
    if (before, after) != ("before", "after"):
        return f"{after} against {before}: {text}."
    return f"{text[:1].upper()}{text[1:]}."


def _said(metric: MetricComparison) -> str:
    """Say what became of a metric, with its interval, as a share where it is one."""
    found = metric.difference
    name = label(metric.metric)
    if found is None or not found.high > found.low:  # too few users, or all of them alike
        return metric.sentence
    share = metric.metric.startswith(("sensitivity_ratio", "any_violation"))
    if share:
        name = (
            "the share of a list's titles that violate a constraint"
            if metric.metric.startswith("sensitivity_ratio")
            else "the share of lists with a violation"
        ) + f" ({label(metric.metric)})"
        first, second = percent(metric.first), percent(metric.second)
        shown = [f"{100 * number:+.1f}" for number in (found.mean, found.low, found.high)]
        unit = " points"
    else:
        first, second = (f"{value:.4f}" for value in (metric.first, metric.second))
        shown = figures(found.mean, found.low, found.high, sign="+")
        unit = ""
    change = minus(f"{shown[0]}{unit}, 95\N{NO-BREAK SPACE}% interval {shown[1]} to {shown[2]}")
    if metric.claimed:
        return f"{name} {'rose' if found.mean > 0 else 'fell'} from {first} to {second} ({change})"
    return f"no difference in {name} can be claimed: {first} and {second} ({change})"
