"""The plan of a run, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from saferec_cli.consoles import PlainConsole
from saferec_core.preflight.memory import MemoryEstimate
from saferec_core.preflight.plan import RunPlan, Setting
from saferec_core.training.probe import StageTime

__all__ = ["run_plan"]

_GIB, _MIB = 1 << 30, 1 << 20


def run_plan(plan: RunPlan) -> None:
    """Print the settings that are not defaults, the batches, and what keeps the run from starting."""
    console = PlainConsole()
    console.print(f"[bold]Plan: {plan.stage}[/]\n")
    settings = Table(box=SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for name in ("setting", "value", "from"):
        settings.add_column(name, overflow="fold", no_wrap=name == "setting")
    section = ""
    for setting in plan.chosen:
        above, _, name = setting.path.rpartition(".")
        if above and above != section:
            settings.add_row(f"[bold]{escape(above)}[/]")
        section = above
        indent = "  " * bool(above)
        settings.add_row(indent + escape(name), escape(_written(setting.value)), escape(_origin(setting)))
    console.print(settings)
    rest = len(plan.settings) - len(plan.chosen)
    console.print(f"[dim]{rest} other settings have their defaults; --json prints them all.[/]\n")
    batches = Table.grid(padding=(0, 2))
    batches.add_column()
    batches.add_column(justify="right")
    for name, value in plan.batches.items():
        batches.add_row(name, "not known yet" if value is None else f"{value:,}")
    console.print(batches)
    console.print()
    if plan.memory is not None:
        _print_memory(console, plan.memory, *plan.available)
    if plan.times:
        _print_times(console, plan.times)
    for sentence in plan.without_effect:
        console.print(f"[yellow]{escape(sentence)}[/]", highlight=False, soft_wrap=True)
    if not plan.problems:
        console.print("[green]Ready to start.[/]")
        return
    console.print(f"[red]Cannot start: {len(plan.problems)} problem{'s' * (len(plan.problems) > 1)}[/]")
    for problem in plan.problems:
        console.print(f"  {escape(problem)}", highlight=False, soft_wrap=True)


def _origin(setting: Setting) -> str:
    """Return where a value comes from; the key of ``--set KEY=VALUE`` is that of the row."""
    return setting.origin.removesuffix(f" {setting.path}")


def _print_memory(console: Console, estimate: MemoryEstimate, kind: str, available: int) -> None:
    """Print what each process keeps in memory against what it has."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    total = f"in all, of the {kind}'s {available / _GIB:.1f} GiB"
    for name, size in {**estimate.parts, total: estimate.total}.items():
        table.add_row(name, f"{size / _GIB:,.2f} GiB" if size >= _GIB else f"{size / _MIB:,.1f} MiB")
    console.print("Memory of each process, without activations and with nothing partitioned")
    console.print(table)
    if estimate.total > available:
        console.print(
            "[yellow]This does not fit.[/] What helps: --use-lora, --load-in-4bit, an 8-bit optimizer, "
            "ZeRO-3 (docs/scale.md)"
        )
    console.print()


def _print_times(console: Console, times: Sequence[StageTime]) -> None:
    """Print what a probe measured."""
    table = Table.grid(padding=(0, 2))
    for time in times:
        duration = timedelta(seconds=round(time.seconds))
        table.add_row(
            time.stage, f"{time.seconds_per_step:.2f} s a step", f"{time.steps:,} steps", f"{duration}"
        )
    console.print("Time of training, measured; without evaluations and checkpoints")
    console.print(table)
    console.print()


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_written, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_written(part)}" for key, part in value.items()) or "none"
    return "none" if value is None else str(value)
