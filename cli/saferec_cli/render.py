"""What a user sees: plans, progress and tables, drawn by rich."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from saferec_core.plugins.manager import Plugins
from saferec_core.runs.observer import Comparison, Observer, Plan, StepReport

__all__ = ["RichObserver", "component_sheet", "plugin_table"]

_LINES_PER_STAGE = 12
"""How often progress is told where there is no terminal to redraw."""


def plugin_table(plugins: Plugins) -> None:
    """Print every component, and every plugin that failed to load with its reason."""
    console = Console()
    table = Table("kind", "name", "summary", "supplied by", title="Components", title_justify="left")
    for entry in plugins:
        supplier = f"{entry.origin.distribution} {entry.origin.version}"
        table.add_row(entry.kind, f"[bold]{escape(entry.name)}[/]", escape(entry.summary), supplier)
    console.print(table)
    if plugins.broken:
        failed = Table("plugin", "reason", title="Failed to load", title_justify="left", style="red")
        for broken in plugins.broken:
            failed.add_row(escape(str(broken.origin)), escape(broken.reason))
        console.print(failed)


def component_sheet(component: Mapping[str, Any]) -> None:
    """Print all there is to know about one component."""
    console = Console()
    facts = Table.grid(padding=(0, 2))
    for label, key in (("supplied by", "supplied_by"), ("class", "reference")):
        facts.add_row(f"[dim]{label}[/]", escape(str(component[key])))
    for name, value in component["declares"].items():
        if value:  # what is left at its default says nothing
            shown = value if isinstance(value, str | bool) else ", ".join(sorted(value))
            facts.add_row(f"[dim]{escape(name.replace('_', ' '))}[/]", escape(str(shown)))
    console.print(
        f"[bold]{escape(component['name'])}[/] ({component['kind']}): {escape(component['summary'])}"
    )
    console.print(facts)
    console.print(f"\n{escape(inspect.cleandoc(component['description']))}\n")
    if component["options"]:
        table = Table("option", "type", "default", "range", "meaning")
        for option in component["options"]:
            table.add_row(*(escape(option[key]) for key in ("name", "type", "default", "range", "meaning")))
        console.print(table)
    else:
        console.print("No options.")


class RichObserver(Observer):
    """Shows a run as it goes: live on a terminal, in a few lines elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on *console*; standard output if not given."""
        self._console = console or Console()
        self._progress: Progress | None = None
        self._task: Any = None
        self._stage = ""
        self._total = 0
        self._lines = 0

    def plan(self, plan: Plan) -> None:
        """Print what is about to be done."""
        facts = Table.grid(padding=(0, 2))
        for name, value in plan.facts.items():
            facts.add_row(f"[dim]{escape(name)}[/]", escape(value))
        self._console.print(Panel(facts, title=escape(plan.title), title_align="left", border_style="cyan"))

    def note(self, text: str) -> None:
        """Print a sentence."""
        self._console.print(escape(text))

    def stage_began(self, name: str, total: int | None) -> None:
        """Open a progress bar, or begin to print lines."""
        self._stage, self._total, self._lines = name, total or 0, 0
        if self._console.is_terminal:
            self._progress = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[figures]}"),
                console=self._console,
            )
            self._progress.start()
            self._task = self._progress.add_task(escape(name), total=total, figures="")

    def stepped(self, report: StepReport) -> None:
        """Move the bar on, and show the figures where there are new ones."""
        figures = _figures(report.figures)
        if self._progress is not None:
            changes: dict[str, Any] = {"figures": figures} if figures else {}
            self._progress.update(self._task, completed=report.step, **changes)
        elif figures and report.step >= self._lines * self._total / _LINES_PER_STAGE:
            self._lines += 1
            self._console.print(f"{self._stage} {report.step}/{self._total}  {figures}", soft_wrap=True)

    def stage_ended(self) -> None:
        """Close the bar."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def table(self, title: str, rows: Sequence[Mapping[str, str]]) -> None:
        """Print a table."""
        table = Table(title=escape(title), title_justify="left")
        for name in rows[0] if rows else ():
            table.add_column(escape(name))
        for row in rows:
            table.add_row(*map(escape, row.values()))
        self._console.print(table)

    def compared(self, title: str, rows: Sequence[Comparison]) -> None:
        """Print metrics before and after, or of one policy alone, with 95 % intervals."""
        alone = all(row.before is None and row.difference is None for row in rows)
        table = Table(
            title=escape(title[:1].upper() + title[1:]),
            title_justify="left",
            caption="[...]: 95 % interval over users" + ("" if alone else "; differences are paired"),
            caption_justify="left",
        )
        table.add_column("metric")
        for name in ("value",) if alone else ("before", "after", "difference"):
            table.add_column(name, justify="right")
        for row in sorted(rows, key=_place):
            if alone:
                table.add_row(_label(row.metric), escape(_interval(row.after, "")))
            else:
                difference = escape(_interval(row.difference, "+"))
                table.add_row(_label(row.metric), _mean(row.before), _mean(row.after), difference)
        self._console.print(table)

    def finished(self, folder: Path) -> None:
        """Name the run folder."""
        self._console.print(f"Run folder: {escape(str(folder))}", soft_wrap=True)


_SHOWN = {
    "loss": "loss",
    "list_length": "length",
    "violation_rate": "violations",
    "out_of_catalog": "out of catalog",
    "kl": "KL",
}


def _figures(figures: Mapping[str, float]) -> str:
    """Write the figures that are watched live, rewards first."""
    parts = [
        f"{name.removeprefix('reward/')} {value:+.3f}"
        for name, value in figures.items()
        if name.startswith("reward/")
    ]
    for name, label in _SHOWN.items():
        if name in figures and not (name == "loss" and parts):
            share = name in {"violation_rate", "out_of_catalog"}
            parts.append(f"{label} {figures[name]:.1%}" if share else f"{label} {figures[name]:.3f}")
    return "  ".join(parts)


_FIRST = (
    "recall",
    "ndcg",
    "sensitivity_ratio",
    "sensitivity_ratio_upper",
    "any_violation",
    "violations",
    "list_length",
    "duplicates",
    "out_of_catalog",
    "coverage",
    "popularity",
)
"""What is looked at first stands first; metrics of other plugins follow."""


def _place(row: Comparison) -> int:
    base = row.metric.partition("@")[0]
    return _FIRST.index(base) if base in _FIRST else len(_FIRST)


def _label(metric: str) -> str:
    names = {"ndcg": "NDCG", "recall": "Recall", "sensitivity_ratio": "Sensitivity Ratio"}
    base, at, k = metric.partition("@")
    return escape(f"{names.get(base, base.replace('_', ' ').capitalize())}{at}{k}")


def _mean(value: tuple[float, float, float] | None) -> str:
    return "no value" if value is None else f"{value[0]:.4f}"


def _interval(value: tuple[float, float, float] | None, sign: str) -> str:
    if value is None:
        return "no value"
    mean, low, high = (f"{number:{sign}.4f}" for number in value)
    return mean if value[1] != value[1] else f"{mean} [{low}, {high}]"  # too few users for an interval
