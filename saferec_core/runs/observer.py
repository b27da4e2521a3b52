"""What a run reports to whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from saferec_core.plugins.contracts.lifecycle import Event
from saferec_core.plugins.lifecycle import Lifecycle
from saferec_core.plugins.offered import Plugins
from saferec_core.plugins.selection import Selection

if TYPE_CHECKING:  # scipy is slow to import
    from saferec_core.analysis.comparison import ComparisonTable
    from saferec_core.analysis.results import MetricFacts

__all__ = ["Observer", "Plan", "StepReport", "staged", "with_hooks"]


@dataclass(frozen=True)
class Plan:
    """What is about to be done, in full, before it is."""

    title: str
    facts: Mapping[str, str]
    """What was resolved: model, data, rewards, steps, ..., each in one line."""


@dataclass(frozen=True)
class StepReport:
    """The figures of one optimizer step; those that a stage does not have are left out."""

    step: int
    figures: Mapping[str, float] = field(default_factory=dict)


class Observer:
    """Watches a run; every method does nothing unless it is overridden."""

    def plan(self, plan: Plan) -> None:
        """Called once per stage, before it starts."""

    def note(self, text: str) -> None:
        """Called with a sentence that the user should read."""

    def alarmed(self, name: str, step: int, sentence: str) -> None:
        """Called when the alarm *name* is raised by what was logged at *step*."""

    def stage_began(self, name: str, total: int | None) -> None:
        """Called when a stage of *total* steps (or prompts, or rows) begins; None if unknown."""

    def stepped(self, report: StepReport) -> None:
        """Called after each step of the stage."""

    def stage_ended(self) -> None:
        """Called when the stage is over, however it ended."""

    def table(self, title: str, rows: Sequence[Mapping[str, str]]) -> None:
        """Called with a table, columns by name."""

    def evaluated(
        self, title: str, metrics: Mapping[str, tuple[MetricFacts, tuple[float, float, float] | None]]
    ) -> None:
        """Called with the metrics of one policy: facts, and mean with 95% interval (None: no value)."""

    def compared(self, title: str, table: ComparisonTable) -> None:
        """Called with a comparison of two policies."""

    def kept(self, what: str, path: Path) -> None:
        """Called with a file that now holds every *what*, such as every sample."""

    def happened(self, event: Event) -> None:
        """Called with an event that lifecycle hooks of plugins are given."""

    def finished(self, folder: Path) -> None:
        """Called when the run is complete."""


@contextmanager
def staged(observer: Observer, name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of something; what is yielded is called with how much is done."""
    observer.stage_began(name, total)
    try:
        yield lambda done: observer.stepped(StepReport(done))
    finally:
        observer.stage_ended()


class _HookedObserver(Observer):
    """Passes everything on to another observer, and events to the plugins that observe them."""

    def __init__(self, inner: Observer, lifecycle: Lifecycle) -> None:
        for name, member in vars(Observer).items():
            if callable(member) and not name.startswith("_"):
                setattr(self, name, getattr(inner, name))
        self.happened = lifecycle.happened  # type: ignore[method-assign]  # as the others, above


def with_hooks(observer: Observer, plugins: Plugins) -> Observer:
    """Give the lifecycle hooks of *plugins* the events of a run."""
    if not plugins.lifecycle_hooks:
        return observer
    lifecycle = Lifecycle(plugins.lifecycle_hooks, observer.note, strict=Selection.of().strict)
    return _HookedObserver(observer, lifecycle)
