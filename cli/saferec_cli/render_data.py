"""What became of the rows: ten lines, and the details on request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from saferec_cli.consoles import PlainConsole
from saferec_cli.printing import print_line
from saferec_core.pipeline.step import StepResult
from saferec_core.pipeline.step_report import StepAccount

__all__ = ["chain_details", "chain_summary"]

_EXAMPLES = 3
_STEPS = 6
"""Steps of which the summary has a line; those that lost most stay."""


def chain_summary(results: Sequence[StepResult], output: Path) -> None:
    """Print what each step read, wrote and lost, and where the result and its card are."""
    console = PlainConsole()
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    table.add_column("step")
    for name in ("read", "written", "removed", "rejected"):
        table.add_column(name, justify="right")
    table.add_column("")
    by_loss = sorted(results, key=lambda result: -_lost(result.account))[:_STEPS]
    for result in results:
        if result in by_loss:
            account = result.account
            counts = (account.read, account.written, account.removed.total(), account.rejected)
            cached = "[dim]done before[/]" if result.cached else ""
            table.add_row(escape(account.step), *(f"{count:,}" for count in counts), cached)
    console.print(table)
    if left_out := len(results) - len(by_loss):
        print_line(console, f"{left_out} more steps lost fewer rows; --verbose shows what each step counted")
    card = output / "card.html"
    where = f"Dataset: {output}   Card: {card}" if card.is_file() else f"Rows: {output}"
    print_line(console, where)


def _lost(account: StepAccount) -> int:
    return account.removed.total() + account.rejected


def chain_details(results: Sequence[StepResult]) -> None:
    """Print what each step removed, rejected and counted, with examples."""
    console = PlainConsole()
    for result in results:
        _details(console, result.account)


def _details(console: Console, account: StepAccount) -> None:
    lines = [f"removed {times:,}: {reason}" for reason, times in account.removed.most_common()]
    lines += [f"rejected: {reason}" for reason in account.rejections[:_EXAMPLES]]
    for what, times in account.counted.items():
        examples = account.examples.get(what, [])[:_EXAMPLES]
        lines.append(f"{_number(times)} {what}" + (f" ({'; '.join(examples)}, ...)" if examples else ""))
    if lines:
        console.print(f"[bold]{escape(account.step)}[/]")
    for line in lines:
        print_line(console, f"  {line}")


def _number(times: float) -> str:
    return f"{times:,}" if times == int(times) else f"{times:,.4f}"
