"""The contract of observers: plugins that follow what happens in a run. Needs no torch."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir
from typing import Any
from unittest import SkipTest

from saferec_core.plugins.contracts.lifecycle import (
    CheckpointSaved,
    EvaluationFinished,
    Event,
    RolloutsScored,
    RunFinished,
    RunStarted,
)
from saferec_core.plugins.hookspecs import PROJECT
from saferec_core.plugins.lifecycle import LIFECYCLE_HOOKS
from saferec_core.testing.contract import Contract, check

__all__ = ["ObserverContract", "check_observer"]

FOLDER = Path(gettempdir()) / f"saferec-observed-run-{os.getpid()}"
"""The folder of the run that is observed; it exists during a call."""


class ObserverContract(Contract[Any]):
    """Inherit it and return the module or object that the entry point names from ``make``.

    See :class:`saferec_core.testing.contract.Contract`.
    """

    def inputs(self, size: int = 2) -> tuple[list[Event]]:
        """Return the events of a run of *size* steps, whose folder exists and is empty."""
        scored = [
            RolloutsScored(step, [{"step": step, "completion": "Film A (1990)"}]) for step in range(size)
        ]
        measured = EvaluationFinished("after", "greedy", {"recall@10": (0.2, 0.1, 0.3)})
        return (
            [
                RunStarted("train", FOLDER, {"seed": 0}),
                *scored,
                CheckpointSaved(size, FOLDER),
                measured,
                RunFinished(FOLDER),
            ],
        )

    def call(self, component: Any, *inputs: Sequence[Event]) -> None:
        """Tell the observer of every event, in order; the run's folder exists meanwhile."""
        (events,) = inputs
        FOLDER.mkdir(exist_ok=True)
        try:
            for event in events:
                hook = getattr(component, LIFECYCLE_HOOKS[type(event)], None)
                if hook is not None:
                    hook(*([event] if "event" in inspect.signature(hook).parameters else []))
        finally:
            rmtree(FOLDER)

    def _hooks(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        plugin = self.make()
        for name in LIFECYCLE_HOOKS.values():
            if callable(hook := getattr(plugin, name, None)):
                yield name, hook

    def test_it_observes_something(self) -> None:
        """At least one lifecycle hook, marked with ``@hookimpl``: others are never called."""
        hooks = list(self._hooks())
        assert hooks, f"it implements none of {', '.join(LIFECYCLE_HOOKS.values())}"
        unmarked = [name for name, hook in hooks if not hasattr(hook, f"{PROJECT}_impl")]
        assert not unmarked, f"{unmarked[0]} is not marked with @hookimpl"

    def test_its_hooks_take_the_event_and_nothing_else(self) -> None:
        """A hook with another parameter cannot be called."""
        for name, hook in self._hooks():
            others = [parameter for parameter in inspect.signature(hook).parameters if parameter != "event"]
            assert not others, f"{name} wants {others[0]!r}; a lifecycle hook is given 'event'"

    def test_it_takes_events_that_say_little(self) -> None:
        """An evaluation without values, a batch without rows, a run without settings."""
        self.answer(self.make(), *self.inputs())
        for event in (
            RunStarted("sft", FOLDER, {}),
            RolloutsScored(1, []),
            EvaluationFinished("before", "sampled", {"recall@10": None}),
            EvaluationFinished("before", "greedy", {}),
        ):
            try:
                self.call(self.make(), [event])
            except Exception as error:
                raise AssertionError(f"{event}: {type(error).__name__}: {error}") from error

    def test_it_can_be_pickled(self) -> None:
        """It stays in the main process, so it need not be."""
        raise SkipTest("an observer stays in the main process")


def check_observer(plugin: Any) -> None:
    """Check a plugin that observes runs against every property of :class:`ObserverContract`.

    Args:
        plugin: The module or object that its entry point names.

    Raises:
        ContractError: It lists every property that does not hold.
    """
    check(ObserverContract, plugin)
