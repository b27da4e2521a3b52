"""What became of the rows, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from saferec_core.pipeline.step import StepResult
from saferec_core.pipeline.step_report import Account

__all__ = ["accounts_table"]

_EXAMPLES = 3


def accounts_table(results: Sequence[StepResult]) -> None:
    """Print what each step read, wrote and lost, and what it counted."""
    console = Console()
    table = Table(title="Rows by step", title_justify="left")
    table.add_column("step")
    for name in ("read", "written", "removed", "rejected"):
        table.add_column(name, justify="right")
    table.add_column("")
    for result in results:
        account = result.account
        counts = (account.read, account.written, account.removed.total(), account.rejected)
        cached = "[dim]done before[/]" if result.cached else ""
        table.add_row(escape(account.step), *(f"{count:,}" for count in counts), cached)
    console.print(table)
    for result in results:
        _details(console, result.account)


def _details(console: Console, account: Account) -> None:
    lines = [f"removed {times:,}: {reason}" for reason, times in account.removed.most_common()]
    lines += [f"rejected: {reason}" for reason in account.rejections[:_EXAMPLES]]
    for what, times in account.counted.items():
        examples = account.examples.get(what, [])[:_EXAMPLES]
        lines.append(f"{_number(times)} {what}" + (f" ({'; '.join(examples)}, ...)" if examples else ""))
    if lines:
        console.print(f"[bold]{escape(account.step)}[/]")
    for line in lines:
        console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)


def _number(times: float) -> str:
    return f"{times:,}" if times == int(times) else f"{times:,.4f}"
