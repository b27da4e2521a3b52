"""A record as the policy reads it, and what looks wrong with the records of a dataset."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from saferec_cli.consoles import PlainConsole
from saferec_cli.render_recommend import title_table
from saferec_core.preflight.records import RecordFaults, ShownRecord

__all__ = ["problem_table", "record_sheet"]

_ROWS = 5
"""Rows that a line spells out."""


def record_sheet(shown: ShownRecord) -> None:
    """Print prompt and completion with the template applied; what carries loss is green."""
    console = PlainConsole()
    view = shown.view
    console.print(
        f"[bold]Row {shown.row}[/]: {len(view.prompt_tokens):,} tokens of prompt, "
        f"{len(view.completion_tokens):,} with loss (green)\n"
    )
    console.print(Text(view.prompt, style="dim") + Text(view.completion, style="green"))
    if shown.constraints:
        console.print(f"\nConstraints: {escape(', '.join(shown.constraints))}")
    if shown.titles:
        console.print(title_table(shown.titles))
    for problem in shown.problems:
        console.print(f"[yellow]Problem:[/] {escape(problem)}", highlight=False, soft_wrap=True)


def problem_table(faults: RecordFaults) -> None:
    """Print each problem with the rows that have it."""
    console = PlainConsole()
    if not faults.rows_by_problem:
        console.print(f"[green]Nothing looks wrong with {faults.rows:,} rows.[/]")
        return
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    table.add_column("problem", overflow="fold")
    table.add_column("rows", justify="right")
    table.add_column("which", overflow="fold")
    for problem, rows in sorted(faults.rows_by_problem.items(), key=lambda item: -len(item[1])):
        more = f" and {len(rows) - _ROWS:,} more" if len(rows) > _ROWS else ""
        table.add_row(escape(problem), f"{len(rows):,}", ", ".join(map(str, rows[:_ROWS])) + more)
    console.print(table)
    console.print(f"{faults.rows:,} rows were looked at")
