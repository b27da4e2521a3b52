"""A comparison of two policies, as tables and sentences."""

from __future__ import annotations

import math

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from saferec_core.analysis.compare import ComparisonTable, GroupComparison, MetricComparison
from saferec_core.analysis.number_format import figures, p_value

__all__ = ["comparison"]

_STYLES = {"better": "green", "worse": "red"}


def comparison(table: ComparisonTable) -> None:
    """Print a table for all rows and one for each trait, with what may be said beneath."""
    console = Console()
    for remark in table.remarks:
        console.print(f"[yellow]Note:[/] {escape(remark)}", soft_wrap=True, highlight=False)
    _group(console, table, table.overall)
    _sentences(console, [metric for metric in table.overall.metrics if metric.difference is not None])
    for group in table.traits:
        if not group.suppressed:
            _group(console, table, group)
            claimed = [metric for metric in group.metrics if metric.claimed]
            _sentences(console, claimed, nothing="No difference can be claimed.")
    few = [str(group.trait) for group in table.traits if group.suppressed]
    if few:
        traits = ", ".join(few)
        _line(console, f"Not shown, fewer than {table.min_cell} users: {traits}.")
    _line(console, f"\n{table.caption}.")


def _group(console: Console, table: ComparisonTable, group: GroupComparison) -> None:
    what = "All rows" if group.trait is None else f"Rows with the constraint {group.trait}"
    size = f"{group.rows:,} pairs of {group.users:,} users"
    title = escape(f"{what}: {size}")
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False)
    first, second = table.names
    shown.add_column("metric", no_wrap=True)
    for name in (first, second, "change", "interval", "p", "d", "MDE"):
        shown.add_column(escape(name), justify="right", overflow="fold")
    for metric in group.metrics:
        style = _STYLES.get(metric.verdict, "")
        shown.add_row(*map(escape, _cells(metric, table.min_cell)), style=style)
    console.print()
    console.print(shown)


def _cells(metric: MetricComparison, min_cell: int) -> list[str]:
    found = metric.difference
    if found is None:
        return [metric.metric, "", "", "", f"fewer than {min_cell} users", "", "", ""]
    if not found.rows:
        return [metric.metric, "", "", "", "no value", "", "", ""]
    difference = (found.mean, found.low, found.high)
    like = difference if found.high > found.low else ()
    first, second = figures(metric.first, metric.second, like=like)
    change, low, high = figures(*difference, sign="+")
    return [
        metric.metric,
        first,
        second,
        change,
        "" if math.isnan(found.low) else f"[{low}, {high}]",
        p_value(metric.p_holm),
        "" if math.isnan(found.effect) else f"{found.effect:+.2f}",
        "" if math.isnan(found.detectable) else figures(found.detectable)[0],
    ]


def _sentences(console: Console, metrics: list[MetricComparison], nothing: str = "") -> None:
    for metric in metrics:
        sentence = metric.sentence
        style = _STYLES.get(metric.verdict, "")
        marked = f"[{style}]{escape(sentence)}.[/]" if style else f"{escape(sentence)}."
        console.print(f"  {marked}", soft_wrap=True, highlight=False)
        if metric.one_sided:
            _line(console, f"    Left out: {metric.one_sided:,} pairs of which only one has a value.")
    if not metrics and nothing:
        _line(console, f"  {nothing}")


def _line(console: Console, text: str) -> None:
    console.print(escape(text), soft_wrap=True, highlight=False)
