"""What a page says first: for each way of decoding, the figures that tell the whole story, good and bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from saferec_core.analysis.metrics import headline_metrics
from saferec_core.analysis.outcome import Outcome, outcome
from saferec_core.report.tables import MetricRow, MetricTable

__all__ = ["Board", "board"]


@dataclass(frozen=True)
class Board:
    """The headline of one table."""

    table: MetricTable
    rows: Sequence[MetricRow]
    """Of the metrics that a headline names."""
    outcomes: Sequence[tuple[str, Outcome | None]]
    """By policy but the first, what may be claimed against it; None where the two are not compared."""

    @property
    def compared(self) -> bool:
        """Whether anything is claimed of a difference."""
        return any(outcome is not None for _, outcome in self.outcomes)


def board(table: MetricTable) -> Board:
    """Return the headline of *table*."""
    wanted = headline_metrics({row.metric: row.facts for row in table.rows})
    if table.lede:  # a guarantee has its price in relevance, whichever way that is measured
        depths = {metric.partition("@")[2] for metric in wanted}
        wanted += [
            row.metric
            for row in table.rows
            if row.facts.role == "relevance" and row.metric.partition("@")[2] in depths
        ]
    return Board(
        table,
        [row for row in table.rows if row.metric in wanted],
        [
            (name, None if comparison is None else outcome(comparison))
            for name, comparison in zip(table.names[1:], table.comparisons, strict=True)
        ],
    )
