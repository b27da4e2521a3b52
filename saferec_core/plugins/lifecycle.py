"""Tell plugins what happens in a run; a hook that fails is reported and left out, and the run continues."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from saferec_core.errors import PluginError
from saferec_core.plugins.calls import calling, undisturbed
from saferec_core.plugins.contracts.lifecycle import (
    CheckpointSaved,
    EvaluationFinished,
    Event,
    RolloutsScored,
    RunFinished,
    RunStarted,
)
from saferec_core.plugins.registry import Origin

__all__ = ["LIFECYCLE_HOOKS", "Lifecycle", "LifecycleHook"]

LIFECYCLE_HOOKS: Mapping[type, str] = MappingProxyType(
    {
        RunStarted: "saferec_run_started",
        RolloutsScored: "saferec_rollouts_scored",
        CheckpointSaved: "saferec_checkpoint_saved",
        EvaluationFinished: "saferec_evaluation_finished",
        RunFinished: "saferec_run_finished",
    }
)
"""The hook that is given each kind of event."""


class LifecycleHook(NamedTuple):
    """One plugin's implementation of a lifecycle hook."""

    name: str
    origin: Origin
    function: Callable[..., Any]
    takes_event: bool


class Lifecycle:
    """Calls the lifecycle hooks of a run."""

    def __init__(
        self, hooks: Sequence[LifecycleHook], report: Callable[[str], None], *, strict: bool = False
    ) -> None:
        """Take the hooks of the plugins that are loaded.

        Args:
            hooks: The hooks, in the order in which they are called.
            report: Called with a sentence about a hook that fails.
            strict: Whether such a failure ends the run.
        """
        self._hooks = list(hooks)
        self._report = report
        self._strict = strict

    def happened(self, event: Event) -> None:
        """Tell every plugin that observes this kind of event.

        Raises:
            PluginError: A hook failed, and plugins must be sound.
        """
        name = LIFECYCLE_HOOKS[type(event)]
        for hook in [hook for hook in self._hooks if hook.name == name]:
            what = f"hook {name!r} of {hook.origin.supplier}"
            try:
                with undisturbed(what), calling(what):
                    hook.function(*([event] if hook.takes_event else []))
            except PluginError as error:
                if self._strict:
                    raise
                self._hooks.remove(hook)
                self._report(f"{error}. The run continues without this hook.")
