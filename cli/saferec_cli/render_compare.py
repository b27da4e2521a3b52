"""A comparison of two policies as one table, with what may be claimed beneath it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from saferec_cli.consoles import PlainConsole
from saferec_cli.printing import print_line
from saferec_core.analysis.comparison import ComparisonTable, GroupComparison, MetricComparison
from saferec_core.analysis.metrics import primary_metric, written, written_interval
from saferec_core.analysis.number_format import p_value
from saferec_core.analysis.outcome import outcome
from saferec_core.data.sentences import listed
from saferec_core.data.traits import short_names

__all__ = ["comparison"]

_STYLES = {"better": "green", "worse": "red"}
_ARROWS = {"higher": " ↑", "lower": " ↓"}


def comparison(
    table: ComparisonTable,
    *,
    title: str = "",
    trait_metrics: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Print one table, all users first and then trait by trait, and what may be claimed.

    Args:
        table: The comparison.
        title: What is compared, if that is not plain from the command.
        trait_metrics: Which metrics to show by trait; none: those that stand for safety and relevance.
        console: Where to print.
    """
    console = console or PlainConsole()
    for remark in table.remarks:
        console.print(f"[yellow]Note:[/] {escape(remark)}", soft_wrap=True, highlight=False)
    console.print()
    console.print(_table(table, title, trait_metrics or _standing(table)))
    print_line(console, outcome(table).sentence)
    for pairs, names in _one_sided(table.overall.metrics).items():
        print_line(console, f"{pairs:,} pairs left out of {listed(names)}: only one of the two has a value.")
    few = [str(group.trait) for group in table.traits if group.suppressed]
    if few:
        print_line(console, f"Not shown, fewer than {table.min_cell} users: {', '.join(few)}.")
    star = "" if table.primary is None else "*: primary metric. "
    print_line(console, f"\n{star}{table.caption}. Changes of percentages are in points.")


def _table(table: ComparisonTable, title: str, trait_metrics: Sequence[str]) -> Table:
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False)
    shown.title = escape(f"{title}: {_size(table.overall)}" if title else _size(table.overall))
    shown.title_justify = "left"
    shown.add_column("metric", overflow="fold")
    for name in table.names:
        shown.add_column(escape(name), justify="right", overflow="fold")
    shown.add_column("change", justify="right", no_wrap=True)
    shown.add_column(f"{table.confidence:.0%} interval", justify="right", no_wrap=True)
    shown.add_column("p", justify="right", no_wrap=True)
    shown.add_column("verdict", no_wrap=True)
    for metric in table.overall.metrics:
        primary = "*" if metric.metric == table.primary else ""
        _row(shown, f"{metric.name}{_ARROWS.get(metric.facts.better, '')}{primary}", metric, table.min_cell)
    short = short_names(str(group.trait) for group in table.traits)
    for metric in table.overall.metrics if any(not group.suppressed for group in table.traits) else ():
        if metric.metric in trait_metrics:
            shown.add_section()
            shown.add_row(f"[bold]{escape(metric.name)} by constraint[/]")
            for group in table.traits:
                for in_group in group.metrics:
                    if in_group.metric == metric.metric:
                        _row(shown, f"{short[str(group.trait)]} ({group.users})", in_group, table.min_cell)
    return shown


def _one_sided(metrics: Sequence[MetricComparison]) -> dict[int, list[str]]:
    """Return, by how many pairs have only one value, the metrics of which that is so."""
    names: dict[int, list[str]] = {}
    for metric in metrics:
        if metric.one_sided:
            names.setdefault(metric.one_sided, []).append(metric.name)
    return names


def _size(group: GroupComparison) -> str:
    return f"{group.rows:,} pairs of {group.users:,} users"


def _row(shown: Table, name: str, metric: MetricComparison, min_cell: int) -> None:
    shown.add_row(*map(escape, (name, *_cells(metric, min_cell))), style=_STYLES.get(metric.verdict, ""))


def _cells(metric: MetricComparison, min_cell: int) -> list[str]:
    difference = metric.difference
    if difference is None:
        return ["", "", "", f"under {min_cell} users", "", ""]
    if not difference.rows:
        return ["", "", "no value", "", "", ""]
    interval = (difference.mean, difference.low, difference.high)
    like = interval if difference.high > difference.low else ()
    first, second = written(metric.facts, metric.first, metric.second, like=like)
    change, bounds = written_interval(metric.facts, *interval, change=True)
    change = change.removesuffix(" pts")  # beside two percentages that goes without saying
    return [first, second, change, bounds, p_value(metric.p_adjusted), metric.claim or "-"]


def _standing(table: ComparisonTable) -> list[str]:
    facts = {metric.metric: metric.facts for metric in table.overall.metrics}
    return [name for role in ("relevance", "safety") if (name := primary_metric(facts, role))]
