"""What a user sees: plans, progress and tables, drawn by rich."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from saferec_cli.consoles import PlainConsole
from saferec_cli.printing import print_line
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.observer import Observer, Plan, StepReport

if TYPE_CHECKING:
    from saferec_core.analysis.comparison import ComparisonTable
    from saferec_core.analysis.results import MetricFacts

__all__ = ["QuietObserver", "RichObserver", "observer_of"]

_LINES_PER_STAGE = 12
"""How many progress lines a stage gets where there is no terminal to redraw."""


class RichObserver(Observer):
    """Shows a run as it goes: live on a terminal, in a few lines elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on *console*; standard output if not given."""
        self._console = console or PlainConsole()
        self._progress: Progress | None = None
        self._task: Any = None
        self._stage = ""
        self._total = 0
        self._lines = 0
        self._changes: list[str] = []
        """What may be claimed of each comparison, for the end of the run."""

    def plan(self, plan: Plan) -> None:
        """Print what is about to be done."""
        facts = Table.grid(padding=(0, 2))
        for name, value in plan.facts.items():
            facts.add_row(f"[dim]{escape(name)}[/]", escape(value))
        self._console.print(Panel(facts, title=escape(plan.title), title_align="left", border_style="cyan"))

    def note(self, text: str) -> None:
        """Print a sentence."""
        self._console.print(escape(text))

    def alarmed(self, name: str, step: int, sentence: str) -> None:
        """Print what an alarm says, so that it stands out."""
        self._console.print(f"[bold yellow]Alarm {escape(name)}, step {step:,}:[/] {escape(sentence)}.")

    def stage_began(self, name: str, total: int | None) -> None:
        """Open a progress bar, or begin to print lines."""
        self._stage, self._total, self._lines = name, total or 0, 0
        if self._console.is_terminal:
            self._progress = _TwoLineProgress(
                TextColumn("[bold]{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
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
        table = Table(
            title=escape(title), title_justify="left", box=SIMPLE_HEAD, show_edge=False, min_width=len(title)
        )
        for name in rows[0] if rows else ():
            table.add_column(escape(name))
        for row in rows:
            table.add_row(*map(escape, row.values()))
        self._console.print(table)

    def evaluated(
        self, title: str, metrics: Mapping[str, tuple[MetricFacts, tuple[float, float, float] | None]]
    ) -> None:
        """Print the metrics of one policy with their 95% intervals."""
        from saferec_core.analysis.metrics import label, ordered, written_interval  # imports pyarrow

        table = Table(
            title=escape(title),
            title_justify="left",
            box=SIMPLE_HEAD,
            show_edge=False,
            caption="[...]: 95% interval over users",
            caption_justify="left",
        )
        table.add_column("metric")
        table.add_column("value", justify="right")
        facts = {metric: known for metric, (known, _) in metrics.items()}
        for metric in ordered(facts):
            _, value = metrics[metric]
            written = ("no value",) if value is None else written_interval(facts[metric], *value)
            table.add_row(escape(label(metric, facts[metric])), escape(" ".join(written).rstrip()))
        self._console.print(table)

    def compared(self, title: str, table: ComparisonTable) -> None:
        """Print what ``saferec compare`` prints of two policies."""
        from saferec_cli.render_compare import comparison  # scipy is slow to import
        from saferec_core.analysis.outcome import outcome

        comparison(table, title=title, console=self._console)
        self._changes.append(f"{title}: {outcome(table).sentence}")

    def kept(self, what: str, path: Path) -> None:
        """Name the file."""
        self.note(f"Every {what}: {path}")

    def finished(self, folder: Path) -> None:
        """Say what changed, and name the run folder, its report and what to do next."""
        if self._changes:
            self._console.print()
        for line in (*self._changes, *_ending(folder)):
            print_line(self._console, line)


class QuietObserver(Observer):
    """Shows nothing of a run but its alarms and where its results are."""

    def __init__(self, console: Console | None = None) -> None:
        """Print on *console*; standard output if not given."""
        self._shown = RichObserver(console)

    def alarmed(self, name: str, step: int, sentence: str) -> None:
        """Print what an alarm says."""
        self._shown.alarmed(name, step, sentence)

    def kept(self, what: str, path: Path) -> None:
        """Name the file."""
        self._shown.kept(what, path)

    def finished(self, folder: Path) -> None:
        """Name the run folder, its report and what to do next."""
        self._shown.finished(folder)


def observer_of(*, quiet: bool, as_json: bool) -> Observer:
    """Return what shows a run: nothing where JSON is printed, else everything or the essentials."""
    return Observer() if as_json else QuietObserver() if quiet else RichObserver()


def _ending(folder: Path) -> list[str]:
    """Say where a run's results are, and the command that continues from them."""
    report = RunLayout(folder).report
    lines = [f"Run folder: {folder}"]
    if report.is_file():
        lines += [f"Report:     {report}", f"Next:       saferec compare {folder}"]
    else:
        lines.append(f"Next:       saferec train --sft-checkpoint {folder} ...")
    return lines


class _TwoLineProgress(Progress):
    """Bar, step and time left on one line, which is never squeezed, and the figures beneath it."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield the bar, then the figures of the latest step, wrapped where they are long."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if figures := task.fields.get("figures"):
                yield Text(f"  {figures}", style="dim")


_SHOWN = {
    "loss": "loss",
    "list_length": "length",
    "violation_rate": "violations",
    "out_of_catalog": "out of catalog",
    "kl": "KL",
}
"""Figures of a step that are watched live, and what they are called."""


def _figures(figures: Mapping[str, float]) -> str:
    """Write the figures that are watched live, rewards first."""
    parts = [
        f"{name.removeprefix('reward/')} {value:+.3f}"
        for name, value in figures.items()
        if name.startswith("reward/")
    ]
    for name, title in _SHOWN.items():
        if name in figures and not (name == "loss" and parts):
            share = name in {"violation_rate", "out_of_catalog"}
            parts.append(f"{title} {figures[name]:.1%}" if share else f"{title} {figures[name]:.3f}")
    return "  ".join(parts)
