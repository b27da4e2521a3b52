"""Which claims hold, as a table and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from saferec_cli.consoles import PlainConsole
from saferec_core.analysis.gate import ClaimResult
from saferec_core.analysis.number_format import figures
from saferec_core.analysis.results import Results

__all__ = ["verdicts"]


def verdicts(checked: Sequence[ClaimResult], results: Results, confidence: float) -> None:
    """Print each claim with its value, its bound and its verdict, then why."""
    console = PlainConsole()
    table = Table(
        title=escape(f"Claims about {results.policy}"),
        title_justify="left",
        caption=escape(f"bound: one-sided, {confidence:.0%} confidence; {len(results):,} rows"),
        caption_justify="left",
    )
    table.add_column("claim")
    for name in ("value", "bound", "interval", "users"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for result in checked:
        value, bound = figures(result.value, result.bound)
        style = "green" if result.holds else "red"
        cells = (result.claim.text, value, bound, result.interval, f"{result.users:,}")
        table.add_row(*map(escape, cells), f"[{style}]{result.verdict}[/]")
    console.print(table)
    for result in checked:
        console.print(f"  {escape(result.sentence)}.", soft_wrap=True, highlight=False)
    kept = sum(result.holds for result in checked)
    outcome = "All claims hold." if kept == len(checked) else f"{kept} of {len(checked)} claims hold."
    console.print(f"[bold]{outcome}[/]")
